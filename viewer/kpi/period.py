"""Periods of reports in production days. A day, a month and a year begin when the first production day of them does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pipelines.calendar import Calendar, Span


def days(calendar: Calendar, first: date, last: date) -> Span:
    """From the first production day to the end of the last one, ns since 1970 UTC.

    Raises:
        ValueError: the last day is before the first one.
    """
    if last < first:
        msg = f"{last} is before {first}"
        raise ValueError(msg)
    return calendar.day_span(first)[0], calendar.day_span(last)[1]


def month(calendar: Calendar, year: int, number: int) -> Span:
    """The production days of a month, ns since 1970 UTC."""
    after = date(year + number // 12, number % 12 + 1, 1)
    return days(calendar, date(year, number, 1), after - timedelta(days=1))


def by_day(calendar: Calendar, period: Span) -> Iterator[tuple[date, Span]]:
    """A period cut at the beginnings of production days, oldest first: its parts add up to it."""
    start_ns, end_ns = period
    while start_ns < end_ns:
        day = calendar.production_day(start_ns)
        until_ns = min(end_ns, calendar.day_span(day)[1])
        yield day, (start_ns, until_ns)
        start_ns = until_ns
