"""A machine's states over time: what is not known is blank or 통신두절, never another state."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from viewer.catalog import MachineInfo
from viewer.overview import NS
from viewer.states import draw_states, runs
from viewer.stores.base import Place, Points, StoredGap
from viewer.words import Words

WORDS = Words("ko")
CODE = MachineInfo("", "", "", "M").state_code


def points(*pairs: tuple[float, Any]) -> Points:
    times = np.array([round(at * NS) for at, _ in pairs], dtype=np.int64)
    return Points(times, np.array([value for _, value in pairs], dtype=object))


def seconds(
    values: Points, quality: Points, end_s: float, *, on_change: bool = False
) -> list[tuple[float, float, int]]:
    found = runs(values, quality, CODE, int(end_s * NS), on_change=on_change)
    return [(start / NS, end / NS, state) for start, end, state in found]


def test_nothing_collected_is_nothing_drawn() -> None:
    assert seconds(points(), points(), 10) == []
    assert draw_states([], (), 0, 10, WORDS, "x").empty


def test_equal_readings_are_one_stretch() -> None:
    every = points(*((n, 1 if n < 5 else 4) for n in range(10)))
    assert seconds(every, points(), 10) == [(0, 5, 1), (5, 10, 4)]


def test_a_bad_reading_is_communication_lost_until_a_good_one() -> None:
    every = points(*((n, 1) for n in (0, 1, 2, 400, 401)))
    bad = points((3, 0x8031_0000))
    assert seconds(every, bad, 402) == [(0, 3, 1), (3, 400, 0), (400, 402, 1)]


def test_an_uncertain_reading_keeps_its_state() -> None:
    assert seconds(points((0, 1), (1, 1)), points((1, 0x4090_0000)), 2) == [(0, 2, 1)]


def test_silence_is_blank_for_polled_states_and_holds_for_those_on_change() -> None:
    every = points(*((n, 1) for n in range(10)), *((n, 1) for n in range(500, 510)))
    assert seconds(every, points(), 510) == [(0, 9, 1), (500, 510, 1)]
    assert seconds(every, points(), 510, on_change=True) == [(0, 510, 1)]
    assert seconds(points((0, 1)), points(), 3600) == [(0, 0, 1)]


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
