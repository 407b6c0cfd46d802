"""What a segment released, read from its file."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from pipelines.journal.salvage import read_segment
from pipelines.journal.segment import Segment
from pipelines.ledger.mix import spread
from pipelines.ledger.readings import Number, Points, points_of
from pipelines.ledger.tally import Tally, tally_of
from pipelines.topics import RecordId

Refused = Mapping[str, list[str] | None]
"""Lines that the store refused, by record; None = the whole record."""


@dataclass(frozen=True, slots=True)
class Released:
    """What is to be counted of a segment.

    Attributes:
        tally: sums of what the store has.
        given_up: values of records that were dropped.
        doubtful: whether there are records that may have been sent and are not in the sums: dropped, or damaged.
    """

    tally: Tally
    given_up: int
    doubtful: bool


def released(segment: Segment, wanted: AbstractSet[int], refused: Refused, number: Number) -> Released:
    """What a finished segment released.

    Args:
        segment: its file is read.
        wanted: counters of the records to count.
        refused: what of them is not in the store.
        number: what to call a series.

    Raises:
        OSError: the file cannot be read.
    """
    data = segment.path.read_bytes()
    points, counters = points_in(data, segment.epoch, wanted, refused, number)
    dropped = {counter: size for counter, size in counters.items() if counter not in segment.done}
    doubtful = dropped or segment.damaged_bytes or not (wanted | segment.lost) <= counters.keys()
    return Released(tally_of(*points), sum(dropped.values()), bool(doubtful))


def points_in(
    data: bytes, epoch: str, wanted: AbstractSet[int], refused: Refused, number: Number
) -> tuple[Points, dict[int, int]]:
    """Readings of some records in the bytes of a segment; values of each of its intact records by counter."""
    payloads: list[bytes] = []
    found: dict[int, int] = {}
    gone: list[bytes] = []
    for record in read_segment(data).records:
        if record.counter in wanted and record.counter not in found:
            start, length = record.payload
            lines = refused.get(str(RecordId(epoch, record.counter)), [])
            if lines is not None:
                payloads.append(data[start : start + length])
                gone += [line.rstrip("\n").encode() + b"\n" for line in lines]
        found[record.counter] = record.points
    points = points_of(payloads, number)
    return (_but(points, points_of(gone, number)) if gone else points), found


def _but(points: Points, gone: Points) -> Points:
    """Readings that are not among `gone`."""
    keys, refused = (mix ^ spread(series) for series, _, mix in (points, gone))
    kept = ~np.isin(keys, refused)
    series, time_ns, mix = points
    return series[kept], time_ns[kept], mix[kept]
