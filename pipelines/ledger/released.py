"""What a segment released, read from its file."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from pipelines.journal.format import read_segment
from pipelines.journal.segment import Segment
from pipelines.ledger.mix import spread
from pipelines.ledger.readings import NOTHING, Number, Points, points_of
from pipelines.ledger.tally import Tally, tally_of
from pipelines.topics import RecordId


def released(
    segment: Segment, wanted: AbstractSet[int], refused: Mapping[str, list[str] | None], number: Number
) -> tuple[Tally, bool]:
    """Sums of some of its records, and whether all of them are still intact.

    Args:
        segment: its file is read.
        wanted: counters of the records.
        refused: lines that the store refused, by record; None = all.
        number: what to call a series.

    Raises:
        OSError: the file cannot be read.
    """
    if not wanted:
        return tally_of(*NOTHING), True
    points, found = points_in(segment.path.read_bytes(), segment.epoch, wanted, refused, number)
    return tally_of(*points), found == wanted


def points_in(
    data: bytes, epoch: str, wanted: AbstractSet[int], refused: Mapping[str, list[str] | None], number: Number
) -> tuple[Points, set[int]]:
    """Readings of some records in the bytes of a segment, and which of them are there; see `released`."""
    payloads: list[bytes] = []
    found: set[int] = set()
    gone: list[bytes] = []
    for record in read_segment(data).records:
        if record.counter in wanted and record.counter not in found:
            found.add(record.counter)
            start, length = record.payload
            lines = refused.get(str(RecordId(epoch, record.counter)), [])
            if lines is not None:
                payloads.append(data[start : start + length])
                gone += [line.rstrip("\n").encode() + b"\n" for line in lines]
    points = points_of(payloads, number)
    return (_but(points, points_of(gone, number)) if gone else points), found


def _but(points: Points, gone: Points) -> Points:
    """Readings that are not among `gone`."""
    keys, refused = (mix ^ spread(series) for series, _, mix in (points, gone))
    kept = ~np.isin(keys, refused)
    series, time_ns, mix = points
    return series[kept], time_ns[kept], mix[kept]
