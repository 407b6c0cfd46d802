"""Working time in Korean Standard Time; domain.md §10, oracle 9."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.calendar import Calendar
from pipelines.derive.settings import CalendarSettings

MONDAY = datetime(2026, 9, 7, tzinfo=UTC) - timedelta(hours=9)
"""Midnight of a Monday in Korea."""
MINUTE = 60 * 10**9


def at(text: str, day: int = 0) -> int:
    """`HH:MM` of the Monday, or of a day after it, ns since 1970 UTC."""
    hours, minutes = map(int, text.split(":"))
    return round((MONDAY + timedelta(days=day, hours=hours, minutes=minutes)).timestamp()) * 10**9


def calendar(**keys: object) -> Calendar:
    day = {"name": "주간", "from": "08:00", "to": "20:00"}
    return Calendar(CalendarSettings.model_validate({"shifts": [day], **keys}))


TWO = {
    "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}, {"name": "야간", "from": "20:00", "to": "08:00"}],
    "breaks": ["10:00-10:10", "12:00-13:00", "00:00-00:30"],
}


def test_an_event_over_midnight_belongs_to_the_day_before() -> None:
    days = [calendar(**TWO).production_day(at(text, day)) for text, day in (("23:50", 0), ("00:20", 1), ("08:00", 1))]
    assert days == [date(2026, 9, 7), date(2026, 9, 7), date(2026, 9, 8)]


def test_lunch_is_no_working_time() -> None:
    one = calendar(breaks=["10:00-10:10", "12:00-13:00"])
    assert one.working_ns(at("11:50"), at("13:20")) == 30 * MINUTE
    assert one.working_ns(at("12:10"), at("12:50")) == 0
    assert one.working_ns(at("00:00"), at("00:00", 7)) == 5 * (720 - 70) * MINUTE


@pytest.mark.parametrize(
    ("text", "day", "works"),
    [
        ("08:00", 0, True), ("07:59", 0, True), ("12:00", 0, False), ("13:00", 0, True), ("00:10", 1, False),
        ("00:30", 1, True), ("07:59", 5, True), ("08:00", 5, False), ("00:40", 6, False),
    ],
)  # fmt: skip
def test_a_night_shift_belongs_to_the_day_on_which_it_began(text: str, day: int, works: bool) -> None:
    one = calendar(**TWO, days=[0, 1, 2, 3, 4, 6])
    assert one.works(at(text, day)) is works


def test_a_shift_before_the_day_starts_and_one_over_its_end() -> None:
    early = calendar(shifts=[{"name": "a", "from": "06:00", "to": "09:00"}])
    assert not early.works(at("06:30")), "that is still Sunday's production day"
    assert [early.works(at(text, 1)) for text in ("05:59", "06:00", "08:59", "09:00")] == [False, True, True, False]


SPAN = st.tuples(st.integers(0, 1439), st.integers(1, 1439)).map(
    lambda one: "-".join(f"{m // 60 % 24:02}:{m % 60:02}" for m in (one[0], one[0] + one[1]))
)


@example(["00:00-00:02", "00:01-00:02"], [], "00:01-00:02", 4122)  # over the end of its day, into the next one's
@given(st.lists(SPAN, min_size=1, max_size=3), st.lists(SPAN, max_size=3), SPAN, st.integers(0, 4 * 1440))
def test_working_time_is_the_minutes_that_work(shifts: list[str], breaks: list[str], day: str, start: int) -> None:
    spans = [dict(zip(("from", "to"), one.split("-"), strict=True), name="s") for one in shifts]
    one = calendar(shifts=spans, breaks=breaks, day_start=day[:5], days=[0, 2, 3])
    first = at("00:00") + start * MINUTE
    minutes = sum(one.works(first + minute * MINUTE) for minute in range(200))
    assert one.working_ns(first, first + 200 * MINUTE) == minutes * MINUTE
