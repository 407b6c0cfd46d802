"""The table of Korean holidays against the rules of the Public Holidays Act, and the calendar with it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.calendar import Calendar
from pipelines.derive.settings import CalendarSettings
from pipelines.errors import ConfigError
from pipelines.holidays import load

TABLE = load()
DAY = timedelta(days=1)
SATURDAY, SUNDAY = 5, 6
FIXED = {
    (1, 1): None,
    (3, 1): 2022,
    (5, 5): 2015,
    (6, 6): None,
    (8, 15): 2021,
    (10, 3): 2021,
    (10, 9): 2021,
    (12, 25): 2023,
}
"""Month and day, and since when a substitute follows one on a weekend or on another holiday; None = never."""
SINCE_2026 = {(5, 1): 2026, (7, 17): 2026}
SEOLLAL = [(2024, 2, 10), (2025, 1, 29), (2026, 2, 17), (2027, 2, 7), (2028, 1, 27), (2029, 2, 13), (2030, 2, 3)]
CHUSEOK = [(2024, 9, 17), (2025, 10, 6), (2026, 9, 25), (2027, 9, 15), (2028, 10, 3), (2029, 9, 22), (2030, 9, 12)]
BUDDHA = [(2024, 5, 15), (2025, 5, 5), (2026, 5, 24), (2027, 5, 13), (2028, 5, 2), (2029, 5, 20), (2030, 5, 9)]
OTHERS = {
    date(2024, 4, 10), date(2024, 10, 1), date(2025, 1, 27), date(2025, 6, 3), date(2026, 6, 3), date(2028, 4, 12),
    date(2030, 3, 27), date(2030, 6, 12), date(2024, 5, 1), date(2025, 5, 1),
}  # fmt: skip
"""Elections, days that the government added, and 근로자의 날 before it was a public holiday."""


def by_the_act() -> set[date]:
    """Article 2, and the substitutes of article 3: the next day that is no holiday and no weekend."""
    found, moved = set(OTHERS), []
    feasts = [date(*day) + step * DAY for day in SEOLLAL + CHUSEOK for step in (-1, 0, 1)]
    single = [date(*day) for day in BUDDHA]
    for year in range(2024, 2031):
        of_year = FIXED | (SINCE_2026 if year >= 2026 else {})
        days = [(date(year, *day), since) for day, since in of_year.items()]
        found |= {day for day, _ in days}
        single += [day for day, since in days if since is not None]
    for day in single:
        shared = day in feasts or single.count(day) > 1
        if day.weekday() >= SATURDAY or shared:
            moved.append(day)
    moved += [day for day in feasts if day.weekday() == SUNDAY]
    found |= set(feasts) | set(single)
    for day in sorted(set(moved)):
        after = day + DAY
        while after in found or after.weekday() >= SATURDAY:
            after += DAY
        found.add(after)
    return found


def test_the_table_is_what_the_act_says() -> None:
    assert set(TABLE.days) == by_the_act()
    assert all(TABLE.first <= day <= TABLE.last for day in TABLE.days)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2024, 2, 12), "대체공휴일 (설날)"),
        (date(2024, 5, 6), "대체공휴일 (어린이날)"),
        (date(2025, 10, 8), "대체공휴일 (추석)"),
        (date(2026, 8, 17), "대체공휴일 (광복절)"),
        (date(2027, 12, 27), "대체공휴일 (성탄절)"),
        (date(2028, 10, 5), "대체공휴일 (추석)"),
    ],
)
def test_substitutes(day: date, name: str) -> None:
    assert TABLE.days[day].ko == name
    assert TABLE.days[day].en


def test_where_the_table_ends_is_known() -> None:
    assert TABLE.knows(date(2024, 1, 1), date(2030, 12, 31))
    assert not TABLE.knows(date(2023, 12, 31), date(2024, 1, 5))
    assert not TABLE.knows(date(2030, 12, 1), date(2031, 1, 1))


def test_a_calendar_with_holidays() -> None:
    """In the week of 추석 2026, Thursday to Saturday, three days are worked, the night of Wednesday to its end."""
    shifts = [{"name": "주간", "from": "08:00", "to": "20:00"}, {"name": "야간", "from": "20:00", "to": "08:00"}]
    settings = CalendarSettings.model_validate({"shifts": shifts, "breaks": ["12:00-13:00"]})
    calendar, plain = Calendar(settings, TABLE), Calendar(settings)
    hour = 3600 * 10**9
    week = calendar.day_span(date(2026, 9, 21))[0], calendar.day_span(date(2026, 9, 27))[1]
    assert plain.working_ns(*week) == 5 * 23 * hour
    assert calendar.working_ns(*week) == 3 * 23 * hour
    start_ns, end_ns = calendar.day_span(date(2026, 9, 24))
    assert calendar.works(start_ns - 1)
    assert not calendar.works(start_ns)
    assert calendar.working(start_ns - hour, end_ns) == [(start_ns - hour, start_ns)]
    assert calendar.shifts(date(2026, 9, 24)) == []
    (day, spans), (night, _) = calendar.shifts(date(2026, 9, 21))
    assert (day, night, spans) == (
        "주간",
        "야간",
        [(week[0], week[0] + 4 * hour), (week[0] + 5 * hour, week[0] + 12 * hour)],
    )


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    bad = tmp_path / "holidays.yaml"
    bad.write_text("days: [2024-01-01]", encoding="utf-8")
    with pytest.raises(ConfigError, match="no table of holidays"):
        load(bad)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")
