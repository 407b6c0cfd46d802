"""How much alarms ask of people, by hand."""

from __future__ import annotations

import pytest

from viewer.kpi.alarm_load import busiest, load

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DAY = (0, 24 * HOUR)


def test_a_flood_by_hand() -> None:
    """Twelve of one kind within 275 s and three others, in two watched hours: 7.5 an hour, one window of twelve."""
    flood = [(HOUR + n * 25 * 10**9, "a") for n in range(12)]
    found = load([*flood, (0, "b"), (5, "c"), (90 * MINUTE, "b")], [(0, 2 * HOUR)], DAY)
    assert (found.count, found.per_hour, found.busiest) == (15, 7.5, (12, HOUR))
    assert found.flood == pytest.approx(100 / 12)
    assert found.frequent == (("a", 12), ("b", 2), ("c", 1))
    assert found.chattering == ("a",)
    assert found.top_share is None, "three kinds: a share of ten would be all"
    assert found.cover == pytest.approx(2 / 24 * 100)
    assert found.indicative


def test_ten_in_ten_minutes_are_no_flood() -> None:
    assert load([(n * MINUTE, "a") for n in range(10)], [DAY], DAY).flood == 0
    assert load([(n * MINUTE // 2, "a") for n in range(11)], [DAY], DAY).flood == pytest.approx(100 / 144)


def test_the_ten_most_frequent_of_many() -> None:
    raised = [(n * MINUTE, kind) for kind in range(12) for n in range(12 - kind)]
    found = load(raised, [DAY], DAY)
    assert (found.count, len(found.frequent)) == (78, 10)
    assert found.top_share == pytest.approx(75 / 78 * 100)
    assert not found.indicative


def test_what_nobody_watched_has_no_rate() -> None:
    found = load([(1, "a")], [], DAY)
    assert (found.per_hour, found.flood, found.cover, found.indicative) == (None, None, 0.0, False)
    calm = load([], [DAY], DAY)
    assert (calm.per_hour, calm.flood, calm.busiest) == (0.0, 0.0, None)


def test_the_busiest_ten_minutes_slide() -> None:
    assert busiest([0, 9 * MINUTE, 10 * MINUTE, 11 * MINUTE]) == (3, 9 * MINUTE)
    assert busiest([]) is None
