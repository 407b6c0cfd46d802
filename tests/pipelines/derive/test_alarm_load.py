"""Figures of alarm load, by hand."""

from __future__ import annotations

from typing import Final

from pipelines.derive.alarm_load import chattering, flooded, lately, stale

S: Final = 10**9
MINUTE: Final = 60 * S
DAY: Final = 86_400 * S


def test_the_last_ten_minutes() -> None:
    raised = [1 * MINUTE, 5 * MINUTE, 11 * MINUTE]
    assert lately(raised, 11 * MINUTE) == 2  # the first one is ten minutes ago
    assert lately(raised, 30 * MINUTE) == 0


def test_eleven_in_ten_minutes_is_a_flood_and_ten_is_none() -> None:
    raised = [number * 60 * S for number in range(11)]  # the first one is ten minutes before the last
    assert not flooded(raised, raised[-1])
    assert flooded([1, *raised[1:]], raised[-1])


def test_three_in_a_minute_chatter() -> None:
    fast, slow = [0, 20 * S, 59 * S], [0, 30 * S, 60 * S]
    assert chattering({"fast": fast, "slow": slow, "once": [0]}) == ["fast"]


def test_more_than_a_day_is_stale() -> None:
    assert stale({"old": 0, "new": 1}, DAY + 1) == ["old"]
