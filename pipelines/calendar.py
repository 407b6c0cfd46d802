"""Working time of a site, in Korean Standard Time: what is planned, and to which production day a moment belongs."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipelines.derive.settings import CalendarSettings

_MINUTE_NS: Final = 60 * 10**9
_DAY_NS: Final = 24 * 60 * _MINUTE_NS
KST_NS: Final = 9 * 60 * _MINUTE_NS
"""Korean Standard Time is this much ahead of UTC, all the year."""
_EPOCH: Final = date(1970, 1, 1)

Span = tuple[int, int]
"""Start and end, ns; the end does not belong to it."""


def minutes_of(text: str) -> int:
    """Minutes since midnight of `HH:MM`."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


class Calendar:
    """Shifts and breaks of a site.

    A production day begins at `day_start`; a shift and a break belong to the production day in which they begin, also
    where they go over its end.

    Args:
        settings: of the site.
        holidays: production days on which nobody works.
    """

    def __init__(self, settings: CalendarSettings, holidays: Container[date] = frozenset()) -> None:
        self._day_start_ns = minutes_of(settings.day_start) * _MINUTE_NS
        self._days = frozenset(settings.days)
        self._holidays = holidays
        breaks = _merged([self._span(*one.split("-")) for one in settings.breaks])
        spans = [(one.name, self._span(one.start, one.end)) for one in settings.shifts]
        self._shifts = [(name, _without([span], breaks)) for name, span in spans]
        self._working = _without(_merged([span for _, span in spans]), breaks)

    def production_day(self, time_ns: int) -> date:
        """The day to which a moment belongs: that on which its production day began."""
        return _EPOCH + timedelta(days=self._local(time_ns) // _DAY_NS)

    def day_span(self, day: date) -> Span:
        """A production day, ns since 1970 UTC."""
        start_ns = (day - _EPOCH).days * _DAY_NS - self._local(0)
        return start_ns, start_ns + _DAY_NS

    def works_on(self, day: date) -> bool:
        """Whether a production day is a working day."""
        return day.weekday() in self._days and day not in self._holidays

    def shifts(self, day: date) -> list[tuple[str, list[Span]]]:
        """The shifts of a production day without its breaks, ns since 1970 UTC; none of a day off."""
        start_ns, _ = self.day_span(day)
        named = self._shifts if self.works_on(day) else []
        return [(name, [(start_ns + low, start_ns + high) for low, high in spans]) for name, spans in named]

    def works(self, time_ns: int) -> bool:
        """Whether a moment lies in a shift and in no break."""
        return any(start_ns <= time_ns < end_ns for start_ns, end_ns in self._around(time_ns, time_ns))

    def working(self, start_ns: int, end_ns: int) -> list[Span]:
        """Working time within a span, disjoint, oldest first, ns since 1970 UTC."""
        spans = ((max(start_ns, low), min(end_ns, high)) for low, high in self._around(start_ns, end_ns))
        return _merged([(low, high) for low, high in spans if low < high])

    def working_ns(self, start_ns: int, end_ns: int) -> int:
        """How much of a span is working time, ns."""
        return sum(high - low for low, high in self.working(start_ns, end_ns))

    def _local(self, time_ns: int) -> int:
        """Ns since the production day of 1970-01-01 began."""
        return time_ns + KST_NS - self._day_start_ns

    def _around(self, start_ns: int, end_ns: int) -> Iterator[Span]:
        """Working time of the production days that touch a span, oldest first, disjoint within a day, ns since 1970."""
        for day in range(self._local(start_ns) // _DAY_NS - 1, self._local(end_ns) // _DAY_NS + 1):
            if self.works_on(_EPOCH + timedelta(days=day)):
                began_ns = day * _DAY_NS - self._local(0)
                yield from ((began_ns + low, began_ns + high) for low, high in self._working)

    def _span(self, start: str, end: str) -> Span:
        """A span of the production day, ns since it began."""
        low = (minutes_of(start) * _MINUTE_NS - self._day_start_ns) % _DAY_NS
        length = (minutes_of(end) - minutes_of(start)) * _MINUTE_NS % _DAY_NS
        return low, low + (length or _DAY_NS)


def _merged(spans: list[Span]) -> list[Span]:
    """The same time in disjoint spans, oldest first."""
    merged: list[Span] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _without(spans: list[Span], holes: list[Span]) -> list[Span]:
    """What holes leave of spans; both disjoint and in order."""
    for hole_low, hole_high in holes:
        pieces = [((low, min(high, hole_low)), (max(low, hole_high), high)) for low, high in spans]
        spans = [(low, high) for pair in pieces for low, high in pair if low < high]
    return spans
