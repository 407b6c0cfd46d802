"""A power that is held: what a reading means that comes when its value was held beyond its time already."""

from __future__ import annotations

from pipelines.derive.energy.span import HOUR_NS, Power
from pipelines.point import BAD_NO_COMMUNICATION, GOOD

S = 10**9


def test_a_change_that_comes_after_the_hour_was_told_holds_from_there() -> None:
    meter = Power(held=True, max_gap_ns=60 * S)
    assert meter.take(0, 100.0, GOOD) is None
    hour = meter.until(HOUR_NS)
    assert hour is not None
    assert hour.kwh(0, HOUR_NS) == 100.0
    assert meter.take(HOUR_NS - 2 * S, 0.0, GOOD) is None
    after = meter.until(2 * HOUR_NS)
    assert after is not None
    assert after.kwh(HOUR_NS, 2 * HOUR_NS) == 0.0


def test_a_reading_older_than_the_last_one_changes_nothing() -> None:
    meter = Power(held=True, max_gap_ns=60 * S)
    meter.take(10 * S, 100.0, GOOD)
    assert meter.take(5 * S, 0.0, GOOD) is None
    span = meter.take(20 * S, 100.0, GOOD)
    assert span is not None
    assert span.start_kw == 100.0


def test_a_bad_reading_ends_what_holds_whatever_its_time() -> None:
    meter = Power(held=True, max_gap_ns=60 * S)
    meter.take(10 * S, 100.0, GOOD)
    assert meter.take(10 * S, 0, BAD_NO_COMMUNICATION) is None
    assert meter.until(HOUR_NS) is None
