"""Pictures of battery tests in SVG: how states of health are spread, and the steps of one test over its time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import orjson
from markupsafe import Markup, escape

from viewer.axes import BOTTOM, RIGHT, TOP, WIDTH, Axes, frame, left_for, scale, tick_texts, time_axis, value_grid
from viewer.battery.record import BatteryTest, StepRow
from viewer.chart import Chart
from viewer.words import Words

STEP: Final = 5
"""Width of a bar, percentage points."""
_USUAL: Final = (50, 100)
"""The picture shows at least these, percent."""
_GAP: Final = 0.12
_BAND: Final = 64
_LETTER: Final = 9.0
_EVERY: Final = 10


def draw_histogram(tests: Sequence[BatteryTest], grades: Sequence[str], limits: Sequence[float], words: Words) -> Chart:
    """Tests by state of health, the parts of a bar by grade; lines stand at the limits of grades.

    Args:
        tests: those without a state of health are left out.
        grades: from the best, as of `Summary.grades`.
        limits: least state of health of each grade, percent.
        words: of the reader.
    """
    counts = Counter((math.floor(one.soh_c / STEP) * STEP, one.grade) for one in tests if one.soh_c is not None)
    if not counts:
        return Chart(Markup(), "[]", empty=True)
    lows = [low for low, _ in counts]
    low, high = min(_USUAL[0], *lows), max(_USUAL[1], max(lows) + STEP)
    heights = {at: sum(n for (bar, _), n in counts.items() if bar == at) for at in range(low, high, STEP)}
    bottom, top, ticks = scale(0.0, float(max(heights.values())), whole=True)
    texts = tick_texts(ticks)
    axes = Axes(low, high, bottom, top, left=left_for(texts))
    parts, rows = value_grid(axes, ticks, texts), []
    for at, height in heights.items():
        left, right = axes.x(at), axes.x(at + STEP)
        room, base = (right - left) * _GAP / 2, 0
        for order, grade in reversed(list(enumerate(grades))):
            if n := counts[at, grade]:
                said = f"{at}-{at + STEP} % {grade} {n}"
                y, y0 = axes.y(base + n), axes.y(base)
                base += n
                parts.append(
                    f'<rect class="{kind_class(order, grades)}" x="{left + room:.1f}" y="{y:.1f}"'
                    f' width="{right - left - 2 * room:.1f}" height="{y0 - y:.1f}"><title>{escape(said)}</title></rect>'
                )
        count = str(height)
        rows.append([round((left + right) / 2, 1), f"{at}-{at + STEP} %", count, count, count, 1])
    for limit in limits:
        if low < limit < high:
            x = axes.x(limit)
            parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{axes.bottom}"/>')
    for at in range(low, high + 1, _EVERY):
        x = axes.x(at)
        edge = " edge" if x > WIDTH - BOTTOM else ""
        parts.append(f'<text class="axis time{edge}" x="{x:.1f}" y="{axes.height - 6}">{at} %</text>')
    return Chart(frame(axes, words("battery_histogram"), parts), orjson.dumps(rows).decode(), empty=False)


def kind_class(order: int, grades: Sequence[str]) -> str:
    """Class of the style sheet for a grade: by its place from the best, 보류 apart."""
    return "g-hold" if order == len(grades) - 1 else f"g{min(order, 4)}"


def draw_steps(steps: Sequence[StepRow], start_ns: int, end_ns: int, words: Words) -> Chart:
    """The steps of a test as a band over its time."""
    axes = Axes(start_ns, end_ns, height=_BAND, left=RIGHT)
    parts = time_axis(axes)
    rows = []
    for one in steps:
        left, right = axes.x(one.span[0]), axes.x(one.span[1])
        name = words.word("battery_kinds", one.kind) or one.kind
        parts.append(
            f'<rect class="k-{escape(one.kind)}" x="{left:.1f}" y="{TOP}" width="{max(1.0, right - left):.1f}"'
            f' height="{axes.bottom - TOP}"><title>{escape(name)}</title></rect>'
        )
        if right - left > _LETTER * 2 * len(name):
            middle, y = (left + right) / 2, (TOP + axes.bottom) / 2 + 5
            parts.append(f'<text class="band-word on-step" x="{middle:.1f}" y="{y:.1f}">{escape(name)}</text>')
        rows.append([round((left + right) / 2, 1), f"#{one.number}", name, name, name, 1])
    return Chart(frame(axes, words("battery_steps"), parts), orjson.dumps(rows).decode(), empty=not steps)
