"""Reads that were left out become gaps: each counted once, however long it goes on."""

from __future__ import annotations

import asyncio

from connectors.missed import BACKPRESSURE, OVERRUN, Missed, cause_of
from connectors.ticker import ticks
from pipelines.clock import SystemClock
from pipelines.point import Gap

S = 10**9
T = 1_790_000_000 * S


def test_one_late_read() -> None:
    missed = Missed()
    assert missed.read([1, 2], T, T + S) == []
    missed.add(3, OVERRUN)
    end = T + 5 * S
    assert missed.read([1, 2], T + S, end) == [Gap(tag, OVERRUN, T + S, end, 3) for tag in (1, 2)]
    assert missed.read([1, 2], end, end + S) == []


def test_a_device_that_is_always_too_slow_is_one_gap_that_grows() -> None:
    missed, told = Missed(), []
    for turn in range(1, 101):
        missed.add(2, OVERRUN)
        told += missed.read([0], T + (turn - 1) * 3 * S, T + turn * 3 * S)
    told += missed.read([0], T + 300 * S, T + 301 * S)
    assert {(gap.start_ns, gap.cause) for gap in told} == {(T, OVERRUN)}
    assert told[-1] == Gap(0, OVERRUN, T, T + 300 * S, 200)
    assert len(told) < 30, "not one with each read"
    assert missed.rest([0]) == []


def test_another_cause_is_another_gap() -> None:
    missed = Missed()
    missed.add(1, OVERRUN)
    first = missed.read([0], T, T + 2 * S)
    missed.add(4, BACKPRESSURE)
    second = missed.read([0], T + 2 * S, T + 7 * S)
    assert [*first, *second] == [Gap(0, OVERRUN, T, T + 2 * S, 1), Gap(0, BACKPRESSURE, T + 2 * S, T + 7 * S, 4)]


def test_what_was_never_read_misses_nothing() -> None:
    missed = Missed()
    missed.add(5, OVERRUN)
    assert missed.read([0], 0, T) == []
    assert missed.read([0], T, T + S) == []


def test_who_made_it_late() -> None:
    assert cause_of(worked_s=0.3, waited_s=0.01) == OVERRUN
    assert cause_of(worked_s=0.01, waited_s=5.0) == BACKPRESSURE


async def test_the_schedule_says_which_cycle_missed_how_many() -> None:
    counted, turns = {0: 0, 1: 0}, 0
    async for ready, missed in ticks([0.01, 10.0], SystemClock()):
        assert set(missed) <= set(ready)
        for index, count in missed.items():
            counted[index] += count
        turns += 1
        if turns == 2:
            break
        await asyncio.sleep(0.055)  # the consumer is busy: nothing to observe
    assert counted[0] >= 4
    assert counted[1] == 0
