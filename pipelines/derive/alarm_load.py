"""How much alarms ask of people (ISA-18.2-2016 §16, IEC 62682, EEMUA 191): pure figures over a list of alarms.

Times are ns since 1970 UTC, in order; an alarm counts when it is raised.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

WINDOW_NS: Final = 600 * 10**9
"""Ten minutes, by which load is measured."""
FLOOD: Final = 10
"""More than this in ten minutes is a flood."""
CHATTERS: Final = 3
"""An alarm that comes as often within a minute chatters."""
_MINUTE_NS: Final = 60 * 10**9
STALE_NS: Final = 24 * 3600 * 10**9
"""An alarm that is active for longer is stale."""


def lately(raised_ns: Sequence[int], now_ns: int) -> int:
    """Alarms of the last ten minutes."""
    return bisect_right(raised_ns, now_ns) - bisect_right(raised_ns, now_ns - WINDOW_NS)


def flooded(raised_ns: Sequence[int], now_ns: int) -> bool:
    """Whether more than `FLOOD` came in the last ten minutes."""
    return lately(raised_ns, now_ns) > FLOOD


def chattering(raised_ns: Mapping[str, Sequence[int]]) -> list[str]:
    """Alarms that came `CHATTERS` times or more within a minute, in order of their names."""

    def chatters(times: Sequence[int]) -> bool:
        return any(last - first < _MINUTE_NS for first, last in zip(times, times[CHATTERS - 1 :], strict=False))

    return sorted(name for name, times in raised_ns.items() if chatters(times))


def stale(active_since_ns: Mapping[str, int], now_ns: int) -> list[str]:
    """Active alarms that came more than a day ago, in order of their names."""
    return sorted(name for name, since_ns in active_since_ns.items() if now_ns - since_ns > STALE_NS)
