"""Figures of alarm load, by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from pipelines.derive.alarm_load import (
    FLOOD,
    chattering,
    floods,
    lately,
    per_window,
    split,
    stale,
)

S: Final = 10**9
MINUTE: Final = 60 * S
DAY: Final = 86_400 * S


def every(step_s: int, count: int, start_s: int = 0) -> list[int]:
    return [(start_s + number * step_s) * S for number in range(1, count + 1)]


def test_the_last_ten_minutes() -> None:
    raised = [1 * MINUTE, 5 * MINUTE, 11 * MINUTE]
    assert lately(raised, 11 * MINUTE) == 2  # the first one is ten minutes ago
    assert lately(raised, 30 * MINUTE) == 0


def test_144_a_day_is_one_in_ten_minutes() -> None:
    assert per_window(every(600, 144), 0, DAY) == 1.0
    assert per_window([], 0, DAY) == 0.0
    assert per_window([], 5, 5) is None


def test_eleven_in_ten_minutes_is_a_flood_and_ten_is_none() -> None:
    assert floods(every(60, 100)) == []  # ten in each ten minutes
    # Twelve, 50 s apart: the eighth leaves the ten minutes at 400 + 600 s, and four are left.
    assert floods(every(50, 12)) == [(50 * S, 1000 * S, 12)]


def test_two_floods() -> None:
    raised = every(10, 20) + every(10, 15, 7200)
    assert [one.alarms for one in floods(raised)] == [20, 15]


def test_three_in_a_minute_chatter() -> None:
    fast, slow = [0, 20 * S, 59 * S], [0, 30 * S, 60 * S]
    assert chattering({"fast": fast, "slow": slow, "once": [0]}) == ["fast"]


def test_more_than_a_day_is_stale() -> None:
    assert stale({"old": 0, "new": 1}, DAY + 1) == ["old"]


def test_split_by_priority() -> None:
    found = split(["urgent"] + ["important"] * 3 + ["caution"] * 16)
    assert found == {"caution": 0.8, "important": 0.15, "urgent": 0.05}
    assert split([]) == {}


@given(st.lists(st.integers(1, 7200), max_size=80).map(sorted))
def test_a_flood_is_where_more_than_ten_came(seconds: list[int]) -> None:
    raised = [one * S for one in seconds]
    found = floods(raised)
    worst = max((lately(raised, one) for one in raised), default=0)
    assert bool(found) == (worst > FLOOD)
    for before, after in pairwise(found):
        assert before.end_ns < after.end_ns
    for one in found:
        assert lately(raised, one.end_ns) < 5
        assert one.alarms > FLOOD
