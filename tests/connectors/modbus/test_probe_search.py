"""Readable addresses are found exactly where asked, with few requests, whatever the device refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.modbus.probe.search import GRAIN, Area, Search


def look(search: Search, there: set[int], most: int = 125, even: bool = False) -> Search:
    """Answer like a device that has the addresses `there`, gives at most `most`, or only even pairs."""
    while (asked := search.next()) is not None:
        first, count = asked
        assert 1 <= count <= search.block
        good = count <= most and there.issuperset(range(first, first + count))
        good = good and not (even and (first % 2 or count % 2))
        (search.granted if good else search.refused)()
    return search


@pytest.mark.parametrize(
    ("there", "more", "requests"),
    [
        (set(range(200)), {}, 7),
        (set(), {}, 70),
        (set(range(200)) - {77}, {}, 20),
        (set(range(100)), {}, 60),
        (set(range(1, 100)), {}, 70),
        (set(range(200)), {"most": 10}, 30),
        (set(range(90)), {"even": True}, 60),
    ],
    ids=["all", "none", "hole", "half", "from one", "at most 10", "pairs"],
)
def test_few_requests(there: set[int], more: dict[str, int], requests: int) -> None:
    search = look(Search([Area("holding", 0, 199)], 32), there, **more)  # type: ignore[arg-type]
    assert search.readable == there
    assert search.asked <= requests


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(1, 40)), max_size=5), st.integers(1, 64))
@settings(max_examples=150, deadline=None)
def test_asked_areas_are_found_to_the_last_address(parts: list[tuple[int, int]], block: int) -> None:
    there = {address for first, count in parts for address in range(first, first + count)}
    search = look(Search([Area("input", 0, 159)], block, 1), there)
    assert search.readable == there
    assert search.asked <= 2 * 160


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(2 * GRAIN, 60)), max_size=3))
@settings(max_examples=100, deadline=None)
def test_long_ranges_are_found_whole(parts: list[tuple[int, int]]) -> None:
    there = {address for first, count in parts for address in range(first, first + count)}
    assert look(Search([Area("input", 0, 191)], 32), there).readable == there


def test_a_shorter_limit_is_learnt() -> None:
    search = look(Search([Area("holding", 0, 199)], 32), set(range(200)), most=10)
    assert search.block == 8


def test_stop() -> None:
    search = Search([Area("holding", 0, 199)], 32)
    assert search.next() == (0, 32)
    search.granted()
    search.stop()
    assert search.next() is None
    assert search.ranges() == [(0, 31)]
