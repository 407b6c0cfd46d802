"""The plant's own calendar: it begins on a Monday at 08:00, whatever the wall clock says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final

DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
START_S: Final = 8 * 3600
"""Seconds since Monday 00:00 when the plant starts."""
WEEKDAYS: Final = (0, 1, 2, 3, 4)


def span_s(text: str) -> tuple[int, int]:
    """`HH:MM-HH:MM` as seconds since midnight; an end at or before the start is on the next day.

    Raises:
        ValueError: not of that form.
    """
    first, _, last = text.partition("-")
    start_s, end_s = _time_s(first), _time_s(last)
    return start_s, end_s if end_s > start_s else end_s + DAY_S


def _time_s(text: str) -> int:
    hour, colon, minute = text.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and int(hour) <= 24 and int(minute) < 60):  # noqa: PLR2004
        raise ValueError(f"{text!r} is no time of day HH:MM")
    return int(hour) * 3600 + int(minute) * 60


def working(shifts: Iterable[str], breaks: Iterable[str], days: Sequence[int] = WEEKDAYS) -> Callable[[float], int]:
    """A function of seconds since the start: 1 while a shift works, 0 in a break or outside of every shift.

    Args:
        shifts: `HH:MM-HH:MM`; one that ends at or before its start ends on the next day.
        breaks: as these, of every shift.
        days: weekdays on which a shift begins, 0 = Monday.

    Raises:
        ValueError: a time is not of that form.
    """
    at_work = [False] * (WEEK_S // 60)
    for spans, value in ((list(map(span_s, shifts)), True), (list(map(span_s, breaks)), False)):
        for day in days if value else range(7):
            for start_s, end_s in spans:
                for minute in range(start_s // 60, end_s // 60):
                    at_work[(day * DAY_S // 60 + minute) % len(at_work)] = value
    bounds = [minute * 60 for minute in range(len(at_work)) if at_work[minute] != at_work[minute - 1]]
    after = [int(at_work[bound // 60]) for bound in bounds] or [int(at_work[0])]
    return lambda t: after[bisect_right(bounds, (START_S + t) % WEEK_S) - 1]
