"""TWA and STEL: the oracle, gaps told honestly, restarts."""

from __future__ import annotations

from typing import Final

import pytest
from pydantic import ValidationError

from pipelines.derive.exposure import ExposureRule
from pipelines.derive.exposure_limits import ExposureSettings, Limits, limits_table
from pipelines.derive.rule import Derived, Ref
from pipelines.point import BAD_NO_COMMUNICATION, GOOD

S: Final = 10**9
T0: Final = 1_750_000_500 * S // (900 * S) * 900 * S
REF: Final = Ref("GD-02", "nh3")


def rule() -> ExposureRule:
    return ExposureRule(ExposureSettings(machine="GD-02", tag="nh3", substance="NH3", stel=35))


def at(points: list[Derived], seconds: float, field: str) -> object:
    return next(one.fields.get(field) for one in points if one.time_ns == T0 + int(seconds * S))


def take(one: ExposureRule, seconds: float, value: float, status: int = GOOD) -> None:
    one.take(REF, T0 + int(seconds * S), value, status)


def tick(one: ExposureRule, start_s: int, end_s: int) -> list[Derived]:
    for seconds in range(start_s, end_s + 1, 10):
        one.tick(T0 + seconds * S)
    return one.lines()


def test_the_oracle() -> None:
    """6 h at 20 ppm and 2 h at 90 ppm are 37.5 ppm (domain.md §10.7)."""
    one = rule()
    take(one, 0, 20)
    points = tick(one, 10, 6 * 3600)
    take(one, 6 * 3600, 90)
    points += tick(one, 6 * 3600 + 10, 8 * 3600)
    assert at(points, 8 * 3600, "twa") == pytest.approx(37.5)
    assert at(points, 8 * 3600, "twa_at_least") == pytest.approx(37.5)
    assert at(points, 8 * 3600, "twa_coverage") == 1.0
    assert at(points, 8 * 3600, "twa_of_limit") == pytest.approx(1.5)
    assert at(points, 8 * 3600, "stel") == pytest.approx(90)


def test_the_15_minute_mean_moves_each_minute() -> None:
    one = rule()
    take(one, 0, 10)
    points = tick(one, 10, 1200)
    take(one, 1200, 40)
    points += tick(one, 1210, 1200 + 300)
    assert at(points, 1200, "stel") == pytest.approx(10)
    assert at(points, 1200 + 300, "stel") == pytest.approx((10 * 10 + 5 * 40) / 15)
    assert at(points, 1200 + 300, "stel_of_limit") == pytest.approx(20 / 35)


def test_what_is_unknown_counts_for_nothing() -> None:
    one = rule()
    take(one, 0, 30)
    points = tick(one, 10, 600)
    take(one, 600, 0, BAD_NO_COMMUNICATION)
    points += tick(one, 610, 900)
    assert at(points, 900, "stel_coverage") == pytest.approx(10 / 15)
    assert at(points, 900, "stel") is None
    assert at(points, 900, "twa") is None
    assert at(points, 900, "twa_at_least") == pytest.approx(30 * 600 / 28_800)
    take(one, 900, 30)
    points = tick(one, 910, 1080)
    assert at(points, 1080, "stel_coverage") == pytest.approx(10 / 15)
    points = tick(one, 1090, 1320)
    assert at(points, 1320, "stel_coverage") == pytest.approx(10 / 15)
    points = tick(one, 1330, 1620)
    assert at(points, 1500, "stel") is None
    assert (at(points, 1620, "stel"), at(points, 1620, "stel_coverage")) == (pytest.approx(30), pytest.approx(0.8))


def test_without_a_sample_there_is_no_value() -> None:
    one = rule()
    assert tick(one, 0, 3600) == []
    take(one, 3600, 0, BAD_NO_COMMUNICATION)
    assert tick(one, 3610, 7200) == []


def test_time_without_the_agent_is_unknown() -> None:
    one = rule()
    take(one, 0, 30)
    tick(one, 10, 900)
    again = rule()
    again.restore(one.state())
    again.tick(T0 + 1800 * S)
    points = again.lines()
    assert at(points, 1800, "stel_coverage") == 0
    assert at(points, 1800, "stel") is None
    assert at(points, 1800, "twa_coverage") == pytest.approx(900 / 28_800)


def test_a_value_does_not_hold_while_the_computer_slept() -> None:
    one = rule()
    take(one, 0, 30)
    tick(one, 10, 60)
    one.tick(T0 + 900 * S)
    points = one.lines()
    assert at(points, 900, "stel_coverage") == pytest.approx(1 / 15)
    assert at(points, 900, "twa_at_least") == pytest.approx(30 * 60 / 28_800)


def test_a_restart_at_a_whole_minute_changes_nothing() -> None:
    one, other = rule(), rule()
    for number in range(4000):
        take(one, number * 7, number % 50)
        take(other, number * 7, number % 50)
        assert other.lines() == one.lines()
        if number * 7 % 60 == 0 and (kept := other.state()):
            other = rule()
            other.restore(kept)
            take(other, number * 7, number % 50)


def test_a_day_later_all_is_new() -> None:
    one = rule()
    take(one, 0, 30)
    tick(one, 10, 3600)
    one.tick(T0 + 86_400 * S)
    take(one, 86_400, 5)
    points = tick(one, 86_410, 86_400 + 900)
    assert at(points, 86_400 + 900, "stel") == pytest.approx(5)
    assert at(points, 86_400 + 900, "twa_coverage") == pytest.approx(900 / 28_800)


def test_the_table_says_where_it_is_from() -> None:
    for name, one in limits_table().items():
        assert one.source, name
        assert one.stel is None or one.stel > one.twa, name
    assert [(name, one.valid_from) for name, one in limits_table().items() if one.verified] == [("toluene", "2008")]


def test_a_verified_limit_says_since_when() -> None:
    with pytest.raises(ValidationError, match="add valid_from"):
        Limits(ko="가", en="A", unit="ppm", twa=1, verified=True, source="x")


def test_state_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="exposure/GD-02/nh3"):
        rule().restore(b'{"lamps":1}')
