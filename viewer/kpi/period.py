"""Periods of reports in production days. A day, a month and a year begin when the first production day of them does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from pipelines.calendar import KST_NS, Calendar, Span

_DAY_NS: Final = 24 * 3600 * 10**9
_MONTH: Final = re.compile(r"([12]\d{3})-(0[1-9]|1[0-2])")


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


def production_days(period: Span) -> tuple[date, date]:
    """First and last production day of a period that begins with one: a day ends when the next begins."""
    start_ns, end_ns = period
    begins_ns = (start_ns + KST_NS) % _DAY_NS
    last_ns = max(start_ns, end_ns - 1)
    first, last = ((at + KST_NS - begins_ns) // _DAY_NS for at in (start_ns, last_ns))
    epoch = date(1970, 1, 1)
    return epoch + timedelta(days=first), epoch + timedelta(days=last)


NAMED: Final = ("today", "yesterday", "week", "month")
"""Periods that are named by where now lies in them."""


def named(calendar: Calendar, name: str, now_ns: int) -> Span:
    """A period by its name, up to now at most.

    `today` and `yesterday` are production days; a week begins with the production day of a Monday.

    Raises:
        ValueError: it is none of `NAMED`.
    """
    today = calendar.production_day(now_ns)
    match name:
        case "today":
            span = days(calendar, today, today)
        case "yesterday":
            span = days(calendar, today - timedelta(days=1), today - timedelta(days=1))
        case "week":
            span = days(calendar, today - timedelta(days=today.weekday()), today)
        case "month":
            span = month(calendar, today.year, today.month)
        case _:
            msg = f"{name!r} is none of {', '.join(NAMED)}"
            raise ValueError(msg)
    return until_now(span, now_ns)


def until_now(span: Span, now_ns: int) -> Span:
    """A period without what has not come yet; one that has not begun is empty."""
    return min(span[0], now_ns), min(span[1], now_ns)


def written_month(calendar: Calendar, text: str, now_ns: int) -> Span | None:
    """The production days of a month that is written as `2026-11`, up to now at most; None = it is no month."""
    found = _MONTH.fullmatch(text)
    return until_now(month(calendar, int(found[1]), int(found[2])), now_ns) if found else None
