"""One minute of one tag."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.derive.minute import MINUTE_NS, Figures, Minute, worse
from pipelines.point import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN

S = 10**9
M0 = 29_000_000 * MINUTE_NS


def test_a_polled_minute_has_the_figures_of_its_readings() -> None:
    minute = Minute(period_s=15.0)
    for second, value in ((0, 10.0), (15, 20.0), (30, 60.0), (45, 30.0)):
        assert minute.take(M0 + second * S, value, GOOD) is None
    assert minute.take(M0 + 60 * S, 1.0, GOOD) == Figures(M0, 10.0, 30.0, 60.0, 30.0, 4, GOOD, 100.0)


def test_what_did_not_come_is_not_covered() -> None:
    minute = Minute(period_s=15.0)
    minute.take(M0, 10.0, GOOD)
    minute.take(M0 + 15 * S, 0.0, BAD_NO_COMMUNICATION)
    assert minute.over(M0 + 60 * S) == Figures(M0, 10.0, 10.0, 10.0, 10.0, 1, BAD_NO_COMMUNICATION, 25.0)


def test_a_value_reported_by_exception_holds_until_the_next_one() -> None:
    minute = Minute(period_s=None)
    minute.take(M0 - 5 * S, 100.0, GOOD)
    ended = minute.take(M0 + 45 * S, 20.0, GOOD)
    assert ended is not None
    assert (ended.start_ns, ended.mean, ended.cover) == (M0 - 60 * S, 100.0, round(500 / 60, 3))
    # 45 s of 100 and 15 s of 20
    assert minute.over(M0 + 60 * S) == Figures(M0, 20.0, 80.0, 100.0, 20.0, 1, GOOD, 100.0)


def test_time_without_a_usable_value_counts_for_nothing() -> None:
    minute = Minute(period_s=None)
    minute.take(M0, 10.0, GOOD)
    minute.take(M0 + 15 * S, 0.0, BAD_NO_COMMUNICATION)
    minute.take(M0 + 45 * S, 40.0, UNCERTAIN)
    assert minute.over(M0 + 61 * S) == Figures(M0, 10.0, 25.0, 40.0, 40.0, 2, BAD_NO_COMMUNICATION, 50.0)


def test_no_value_without_a_reading() -> None:
    minute = Minute(period_s=None)
    minute.take(M0, 7.0, GOOD)
    assert minute.over(M0 + MINUTE_NS) is not None
    assert minute.over(M0 + 5 * MINUTE_NS) is None  # held, and not said: nothing is made up for it
    assert minute.take(M0 + 3 * MINUTE_NS + S, 0.0, BAD_SENSOR_FAILURE) is None
    told = minute.over(M0 + 4 * MINUTE_NS)
    assert told is not None
    assert (told.low, told.mean, told.high, told.last, told.count) == (None, None, None, None, 0)


def test_a_link_that_is_gone_opens_no_minute() -> None:
    """What the device kept for the time before may still come, and counts where it belongs."""
    minute = Minute(period_s=None)
    minute.take(M0, 10.0, GOOD)
    assert minute.take(M0 + 90 * S, 0.0, BAD_NO_COMMUNICATION) is None
    minute.take(M0 + 30 * S, 30.0, GOOD)
    assert minute.take(M0 + 70 * S, 50.0, GOOD) == Figures(M0, 10.0, 20.0, 30.0, 30.0, 2, GOOD, 100.0)
    # From its beginning 30 held; what holds behind second 90 is not known.
    assert minute.over(M0 + 120 * S) == Figures(M0 + MINUTE_NS, 30.0, 130 / 3, 50.0, 50.0, 1, GOOD, 50.0)
    minute.take(M0 + 130 * S, 1.0, GOOD)
    assert minute.over(M0 + 180 * S) == Figures(M0 + 2 * MINUTE_NS, 1.0, 1.0, 1.0, 1.0, 1, GOOD, round(500 / 6, 3))


def test_text_has_a_last_value_only() -> None:
    minute = Minute(period_s=None)
    minute.take(M0, "LOT-1", GOOD)
    minute.take(M0 + 30 * S, "LOT-2", GOOD)
    assert minute.over(M0 + 60 * S) == Figures(M0, None, None, None, "LOT-2", 2, GOOD, 100.0)


def test_a_late_reading_tells_its_minute_again() -> None:
    minute = Minute(period_s=30.0)
    minute.take(M0, 10.0, GOOD)
    assert minute.over(M0 + 60 * S) == Figures(M0, 10.0, 10.0, 10.0, 10.0, 1, GOOD, 50.0)
    assert minute.over(M0 + 61 * S) is None
    minute.take(M0 + 30 * S, 20.0, GOOD)
    assert minute.over(M0 + 62 * S) == Figures(M0, 10.0, 15.0, 20.0, 20.0, 2, GOOD, 100.0)


def test_an_earlier_minute_stays_closed() -> None:
    minute = Minute(period_s=None)
    minute.take(M0, 1.0, GOOD)
    assert minute.take(M0 - S, 9.0, GOOD) is None
    assert minute.over(M0 + MINUTE_NS) == Figures(M0, 1.0, 1.0, 1.0, 1.0, 1, GOOD, 100.0)


def test_bad_is_worse_than_uncertain() -> None:
    assert worse(GOOD, UNCERTAIN) == worse(UNCERTAIN, GOOD) == UNCERTAIN
    assert worse(BAD_NO_COMMUNICATION, UNCERTAIN) == BAD_NO_COMMUNICATION


readings = st.lists(
    st.tuples(
        st.integers(0, 400 * S),
        st.floats(-1e6, 1e6, allow_nan=False),
        st.sampled_from([GOOD, GOOD, GOOD, UNCERTAIN, BAD_NO_COMMUNICATION]),
    ),
    max_size=40,
).map(sorted)


@given(readings, st.sets(st.integers(0, 40)), st.sampled_from([None, 5.0]))
def test_a_restart_anywhere_changes_nothing(
    taken: list[tuple[int, float, int]], restarts: set[int], period_s: float | None
) -> None:
    def told(cuts: set[int]) -> list[Figures | None]:
        minute, found = Minute(period_s), []
        for index, (after_ns, value, status) in enumerate(taken):
            if index in cuts:
                minute = Minute.restored(period_s, orjson.loads(orjson.dumps(minute.state())))
            found.append(minute.take(M0 + after_ns, value, status))
        return [*found, minute.over(M0 + 500 * S)]

    assert told(restarts) == told(set())


@given(readings)
def test_time_weighted_means_add_up_to_the_integral(taken: list[tuple[int, float, int]]) -> None:
    """Over all minutes with a reading: mean x known time = what each value held for, cut at the minutes without one."""
    minute, told = Minute(None), []
    for after_ns, value, status in taken:
        told.append(minute.take(M0 + after_ns, value, status))
    told.append(minute.over(M0 + 500 * S))
    figures = [one for one in told if one is not None and one.mean is not None]
    spoken = {one.start_ns for one in figures}
    expected = 0.0
    for (after_ns, value, status), nxt in zip(taken, [*taken[1:], (500 * S, 0.0, GOOD)], strict=False):
        if status == BAD_NO_COMMUNICATION:
            continue
        for start in spoken:
            held = min(M0 + nxt[0], start + MINUTE_NS) - max(M0 + after_ns, start)
            expected += value * max(0, held) / S
    total = sum((one.mean or 0.0) * one.cover / 100 * 60 for one in figures)
    assert total == pytest.approx(expected, rel=1e-4, abs=0.05 * (1 + max((abs(v) for _, v, _ in taken), default=0)))
