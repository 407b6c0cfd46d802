"""A machine's states over time: what is not known is blank or 통신두절, never another state."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipelines.point import BAD_NO_COMMUNICATION
from viewer.overview import NS
from viewer.states import draw_states, raw_runs, runs, within
from viewer.stores.base import Place, Points, StoredGap
from viewer.words import Words

WORDS = Words("ko")


def seconds(*pairs: tuple[float, int], start_s: float = 0, end_s: float = 600) -> list[tuple[float, float, int]]:
    times = np.array([round(at * NS) for at, _ in pairs], dtype=np.int64)
    codes = np.array([code for _, code in pairs], dtype=np.int64)
    found = runs(Points(times, codes), round(start_s * NS), round(end_s * NS))
    return [(begin / NS, end / NS, state) for begin, end, state in found]


def test_nothing_told_is_nothing_drawn() -> None:
    assert seconds() == []
    assert draw_states([], (), 0, 10, WORDS, "x").empty


def test_a_state_holds_until_the_next_and_told_again_it_is_one_stretch() -> None:
    assert seconds((0, 1), (60, 1), (70, 4), (130, 4), end_s=140) == [(0, 70, 1), (70, 140, 4)]


def test_silence_is_blank() -> None:
    assert seconds((0, 1), (60, 1), (500, 1), end_s=510) == [(0, 150, 1), (500, 510, 1)]


def test_what_was_told_before_the_start_holds_on() -> None:
    assert seconds((-50, 1), (10, 4), end_s=20) == [(0, 10, 1), (10, 20, 4)]
    assert seconds((-95, 1), (10, 4), end_s=20) == [(10, 20, 4)]


NONE = Points(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def points(*pairs: tuple[float, int]) -> Points:
    return Points(np.array([round(at * NS) for at, _ in pairs]), np.array([value for _, value in pairs]))


def raw_seconds(values: Points, *told: tuple[int, int, int], on_change: bool, bad: Points = NONE) -> list[Any]:
    known = [(begin * NS, end * NS, state) for begin, end, state in told]
    code = {1: 1, 3: 4}.get
    found = raw_runs(values, bad, lambda one: code(one, 0), known, (0, 600 * NS), on_change=on_change)  # type: ignore[call-overload]
    return [(begin // NS, end // NS, state) for begin, end, state in found]


def test_of_the_time_before_states_were_derived_the_raw_tag_says_them() -> None:
    assert raw_seconds(points((10, 1), (100, 3)), (400, 600, 2), on_change=True) == [(10, 100, 1), (100, 400, 4)]
    polled = points(*((at, 1) for at in range(0, 100, 2)), *((at, 3) for at in range(300, 400, 2)))
    assert raw_seconds(polled, (390, 600, 2), on_change=False) == [(0, 98, 1), (300, 390, 4)]
    assert raw_seconds(points((10, 1)), on_change=True, bad=points((50, BAD_NO_COMMUNICATION))) == [
        (10, 50, 1),
        (50, 600, 0),
    ]


def test_the_raw_tag_says_nothing_of_time_whose_state_is_known_nor_of_silence_behind_it() -> None:
    told = (0, 200, 2), (500, 600, 2)
    assert raw_seconds(points((10, 1)), *told, on_change=True) == []
    assert raw_seconds(points((10, 1), (300, 3)), *told, on_change=True) == [(300, 500, 4)]


def test_what_is_drawn_lies_within_the_picture() -> None:
    assert within([(50, 90, 2), (0, 20, 1), (20, 30, 4)], 25, 60) == [(25, 30, 4), (50, 60, 2)]


@pytest.mark.parametrize("state", range(9))
def test_every_state_has_its_word_and_its_colour(state: int) -> None:
    svg = ET.fromstring(draw_states([(0, 600 * NS, state)], (), 0, 600 * NS, WORDS, '"<x>').svg)  # noqa: S314
    band = svg.find(f"rect[@class='s{state}']")
    assert band is not None
    assert band.findtext("title") == WORDS.state(state)
    assert svg.findtext(f"text[@class='band-word on{state}']") == WORDS.state(state)
    assert svg.get("aria-label") == '"<x>'


def test_the_legend_holds_the_states_that_are_drawn() -> None:
    assert draw_states([(0, 1, 4), (1, 2, 1), (2, 3, 4)], (), 0, 600 * NS, WORDS, "x").states == (1, 4)


def test_a_narrow_stretch_has_no_room_for_its_word() -> None:
    svg = ET.fromstring(draw_states([(0, NS, 4)], (), 0, 600 * NS, WORDS, "x").svg)  # noqa: S314
    assert svg.find("text[@class='band-word on4']") is None


def test_gaps_that_overlap_are_shaded_once() -> None:
    place = Place("C", "S", "", "M", "gap")
    gaps = [
        StoredGap(place, "state", cause, start * NS, end, None, filled=False)
        for cause, start, end in (("b<", 10, 30 * NS), ("a", 20, 40 * NS), ("open", 100, None))
    ]
    svg = ET.fromstring(draw_states([(0, NS, 1)], gaps, 0, 600 * NS, WORDS, "x").svg)  # noqa: S314
    titles = [rect.findtext("title") for rect in svg.findall("rect[@class='gap']")]
    assert titles == ["수집 공백: a, b<", "수집 공백: open"]
