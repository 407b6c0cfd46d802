"""A control chart as two pictures in SVG: places above, spreads below, one step of the axis for each point.

What is out of control has another shape than the rest, with the numbers of the tests: colour says nothing alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import orjson
from markupsafe import Markup, escape
from numpy.typing import NDArray

from viewer.axes import TOP, Axes, frame, left_for, nice_step, scale, tick_texts, value_grid
from viewer.chart import Chart
from viewer.kpi.control import Mark
from viewer.kpi.spc import Limits
from viewer.words import local

WIDTH: Final = 960
HEIGHTS: Final = (270, 170)
"""Of the picture of places, and of that of spreads."""
_RIGHT: Final = 98
_LINE: Final = 13
"""Least distance of two texts beside the picture."""
_NUMBERS: Final = 3
"""Tests that are named beside a point; its title and the table name all of them."""
_SHORT_NS: Final = 30 * 60 * 10**9
"""Of a shorter picture times have seconds."""
_LETTER: Final = 7
"""About the width of a digit."""
_LABELS: Final = 9
"""About so many times along the axis."""
_FAR: Final = 3.0
"""A specification limit that is farther off than this many widths of the control limits is told, and not drawn."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two pictures.

    Attributes:
        label: what it is, for people who cannot see it.
        limits: of phase I.
        spec: lower and upper specification limit; None = there is none, or it does not belong here.
        marks: by the number of their point, what stands beside it: numbers of tests, or what else is wrong.
        zones: whether lines at 1 σ and 2 σ help to see what a test found.
        height: of the picture.
    """

    label: str
    limits: Limits
    spec: tuple[float | None, float | None]
    marks: dict[int, str]
    zones: bool
    height: int


def labels(marks: Sequence[Mark]) -> dict[int, str]:
    """Numbers of the tests beside each point that is marked."""
    return {
        one.at: ",".join(map(str, one.tests[:_NUMBERS])) + ("…" if len(one.tests) > _NUMBERS else "")
        for one in marks
        if one.tests
    }


def shown_spec(limits: Limits, spec: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    """The specification limits that are not so far off that points and control limits would be one line."""
    reach = _FAR * max(limits.upper - limits.lower, 0.0)
    low, high = spec
    return (
        None if low is None or low < limits.lower - reach else low,
        None if high is None or high > limits.upper + reach else high,
    )


def draw_control(
    time_ns: NDArray[np.int64],
    values: NDArray[np.float64],
    first: int,
    panel: Panel,
    text: Callable[[float], str],
    said: Callable[[int], str],
) -> Chart:
    """Points from number `first` on.

    Args:
        time_ns: of each point that is drawn, ns since 1970 UTC, int64, shape (n,).
        values: float64, shape (n,); NaN = there is none.
        first: number of the first of them.
        panel: limits, marks.
        text: a value as people read it.
        said: what is told of the point of a number.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Chart(Markup(), "[]", empty=True)
    lines = _lines(panel)
    ends = [float(known.min()), float(known.max()), *(value for _, _, value in lines)]
    low, high, ticks = scale(min(ends), max(ends))
    texts = tick_texts(ticks)
    count = len(values)
    axes = Axes(
        first, first + max(1, count - 1), low, high, panel.height, left=left_for(texts), width=WIDTH, right=_RIGHT
    )
    parts = [*value_grid(axes, ticks, texts), *_zones(axes, panel), *_limits(axes, lines, text), *_times(axes, time_ns)]
    xs = [axes.x(first + at) for at in range(count)]
    ys = [axes.y(value) if np.isfinite(value) else None for value in values.tolist()]
    parts += _strokes(xs, ys)
    named = _named(xs, ys, {at - first: mark for at, mark in panel.marks.items()})
    for at, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if y is not None:
            mark = named.get(at, "") if first + at in panel.marks else None
            parts.append(_point(x, y, mark, said(first + at)))
    rows = [
        [round(x, 1), f"{local(int(at)):%m-%d %H:%M:%S}", *(text(value),) * 3, 1]
        for x, at, value in zip(xs, time_ns.tolist(), values.tolist(), strict=True)
        if np.isfinite(value)
    ]
    return Chart(frame(axes, panel.label, parts), orjson.dumps(rows).decode(), empty=False)


def _lines(panel: Panel) -> list[tuple[str, str, float]]:
    """Class, name and value of each line across."""
    limits = panel.limits
    found = [("center", "CL", limits.center), ("limit", "UCL", limits.upper), ("limit", "LCL", limits.lower)]
    named = zip(("LSL", "USL"), panel.spec, strict=True)
    return [*found, *(("spec", name, value) for name, value in named if value is not None)]


def _zones(axes: Axes, panel: Panel) -> list[str]:
    if not panel.zones:
        return []
    ys = [axes.y(panel.limits.center + n * panel.limits.sigma) for n in (-2, -1, 1, 2)]
    return [f'<line class="spc-zone" x1="{axes.left}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>' for y in ys]


def _limits(axes: Axes, lines: Sequence[tuple[str, str, float]], text: Callable[[float], str]) -> list[str]:
    """Lines with their names and values at the right end, moved apart where they would be on each other."""
    parts, below = [], float(TOP) - _LINE
    ordered = sorted(lines, key=lambda one: -one[2])
    wanted = [axes.y(value) + 4 for _, _, value in ordered]
    last = axes.bottom + 4.0
    places = []
    for at, y in enumerate(wanted):
        below = min(max(y, below + _LINE), last - _LINE * (len(wanted) - 1 - at))
        places.append(below)
    for (kind, name, value), place in zip(ordered, places, strict=True):
        y = axes.y(value)
        parts.append(f'<line class="spc-{kind}" x1="{axes.left}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="axis spc-{kind}-name" x="{WIDTH - _RIGHT + 5}" y="{place:.1f}">'
            f"{name} {escape(text(value))}</text>"
        )
    return parts


def _times(axes: Axes, time_ns: NDArray[np.int64]) -> list[str]:
    """Time of some points; with the date where it is another than that of the label before."""
    step = max(1, round(nice_step(max(1, len(time_ns) - 1), _LABELS)))
    clock = "%H:%M:%S" if int(time_ns[-1]) - int(time_ns[0]) < _SHORT_NS else "%H:%M"
    parts, day = [], None
    for at in range(0, len(time_ns), step):
        moment = local(int(time_ns[at]))
        x = axes.x(axes.start_ns + at)
        form = clock if moment.date() == day else f"%m-%d {clock}"
        day = moment.date()
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{axes.bottom}" y2="{axes.bottom + 4}"/>')
        start = " first" if not at else ""
        parts.append(f'<text class="axis time{start}" x="{x:.1f}" y="{axes.height - 6}">{moment:{form}}</text>')
    return parts


def _strokes(xs: Sequence[float], ys: Sequence[float | None]) -> list[str]:
    """A line through points that follow each other; it breaks where one is missing."""
    cuts = [-1, *(at for at, y in enumerate(ys) if y is None), len(ys)]
    runs = [range(a + 1, b) for a, b in pairwise(cuts) if b - a > 2]  # noqa: PLR2004 - two points make a line
    return [f'<polyline class="line" points="{" ".join(f"{xs[at]:.1f},{ys[at]:.1f}" for at in run)}"/>' for run in runs]


def _named(xs: Sequence[float], ys: Sequence[float | None], marks: dict[int, str]) -> dict[int, str]:
    """What is written beside points: not the same again in a row of marked points, and nothing on each other."""
    found: dict[int, str] = {}
    last_x, last_y, last = float(-WIDTH), 0.0, ""
    for at, mark in marks.items():
        y = ys[at] if 0 <= at < len(ys) else None
        if y is None or (at - 1 in marks and mark == last):
            continue
        if xs[at] - last_x >= _LETTER * (len(mark) + 1) or abs(y - last_y) >= _LINE:
            found[at] = mark
            last_x, last_y, last = xs[at], y, mark
    return found


def _point(x: float, y: float, mark: str | None, said: str) -> str:
    title = f"<title>{escape(said)}</title>"
    if mark is None:
        return f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2">{title}</circle>'
    diamond = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
    above = y - 9 if y > TOP + 16 else y + 17
    return (
        f'<polygon class="spc-out" points="{diamond}">{title}</polygon>'
        f'<text class="axis spc-out-name" x="{x:.1f}" y="{above:.1f}">{escape(mark)}</text>'
    )
