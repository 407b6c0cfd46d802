"""A schedule that does not drift: the only place in the connectors that sleeps."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from pipelines.clock import Clock
from pipelines.stats import LinkStats

_TURN_S: Final = 300.0
"""Longest turn of a loop that polls, seconds: every tag of a large line asked in vain, each with its time-out."""


async def ticks(
    periods_s: Sequence[float], clock: Clock, stats: LinkStats | None = None
) -> AsyncIterator[tuple[list[int], dict[int, int]]]:
    """Which of several cycles are due, each on multiples of its own period since the start.

    Args:
        periods_s: period of each cycle, seconds above 0.
        clock: its `rate` scales the waiting; its monotonic time sets the schedule.
        stats: of a link that polls: told when the next turn is due at the latest.

    Yields:
        (indexes of `periods_s` that are due, ticks of each that were missed because the consumer was late, where any).
    """
    start = clock.monotonic_s()
    due = [(start, index) for index in range(len(periods_s))]
    heapq.heapify(due)
    while due:
        wait = (due[0][0] - clock.monotonic_s()) / clock.rate
        if stats is not None:
            stats.turn_due_s = time.monotonic() + max(0.0, wait) + _TURN_S
        if wait > 0:
            await asyncio.sleep(wait)
        now = clock.monotonic_s()
        ready: list[int] = []
        missed: dict[int, int] = {}
        while due[0][0] <= now:
            at, index = due[0]
            period = periods_s[index]
            late = int((now - at) / period)
            if late:
                missed[index] = missed.get(index, 0) + late
            ready.append(index)
            heapq.heapreplace(due, (at + (late + 1) * period, index))
        if ready:
            yield ready, missed


async def pause(wait_s: float) -> None:
    """Let real time pass, seconds, for a line to fall silent."""
    await asyncio.sleep(wait_s)
