"""What a segment released, read from its file."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np

from pipelines.journal.salvage import read_segment
from pipelines.journal.segment import Segment
from pipelines.ledger.mix import spread
from pipelines.ledger.readings import NOTHING, Number, Points, points_of
from pipelines.ledger.tally import Tally, tally_of
from pipelines.topics import RecordId

Refused = Mapping[str, list[str] | None]
"""Lines that the store refused, by record; None = the whole record."""


@dataclass(frozen=True, slots=True)
class Released:
    """What is to be counted of a segment.

    Attributes:
        tally: sums of what the store has.
        given_up: values of each record that was dropped, by counter.
        doubtful: oldest and newest time in it where it holds records that may have been sent and are not in the sums:
            dropped, or damaged.
    """

    tally: Tally
    given_up: Mapping[int, int] = field(default_factory=dict)
    doubtful: tuple[int, int] | None = None


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
    try:
        data = segment.path.read_bytes()
    except FileNotFoundError:  # somebody deleted it: what it released cannot be told any more
        return Released(tally_of(*NOTHING), doubtful=segment.span_ns)
    heads = {head.counter: head for head in read_segment(data).records}
    points = points_in(data, segment.epoch, wanted, refused, number)
    dropped = _dropped(segment)
    altered = any(counter not in heads for counter in (*wanted, *segment.lost))
    times = [time_ns for head in heads.values() for time_ns in (head.first_ns, head.last_ns)]
    doubtful = bool(times) and bool(dropped or altered or segment.damaged_bytes)
    return Released(tally_of(*points), dropped, (min(times), max(times)) if doubtful else None)


def _dropped(segment: Segment) -> dict[int, int]:
    """Values of each record that was given up with its segment; what a failed sync moved is not in the index."""
    if not segment.told:
        return {}
    return {head.counter: head.points for head in segment.heads() if head.counter not in segment.done}


def points_in(data: bytes, epoch: str, wanted: AbstractSet[int], refused: Refused, number: Number) -> Points:
    """Readings of some records in the bytes of a segment; see `released`."""
    payloads: list[bytes] = []
    found: set[int] = set()
    gone: list[bytes] = []
    for record in read_segment(data).records if wanted else ():
        if record.counter in wanted and record.counter not in found:
            found.add(record.counter)
            start, length = record.payload
            lines = refused.get(str(RecordId(epoch, record.counter)), [])
            if lines is not None:
                payloads.append(data[start : start + length])
                gone += [line.rstrip("\n").encode() + b"\n" for line in lines]
    points = points_of(payloads, number)
    return _but(points, points_of(gone, number)) if gone else points


def _but(points: Points, gone: Points) -> Points:
    """Readings that are not among `gone`."""
    keys, refused = (mix ^ spread(series) for series, _, mix in (points, gone))
    kept = ~np.isin(keys, refused)
    series, time_ns, mix = points
    return series[kept], time_ns[kept], mix[kept]
