"""Ledger: the readings of a segment as they were carried beside its records, and as they are read out of its lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.pipeline import NOW_NS, SERIES, N, encoder
from benchmarks.timing import Stage
from pipelines.journal.segment import Segment
from pipelines.journal.stored import Stored
from pipelines.ledger.book import Numbers
from pipelines.ledger.carried import Carried, Load, Names, Readings
from pipelines.ledger.readings import joined, points_of
from pipelines.ledger.tally import Tally, tally_of
from pipelines.topics import RecordId

CYCLES = 20
"""Of each tag in a segment of 4 MiB, about."""
EPOCH = "00" * 16


def stages() -> list[Stage]:
    """Sums of one segment."""
    names, numbers, lines = Names([(SERIES, f"tag{number}") for number in range(N)]), Numbers(), encoder()
    tag = np.arange(N, dtype=np.int32)
    value = np.random.default_rng(1).normal(100, 20, N).round(2)
    times = [NOW_NS + cycle * 10**9 + np.arange(N, dtype=np.int64) * 1000 for cycle in range(CYCLES)]
    readings = [Readings(names, tag, time_ns, value) for time_ns in times]
    payloads = [lines.lines([lines.values(tag, time_ns, value)]) for time_ns in times]
    segment = Segment(Path("0.seg"), EPOCH)
    records = [Stored(RecordId(EPOCH, one), segment, 0, 0, N, (0, 0), (NOW_NS, NOW_NS)) for one in range(CYCLES)]

    def carried() -> Tally:
        left: list[Load] = []
        beside = Carried(numbers.series, left.append)
        for stored, one in zip(records, readings, strict=True):
            beside.add(stored, (one,))
        beside.leave()
        return tally_of(*joined(left[0].points))

    def read() -> Tally:
        return tally_of(*points_of(payloads, numbers.series))

    values = N * CYCLES
    return [Stage("ledger", "readings of a segment, summed", "its lines, parsed", (values, values), carried, read)]
