"""Periods in production days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines.calendar import Calendar
from pipelines.derive.settings import CalendarSettings
from viewer.kpi.period import by_day, days, month, named, production_days, until_now

CALENDAR = Calendar(
    CalendarSettings.model_validate({"day_start": "08:30", "shifts": [{"name": "a", "from": "08:30", "to": "17:30"}]})
)
DAY = 24 * 3600 * 10**9


def korea(*moment: int) -> int:
    return round((datetime(*moment, tzinfo=UTC) - timedelta(hours=9)).timestamp()) * 10**9  # type: ignore[misc]


def test_a_month_begins_with_its_first_production_day() -> None:
    assert month(CALENDAR, 2026, 2) == (korea(2026, 2, 1, 8, 30), korea(2026, 3, 1, 8, 30))
    assert month(CALENDAR, 2026, 12) == (korea(2026, 12, 1, 8, 30), korea(2027, 1, 1, 8, 30))


def test_days() -> None:
    assert days(CALENDAR, date(2026, 9, 7), date(2026, 9, 7)) == (korea(2026, 9, 7, 8, 30), korea(2026, 9, 8, 8, 30))
    with pytest.raises(ValueError, match="before"):
        days(CALENDAR, date(2026, 9, 7), date(2026, 9, 6))


def test_a_month_is_measured_to_its_last_production_day() -> None:
    """It ends at 08:30 on the first of the next month, which is not a day of it; a day so far is that day."""
    assert production_days(month(CALENDAR, 2026, 11)) == (date(2026, 11, 1), date(2026, 11, 30))
    assert production_days((korea(2026, 9, 7, 8, 30), korea(2026, 9, 8, 8, 29))) == (date(2026, 9, 7), date(2026, 9, 7))
    assert production_days((korea(2026, 9, 7), korea(2026, 9, 9))) == (date(2026, 9, 7), date(2026, 9, 8))


def test_a_period_is_cut_at_the_beginnings_of_days_and_adds_up() -> None:
    period = korea(2026, 9, 7, 7), korea(2026, 9, 9, 9)
    parts = list(by_day(CALENDAR, period))
    assert [day for day, _ in parts] == [date(2026, 9, 6), date(2026, 9, 7), date(2026, 9, 8), date(2026, 9, 9)]
    assert sum(high - low for _, (low, high) in parts) == period[1] - period[0]
    assert [high - low for _, (low, high) in parts][1:3] == [DAY, DAY]
    assert list(by_day(CALENDAR, (5, 5))) == []


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("today", date(2026, 9, 9), None), ("yesterday", date(2026, 9, 8), date(2026, 9, 8)),
        ("week", date(2026, 9, 7), None), ("month", date(2026, 9, 1), None),
    ],
)  # fmt: skip
def test_periods_by_their_names(name: str, first: date, last: date | None) -> None:
    """On Thursday 2026-09-10, 03:00, the production day is still that of Wednesday; nothing lies behind now."""
    now_ns = round(datetime(2026, 9, 9, 18, tzinfo=UTC).timestamp()) * 10**9
    end_ns = now_ns if last is None else CALENDAR.day_span(last)[1]
    assert named(CALENDAR, name, now_ns) == (CALENDAR.day_span(first)[0], end_ns)


def test_what_has_no_name_or_has_not_begun() -> None:
    with pytest.raises(ValueError, match="none of today, yesterday, week, month"):
        named(CALENDAR, "year", 0)
    assert until_now((5, 9), 3) == (3, 3)
    assert until_now((1, 9), 3) == (1, 3)
