"""Trends as pictures."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from viewer.axes import WIDTH, Axes, scale
from viewer.chart import Level, draw
from viewer.overview import NS
from viewer.stores.base import Place, StoredGap, Trend
from viewer.words import Words

WORDS = Words("ko")
START = 1_700_000_000 * NS


def trend(offsets_s: list[float], values: list[float], bucket_s: float = 2.0, *, whole: bool = False) -> Trend:
    value = np.array(values, dtype=np.float64)
    time_ns = START + (np.array(offsets_s) * NS).astype(np.int64)
    count = np.ones(len(values), dtype=np.int64)
    return Trend(time_ns, value - 1, value, value + 1, count, int(bucket_s * NS), whole=whole)


def picture(found: Trend, gaps: tuple[StoredGap, ...] = (), span_s: int = 600) -> ET.Element:
    return ET.fromstring(draw(found, gaps, START, START + span_s * NS, WORDS, 'a "<b>" &').svg)  # noqa: S314


def test_a_trend_is_a_line_a_band_and_axes() -> None:
    svg = picture(trend([0, 100, 200, 300], [1.0, 5.0, 3.0, 4.0]))
    assert svg.get("aria-label") == 'a "<b>" &'
    assert len(svg.findall("polyline")) == 1
    assert len(svg.findall("polygon")) == 1
    times = [text.text for text in svg.findall("text") if text.get("class", "").startswith("axis time")]
    assert times == ["07:14", "07:16", "07:18", "07:20", "07:22"]
    values = [text.text for text in svg.findall("text") if text.get("class") == "axis value"]
    assert values == ["0", "2", "4", "6"]


def test_levels_that_a_trend_crosses_and_the_nearest_beside_it_are_drawn() -> None:
    """Values of 0 to 6: 3 is crossed, 10 is the nearest above, 200 and what is below -5 would flatten the line."""
    levels = [Level(value, f"{value} <", "l-urgent") for value in (-50.0, -5.0, 3.0, 10.0, 200.0)]
    found = trend([0, 100, 200], [1.0, 5.0, 3.0])
    svg = ET.fromstring(draw(found, (), START, START + 600 * NS, WORDS, "x", levels=levels).svg)  # noqa: S314
    said = [text.text for text in svg.findall("text") if "level-text" in text.get("class", "")]
    assert said == ["-5.0 <", "3.0 <", "10.0 <"]
    heights = [float(line.get("y1", "")) for line in svg.findall("line") if "level " in line.get("class", "")]
    assert heights == sorted(heights, reverse=True)


def test_no_points_no_picture() -> None:
    assert draw(trend([], []), (), START, START + NS, WORDS, "x").empty


def test_one_point_is_a_dot() -> None:
    assert len(picture(trend([10], [5.0])).findall("circle")) == 1


def test_a_line_breaks_at_silence_and_at_a_gap() -> None:
    every = [float(n) for n in range(0, 600, 2) if not 200 < n < 300]
    assert len(picture(trend(every, [1.0] * len(every))).findall("polyline")) == 2
    steady = [float(n) for n in range(0, 600, 2)]
    place = Place("C", "S", "", "M", "gap")
    gaps = (StoredGap(place, "t", "no_communication", START + 100 * NS, START + 101 * NS, None, filled=False),)
    svg = picture(trend(steady, [1.0] * len(steady)), gaps)
    assert len(svg.findall("polyline")) == 2
    assert [title.text for title in svg.iter("title")] == ["수집 공백: no_communication"]


def test_rare_values_are_one_line() -> None:
    assert len(picture(trend([0, 120, 240, 360, 480], [1.0, 2.0, 1.0, 2.0, 1.0])).findall("polyline")) == 1


def test_the_reader_gets_what_is_drawn() -> None:
    chart = draw(trend([0, 100], [1234.5, 2.0]), (), START, START + 600 * NS, WORDS, "x", 1)
    first = orjson.loads(chart.points)[0]
    assert first[1:] == ["07:13:20", "1,234.5", "1,233.5", "1,235.5", 1]


def test_integers_have_no_half_ticks() -> None:
    values = {
        whole: [
            str(text.text)
            for text in picture(trend([0, 100], [71_204.0, 71_204.0], whole=whole)).findall("text")
            if text.get("class") == "axis value"
        ]
        for whole in (True, False)
    }
    assert values[True] == ["71,203", "71,204", "71,205"]
    assert "71,203.5" in values[False]


def test_the_reader_of_integers_gets_integers_and_of_scaled_values_their_decimals() -> None:
    found = trend([0], [71_204.5], whole=True)
    assert orjson.loads(draw(found, (), START, START + NS, WORDS, "x").points)[0][2] == "71,204"
    found = trend([0], [1.121999979019165])
    assert orjson.loads(draw(found, (), START, START + NS, WORDS, "x", 1).points)[0][2:5] == ["1.1", "0.1", "2.1"]
    assert orjson.loads(draw(found, (), START, START + NS, WORDS, "x").points)[0][2] == "1.122"


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=6),
    st.integers(1, 200_000),
)
def test_every_trend_stays_inside_its_picture(values: list[float], span_s: int) -> None:
    offsets = [span_s * n / len(values) for n in range(len(values))]
    svg = picture(trend(offsets, values), span_s=span_s)
    numbers = [float(n) for line in svg.iter("polyline") for n in re.split("[ ,]", line.get("points", ""))]
    assert all(-1 <= x <= WIDTH + 1 for x in numbers[0::2])
    assert all(-1 <= y <= Axes(0, 1).height + 1 for y in numbers[1::2])


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_the_value_axis_holds_the_values(low: float, span: float) -> None:
    first, last, ticks = scale(low, low + span)
    slack = 1e-9 * max(abs(first), abs(last))
    assert first - slack <= low
    assert low + span <= last + slack
    assert 2 <= len(ticks) <= 12
    assert all(math.isfinite(tick) for tick in ticks)


@given(st.integers(-(2**53), 2**53), st.integers(0, 2**53))
def test_the_axis_of_integers_has_integer_ticks(low: int, span: int) -> None:
    _, _, ticks = scale(float(low), float(low + span), whole=True)
    assert all(tick == round(tick) for tick in ticks)
    assert 2 <= len(ticks) <= 12
