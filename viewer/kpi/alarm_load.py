"""How much alarms ask of people in a period (ISA-18.2-2016 §16, IEC 62682:2022 §16, EEMUA 191): pure figures.

An alarm counts when it calls people. Rates are over the time in which somebody could have told alarms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pipelines.calendar import Span
from pipelines.derive.alarm_load import FLOOD, WINDOW_NS, chattering
from viewer.kpi.result import LEAST_COVER, share

MOST_FREQUENT: Final = 10
HOUR_NS: Final = 3600 * 10**9
AIM_PER_HOUR: Final = 6.0
"""About one in ten minutes, 144 a day: what a person handles well (ISA-18.2-2016 §16.5)."""
AIM_FLOOD: Final = 1.0
"""Percent of the ten-minute windows that may be floods at most."""
AIM_TOP: Final = 5.0
"""Percent of all alarms that the ten most frequent may be at most."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Load(Generic[Key]):
    """How much was asked of people.

    Attributes:
        count: alarms that called.
        watched_ns: time in which alarms could be told, ns; 0 = nothing is known of the period.
        per_hour: alarms an hour; None without watched time.
        busiest: most alarms within any ten minutes, and when the first of these came, ns since 1970 UTC; None = none.
        flood: percent of the watched ten-minute windows with more than `FLOOD` alarms; None without watched time.
        cover: percent of the period that was watched.
        top_share: percent of all alarms that the most frequent ones are; None where no more than these came at all.
        frequent: the `MOST_FREQUENT` most frequent ones and how often they came, the most frequent first.
        chattering: those that came three times or more within a minute.
    """

    count: int
    watched_ns: int
    per_hour: float | None
    busiest: tuple[int, int] | None
    flood: float | None
    cover: float
    top_share: float | None
    frequent: tuple[tuple[Key, int], ...]
    chattering: tuple[Key, ...]

    @property
    def indicative(self) -> bool:
        """Whether too little was watched for rates to be more than a hint (참고치)."""
        return 0 < self.cover < LEAST_COVER


def load(raised: Sequence[tuple[int, Key]], watched: Sequence[Span], period: Span) -> Load[Key]:
    """How much was asked of people in a period.

    Args:
        raised: time, ns since 1970 UTC, and alarm of everything that called, in any order.
        watched: stretches of time in which alarms could be told, disjoint.
        period: start and end, ns since 1970 UTC.
    """
    inside = sorted((one for one in raised if period[0] <= one[0] < period[1]), key=lambda one: one[0])
    times = [time_ns for time_ns, _ in inside]
    watched_ns = sum(max(0, min(high, period[1]) - max(low, period[0])) for low, high in watched)
    counts = Counter(key for _, key in inside)
    frequent = tuple(counts.most_common(MOST_FREQUENT))
    of_each: dict[Key, list[int]] = {}
    for time_ns, key in inside:
        of_each.setdefault(key, []).append(time_ns)
    return Load(
        count=len(inside),
        watched_ns=watched_ns,
        per_hour=len(inside) / (watched_ns / HOUR_NS) if watched_ns else None,
        busiest=busiest(times),
        flood=_flood(times, watched_ns),
        cover=share(watched_ns, period[1] - period[0]) or 0.0,
        top_share=_top(frequent, len(inside)) if len(counts) > MOST_FREQUENT else None,
        frequent=frequent,
        chattering=tuple(key for key, own in of_each.items() if chattering({"": own})),
    )


def _top(frequent: Sequence[tuple[object, int]], count: int) -> float:
    return sum(own for _, own in frequent) / count * 100


def busiest(times: Sequence[int]) -> tuple[int, int] | None:
    """Most alarms within any ten minutes, and when the first of these came; times in order. None without alarms."""
    best, first = (0, 0), 0
    for last, time_ns in enumerate(times):
        while time_ns - times[first] >= WINDOW_NS:
            first += 1
        if last - first + 1 > best[0]:
            best = last - first + 1, times[first]
    return best if best[0] else None


def _flood(times: Sequence[int], watched_ns: int) -> float | None:
    """Windows are those of the clock; one that is watched in part counts with that part."""
    if not watched_ns:
        return None
    windows = Counter(time_ns // WINDOW_NS for time_ns in times)
    floods = sum(count > FLOOD for count in windows.values())
    return min(100.0, floods / max(1.0, watched_ns / WINDOW_NS) * 100)
