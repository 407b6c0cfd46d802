r"""The bytes of the ledger: format and recovery specification.

The folder holds one log `<number, 16 hex digits>.log`, appended to and synced entry by entry, and folds
`<first>-<last>.fold`, written once: what the logs of these numbers held, with rows of the same series, epoch and hour
added up. A fold is written under another name, synced and renamed; then the log goes. A file whose numbers another
fold spans is left from a crash in between and goes at the next start, so that nothing counts twice.
`<epoch>-<sequence of the segment>.tally` holds the sums of a segment that is not finished, written without a sync:
where it is missing or torn, the segment itself is read. `reserve` is room for the last entry on a full disk. All
integers are little-endian. CRC32C is Castagnoli's (RFC 3720 appendix B.4).

Entry (any number in a log, one in a fold or a tally)::

    4  magic    b"\x9eLg1"   the digit is the format version
    4  crc      CRC32C of everything that follows in this entry
    4  length   of head
    4  rows     number of them
    4  edges    number of them
    n  head     JSON object, see `Head`
    n  rows     `tally.ROW`; numbers of series as `head.series` of this file give them, epochs as `head.epochs` does
    n  edges    `tally.EDGE`

An entry whose CRC does not hold ends nothing: the reader looks for the next magic. At a start, what follows the last
intact entry of a log is cut off: it was torn by a crash, and its segment is still there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import google_crc32c
import numpy as np
import orjson

from pipelines.ledger.tally import EDGE, ROW, Rows, SeriesKey

MAGIC: Final = b"\x9eLg1"
_CRC: Final = struct.Struct("<I")
_SIZES: Final = struct.Struct("<III")
_FIXED: Final = len(MAGIC) + _CRC.size + _SIZES.size
Ranges = list[tuple[int, int]]
"""Counters of records: (first, last) of each run, ascending."""


@dataclass(slots=True)
class Losses:
    """What was given up, so that nobody looks for it in the store.

    Attributes:
        points: values by cause (`cap`, `refused`, `expired`) and day (`YYYY-MM-DD`, UTC, of the loss).
        spans: (oldest, newest) time of records given up after they may have been sent: the store may hold them.
    """

    points: dict[str, dict[str, int]] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, cause: str, day: str, points: int) -> None:
        """Count some more."""
        days = self.points.setdefault(cause, {})
        days[day] = days.get(day, 0) + points


@dataclass(slots=True)
class Head:
    """What an entry says besides its rows.

    Attributes:
        series: by their numbers, those which this file has not named before.
        epochs: of the rows; row.epoch is a position in it.
        counted: records that are counted or given up, by epoch: they are not counted again.
        refused: lines of records that are not counted yet, as the store refused them; None = all of them.
        losses: since the last entry; in a fold since the beginning.
        since_hour: hours before it were forgotten; None = nothing was.
        damaged: whether entries were lost.
    """

    series: dict[int, SeriesKey] = field(default_factory=dict)
    epochs: list[str] = field(default_factory=list)
    counted: dict[str, Ranges] = field(default_factory=dict)
    refused: dict[str, list[str] | None] = field(default_factory=dict)
    losses: Losses = field(default_factory=Losses)
    since_hour: int | None = None
    damaged: bool = False

    def packed(self) -> bytes:
        """As JSON; what is empty is left out."""
        everything: dict[str, Any] = {
            "series": [[number, *key] for number, key in self.series.items()],
            "epochs": self.epochs,
            "counted": self.counted,
            "refused": self.refused,
            "points": self.losses.points,
            "spans": self.losses.spans,
            "since_hour": self.since_hour,
            "damaged": self.damaged,
        }
        return orjson.dumps({key: value for key, value in everything.items() if value or value == 0})

    @classmethod
    def unpacked(cls, raw: bytes) -> Head:
        """The inverse of `packed`."""
        found = orjson.loads(raw)
        series = {
            number: SeriesKey(measurement, tuple((key, value) for key, value in tags), name, kind)
            for number, measurement, tags, name, kind in found.get("series", ())
        }
        counted = {epoch: [(a, b) for a, b in runs] for epoch, runs in found.get("counted", {}).items()}
        losses = Losses(found.get("points", {}), [(a, b) for a, b in found.get("spans", ())])
        since, damaged = found.get("since_hour"), found.get("damaged", False)
        return cls(series, found.get("epochs", []), counted, found.get("refused", {}), losses, since, damaged)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its head, its rows (`tally.ROW`) and its edges (`tally.EDGE`)."""

    head: Head
    rows: Rows
    edges: Rows

    def packed(self) -> bytes:
        """Ready to be written."""
        head = self.head.packed()
        sizes = _SIZES.pack(len(head), len(self.rows), len(self.edges))
        body = b"".join((sizes, head, self.rows.tobytes(), self.edges.tobytes()))
        return b"".join((MAGIC, _CRC.pack(google_crc32c.value(body)), body))


NO_ROWS: Final[Rows] = np.empty(0, ROW)
NO_EDGES: Final[Rows] = np.empty(0, EDGE)


def entries(data: bytes) -> Iterator[tuple[Entry, int]]:
    """Intact entries in file order, each with the offset of its end; never raises, whatever the bytes are."""
    at = data.find(MAGIC)
    while at >= 0:
        found = _entry_at(data, at)
        if found is not None:
            yield found
        at = data.find(MAGIC, found[1] if found else at + 1)


def _entry_at(data: bytes, at: int) -> tuple[Entry, int] | None:
    start = at + _FIXED
    if start > len(data):
        return None
    length, rows, edges = _SIZES.unpack_from(data, at + len(MAGIC) + _CRC.size)
    rows_at = start + length
    edges_at = rows_at + rows * ROW.itemsize
    end = edges_at + edges * EDGE.itemsize
    body = at + len(MAGIC) + _CRC.size
    if end > len(data) or google_crc32c.value(data[body:end]) != _CRC.unpack_from(data, at + len(MAGIC))[0]:
        return None
    head = Head.unpacked(data[start:rows_at])
    return Entry(head, np.frombuffer(data, ROW, rows, rows_at), np.frombuffer(data, EDGE, edges, edges_at)), end


def merged(first: Ranges, second: Ranges) -> Ranges:
    """Runs of both."""
    out: Ranges = []
    for start, end in sorted([*first, *second]):
        if out and start <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def runs_of(counters: set[int]) -> Ranges:
    """Counters as runs."""
    return merged([(counter, counter) for counter in counters], [])


def ranged(runs: Ranges) -> set[int]:
    """The inverse of `runs_of`."""
    return {counter for start, end in runs for counter in range(start, end + 1)}


def outside(counters: set[int], ranges: Ranges) -> set[int]:
    """Counters that are in none of the runs."""
    return {counter for counter in counters if not any(start <= counter <= end for start, end in ranges)}
