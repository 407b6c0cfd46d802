"""A trend as SVG: drawn on the server, coloured by the page's style sheet, readable on paper (docs/decisions/0006)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
import orjson
from markupsafe import Markup, escape
from numpy.typing import NDArray

from viewer.axes import RIGHT, TOP, WIDTH, Axes, frame, left_for, scale, tick_texts, time_axis, value_grid
from viewer.overview import NS
from viewer.stores.base import StoredGap, Trend
from viewer.words import Words, local, number_text

BUCKETS: Final = 300
_SILENCE_S: Final = 60.0
"""A line is never drawn over a longer silence than this, unless the tag is usually that silent."""
_USUAL: Final = 5
_DAY_NS: Final = 86_400 * NS
"""In a longer picture a moment is told with its day."""
_LETTERS: Final = 11
"""Height of the words beside a level: they stand above it where there is room."""
_ROOM: Final = 0.15
"""Above on and below off."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn trend: the picture, what the reader under the pointer needs, and the states that need a legend."""

    svg: Markup
    points: str
    empty: bool
    states: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A value that means something, such as an alarm's limit, drawn across a trend.

    Attributes:
        value: in the unit of the tag.
        said: what it is.
        name: class of the style sheet.
    """

    value: float
    said: str
    name: str


def draw(
    trend: Trend,
    gaps: Sequence[StoredGap],
    start_ns: int,
    end_ns: int,
    words: Words,
    label: str,
    decimals: int | None = None,
    levels: Sequence[Level] = (),
) -> Chart:
    """A trend from `start_ns` to `end_ns` with its known gaps shaded; times of the axis are KST.

    `decimals` are the digits after the point that the tag has; None = not known. Of `levels` those are drawn that the
    trend crosses, and the nearest above and below it.
    """
    if not len(trend.count):
        return Chart(Markup(), "[]", empty=True)
    if trend.boolean:
        low, high, ticks, texts = -_ROOM, 1 + _ROOM, [0.0, 1.0], [words("off"), words("on")]
        left = left_for([text * 2 for text in texts])
    else:
        levels = _near(levels, float(trend.low.min()), float(trend.high.max()))
        ends = [float(trend.low.min()), float(trend.high.max()), *(one.value for one in levels)]
        low, high, ticks = scale(min(ends), max(ends), whole=trend.whole)
        texts = tick_texts(ticks)
        left = left_for(texts)
    axes = Axes(start_ns, end_ns, low, high, left=left)
    middle = trend.time_ns + trend.bucket_ns // 2
    parts = [*value_grid(axes, ticks, texts), *time_axis(axes), *shades(axes, gaps, words)]
    parts += [text for one in levels for text in _level(axes, one)]
    for piece in pieces(trend.time_ns, gaps, 3 * trend.bucket_ns):
        xs = [axes.x(float(time)) for time in middle[piece]]
        parts += _line(
            xs, [[axes.y(v) for v in column[piece].tolist()] for column in (trend.low, trend.mean, trend.high)]
        )
    return Chart(frame(axes, label, parts), _points(axes, trend, middle, words, decimals), empty=False)


def _near(levels: Sequence[Level], low: float, high: float) -> list[Level]:
    """Levels within a trend's values, and the nearest on either side of it."""
    above = min((one.value for one in levels if one.value > high), default=high)
    below = max((one.value for one in levels if one.value < low), default=low)
    return [one for one in levels if below <= one.value <= above]


def _level(axes: Axes, one: Level) -> list[str]:
    y, right = axes.y(one.value), WIDTH - RIGHT
    beside = y - 3 if y > TOP + _LETTERS else y + _LETTERS
    return [
        f'<line class="level {one.name}" x1="{axes.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<text class="axis level-text {one.name}" x="{right}" y="{beside:.1f}">{escape(one.said)}</text>',
    ]


def shades(axes: Axes, gaps: Sequence[StoredGap], words: Words) -> list[str]:
    """Known gaps; those that overlap are shaded once."""
    merged: list[tuple[float, float, set[str]]] = []
    for gap in sorted(gaps, key=lambda one: one.start_ns):
        left, right = axes.x(gap.start_ns), axes.x(axes.end_ns if gap.end_ns is None else gap.end_ns)
        if merged and left <= merged[-1][1]:
            first, last, causes = merged.pop()
            merged.append((first, max(last, right), causes | {gap.cause}))
        else:
            merged.append((left, right, {gap.cause}))
    said = words("gap")
    return [
        f'<rect class="gap" x="{left:.1f}" width="{max(1.0, right - left):.1f}" y="{TOP}"'
        f' height="{axes.bottom - TOP}"><title>{escape(f"{said}: " + ", ".join(sorted(causes)))}</title></rect>'
        for left, right, causes in merged
    ]


def pieces(time_ns: NDArray[np.int64], gaps: Sequence[StoredGap], least_ns: int) -> list[slice]:
    """Stretches to draw through: broken at known gaps and at unusual silence, which is never under `least_ns`."""
    if len(time_ns) == 1:
        return [slice(0, 1)]
    spacing = np.diff(time_ns)
    silent = spacing > silence_ns(time_ns, least_ns)
    for gap in gaps:
        silent |= (time_ns[:-1] <= gap.start_ns) & (time_ns[1:] > gap.start_ns)
    cuts = [0, *(np.flatnonzero(silent) + 1).tolist(), len(time_ns)]
    return [slice(a, b) for a, b in pairwise(cuts)]


def silence_ns(time_ns: NDArray[np.int64], least_ns: int) -> float:
    """The longest silence that is usual for times in ascending order."""
    usual = float(np.median(np.diff(time_ns))) if len(time_ns) > 1 else 0.0
    return max(_SILENCE_S * NS, _USUAL * usual, least_ns)


def _line(xs: list[float], columns: list[list[float]]) -> list[str]:
    low, mean, high = columns
    if len(xs) == 1:
        return [
            f'<line class="band-line" x1="{xs[0]:.1f}" x2="{xs[0]:.1f}" y1="{low[0]:.1f}" y2="{high[0]:.1f}"/>',
            f'<circle class="dot" cx="{xs[0]:.1f}" cy="{mean[0]:.1f}" r="2"/>',
        ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, mean, strict=True))
    there = [f"{x:.1f},{y:.1f}" for x, y in zip(xs, high, strict=True)]
    back = [f"{x:.1f},{y:.1f}" for x, y in zip(reversed(xs), reversed(low), strict=True)]
    return [f'<polygon class="band" points="{" ".join(there + back)}"/>', f'<polyline class="line" points="{path}"/>']


def _points(axes: Axes, trend: Trend, middle: Any, words: Words, decimals: int | None) -> str:
    """JSON of [x, time, mean, low, high, count] per bucket, for the reader under the pointer."""
    text: Callable[[float], str] = partial(number_text, decimals=0 if trend.whole else decimals)
    if trend.boolean:
        text = lambda share: words.value(share == 1) if share in {0, 1} else f"{words('on')} {share:.0%}"  # noqa: E731
    columns = (trend.mean.tolist(), trend.low.tolist(), trend.high.tolist(), trend.count.tolist())
    form = "%H:%M:%S" if axes.end_ns - axes.start_ns <= _DAY_NS else "%m-%d %H:%M"
    rows = [
        [round(axes.x(float(at)), 1), local(int(start)).strftime(form), text(mean), text(low), text(high), count]
        for at, start, mean, low, high, count in zip(middle, trend.time_ns, *columns, strict=True)
    ]
    return orjson.dumps(rows).decode()
