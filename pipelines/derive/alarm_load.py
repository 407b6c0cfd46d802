"""How much alarms ask of people (ISA-18.2-2016 §16, IEC 62682, EEMUA 191): pure figures over a list of alarms.

Times are ns since 1970 UTC, in order; an alarm counts when it is raised.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

WINDOW_NS: Final = 600 * 10**9
"""Ten minutes, by which load is measured."""
MOST_PER_WINDOW: Final = 1
"""Alarms in ten minutes that one person handles well: at most one, 144 a day."""
FLOOD: Final = 10
"""More than this in ten minutes is a flood."""
FLOOD_OVER: Final = 5
"""A flood lasts until fewer than this come in ten minutes."""
CHATTERS: Final = 3
"""An alarm that comes as often within a minute chatters."""
_MINUTE_NS: Final = 60 * 10**9
STALE_NS: Final = 24 * 3600 * 10**9
"""An alarm that is active for longer is stale."""


class Flood(NamedTuple):
    """A flood of alarms.

    Attributes:
        start_ns: of the ten minutes in which there were too many.
        end_ns: the first time at which fewer than `FLOOD_OVER` had come in ten minutes.
        alarms: raised in between.
    """

    start_ns: int
    end_ns: int
    alarms: int


def lately(raised_ns: Sequence[int], now_ns: int) -> int:
    """Alarms of the last ten minutes."""
    return bisect_right(raised_ns, now_ns) - bisect_right(raised_ns, now_ns - WINDOW_NS)


def per_window(raised_ns: Sequence[int], start_ns: int, end_ns: int) -> float | None:
    """Mean number of alarms in ten minutes of a period; None for a period without length."""
    if end_ns <= start_ns:
        return None
    count = bisect_right(raised_ns, end_ns) - bisect_right(raised_ns, start_ns)
    return count * WINDOW_NS / (end_ns - start_ns)


def floods(raised_ns: Sequence[int]) -> list[Flood]:
    """Every flood, oldest first; the end of the last one is where it ends if nothing more comes."""
    found: list[Flood] = []
    steps = sorted([*((one, 1) for one in raised_ns), *((one + WINDOW_NS, -1) for one in raised_ns)])
    count, began_ns = 0, 0
    for time_ns, step in steps:  # what leaves the ten minutes does so before what comes at the same time
        count += step
        if not began_ns and count > FLOOD:
            began_ns = raised_ns[bisect_right(raised_ns, time_ns - WINDOW_NS)]
        elif began_ns and count < FLOOD_OVER:
            alarms = bisect_right(raised_ns, time_ns) - bisect_left(raised_ns, began_ns)
            found.append(Flood(began_ns, time_ns, alarms))
            began_ns = 0
    return found


def chattering(raised_ns: Mapping[str, Sequence[int]]) -> list[str]:
    """Alarms that came `CHATTERS` times or more within a minute, in order of their names."""

    def chatters(times: Sequence[int]) -> bool:
        return any(last - first < _MINUTE_NS for first, last in zip(times, times[CHATTERS - 1 :], strict=False))

    return sorted(name for name, times in raised_ns.items() if chatters(times))


def stale(active_since_ns: Mapping[str, int], now_ns: int) -> list[str]:
    """Active alarms that came more than a day ago, in order of their names."""
    return sorted(name for name, since_ns in active_since_ns.items() if now_ns - since_ns > STALE_NS)


def split(priorities: Sequence[str]) -> dict[str, float]:
    """Part of each priority, 0-1; good practice is 5 % urgent, 15 % important, 80 % below."""
    return {one: priorities.count(one) / len(priorities) for one in sorted(set(priorities))}
