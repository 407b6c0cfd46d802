"""Spans beside the one that is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from viewer.zoom import LEAST_NS, address, beside

S = 10**9
DAY = 86_400 * S


def test_from_the_last_ten_minutes_one_goes_back_in_and_out() -> None:
    now = 1000 * DAY
    assert beside((now - 600 * S, now), now, DAY) == {
        "earlier": (now - 900 * S, now - 300 * S),
        "later": None,
        "narrower": (now - 450 * S, now - 150 * S),
        "wider": (now - 1200 * S, now),
    }


def test_there_is_an_end_in_each_direction() -> None:
    now = 1000 * DAY
    found = beside((now - DAY - 100 * S, now - 100 * S), now, DAY)
    assert found["later"] == (now - DAY, now), "only as far as now"
    assert found["wider"] is None
    assert beside((now - 15 * S, now), now, DAY)["narrower"] is None
    assert beside((0, 600 * S), now, DAY)["earlier"] is None
    assert address((5_000_000, 7_999_999)) == "from=5&to=7"


@given(st.integers(10**6, 10 * DAY), st.integers(0, 5 * DAY))
def test_every_span_is_one_that_can_be_shown(length: int, ago: int) -> None:
    now = 1000 * DAY
    span = (now - ago - length, now - ago)
    for name, one in beside(span, now, 8 * DAY).items():
        if one is not None:
            assert 0 <= one[0] < one[1] <= now
            assert one != span
            assert one[1] - one[0] >= LEAST_NS or name != "narrower"
