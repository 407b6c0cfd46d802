"""A trend as SVG: drawn on the server, coloured by the page's style sheet, readable on paper (docs/decisions/0006)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import orjson
from markupsafe import Markup, escape

from viewer.overview import NS
from viewer.stores.base import StoredGap, Trend
from viewer.words import Words, local, number_text

WIDTH: Final = 720
HEIGHT: Final = 180
LEFT: Final = 62
RIGHT: Final = 12
TOP: Final = 10
BOTTOM: Final = 24
BUCKETS: Final = 300
_TICKS: Final = 4
_TIME_STEPS_S: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_SILENCE_S: Final = 60.0
"""A line is never drawn over a longer silence than this, unless the tag is usually that silent."""
_USUAL: Final = 5


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn trend: the picture, and what the reader under the pointer needs."""

    svg: Markup
    points: str
    empty: bool


@dataclass(frozen=True, slots=True)
class _Axes:
    start_ns: int
    end_ns: int
    low: float
    high: float

    def x(self, time_ns: float) -> float:
        share = (time_ns - self.start_ns) / max(1, self.end_ns - self.start_ns)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def nice_step(span: float, ticks: int) -> float:
    """1, 2 or 5 times a power of ten that gives at most about `ticks` steps in `span`."""
    rough = span / max(1, ticks)
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)


def scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Ends of the value axis and its ticks; a constant gets room above and below."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = max(abs(high) * 0.05, 1.0)
        low, high = low - room, high + room
    step = nice_step(high - low, _TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, last * step, [n * step for n in range(first, last + 1)]


def draw(trend: Trend, gaps: Sequence[StoredGap], start_ns: int, end_ns: int, words: Words, label: str) -> Chart:
    """A trend from `start_ns` to `end_ns` with its known gaps shaded; times of the axis are KST."""
    if not len(trend.count):
        return Chart(Markup(), "[]", empty=True)
    low, high, ticks = scale(float(trend.low.min()), float(trend.high.max()))
    axes = _Axes(start_ns, end_ns, low, high)
    middle = trend.time_ns + trend.bucket_ns // 2
    parts = [*_grid(axes, ticks), *_shades(axes, gaps, words)]
    for piece in _pieces(trend, gaps):
        xs = [axes.x(float(time)) for time in middle[piece]]
        parts += _line(
            xs, [[axes.y(v) for v in column[piece].tolist()] for column in (trend.low, trend.mean, trend.high)]
        )
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}" class="chart"'
        f' data-left="{LEFT}" data-right="{RIGHT}" data-width="{WIDTH}" data-start="{start_ns // 1_000_000}"'
        f' data-end="{end_ns // 1_000_000}">{"".join(parts)}'
        f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="-9" x2="-9"/>'
        f'<rect class="select" y="{TOP}" height="{HEIGHT - TOP - BOTTOM}" x="-9" width="0"/></svg>'
    )
    return Chart(Markup(svg), _points(axes, trend, middle), empty=False)  # noqa: S704 - every text in it is escaped


def _grid(axes: _Axes, ticks: Sequence[float]) -> list[str]:
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    parts = []
    for tick in ticks:
        y = axes.y(tick)
        text = number_text(tick, decimals)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis value" x="{LEFT - 7}" y="{y + 3.5:.1f}">{text}</text>')
    span_s = (axes.end_ns - axes.start_ns) / NS
    step_s = next((step for step in _TIME_STEPS_S if span_s / step <= 7), _TIME_STEPS_S[-1])  # noqa: PLR2004 - ticks
    offset_s = 9 * 3600
    first = -(-(axes.start_ns // NS + offset_s) // step_s) * step_s - offset_s
    for second in range(first, axes.end_ns // NS + 1, step_s):
        x = axes.x(second * NS)
        moment = local(second * NS)
        text = f"{moment:%H:%M:%S}" if step_s < 60 else f"{moment:%H:%M}" if step_s < 86_400 else f"{moment:%m-%d}"  # noqa: PLR2004
        parts.append(
            f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 4}"/>'
        )
        parts.append(f'<text class="axis time" x="{x:.1f}" y="{HEIGHT - 7}">{text}</text>')
    return parts


def _shades(axes: _Axes, gaps: Sequence[StoredGap], words: Words) -> list[str]:
    parts = []
    for gap in gaps:
        left, right = axes.x(gap.start_ns), axes.x(axes.end_ns if gap.end_ns is None else gap.end_ns)
        title = escape(f"{words('gap')}: {gap.cause}")
        parts.append(
            f'<rect class="gap" x="{left:.1f}" width="{max(1.0, right - left):.1f}" y="{TOP}"'
            f' height="{HEIGHT - TOP - BOTTOM}"><title>{title}</title></rect>'
        )
    return parts


def _pieces(trend: Trend, gaps: Sequence[StoredGap]) -> list[slice]:
    """Stretches to draw through: broken at known gaps and at unusual silence."""
    time_ns = trend.time_ns
    if len(time_ns) == 1:
        return [slice(0, 1)]
    spacing = np.diff(time_ns)
    silent = spacing > max(_SILENCE_S * NS, _USUAL * float(np.median(spacing)), 3 * trend.bucket_ns)
    for gap in gaps:
        silent |= (time_ns[:-1] <= gap.start_ns) & (time_ns[1:] > gap.start_ns)
    cuts = [0, *(np.flatnonzero(silent) + 1).tolist(), len(time_ns)]
    return [slice(a, b) for a, b in pairwise(cuts)]


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


def _points(axes: _Axes, trend: Trend, middle: Any) -> str:
    """JSON of [x, time, mean, low, high, count] per bucket, for the reader under the pointer."""
    rows = [
        [
            round(axes.x(float(at)), 1),
            f"{local(int(start)):%H:%M:%S}",
            number_text(mean),
            number_text(low),
            number_text(high),
            count,
        ]
        for at, start, mean, low, high, count in zip(
            middle,
            trend.time_ns,
            trend.mean.tolist(),
            trend.low.tolist(),
            trend.high.tolist(),
            trend.count.tolist(),
            strict=True,
        )
    ]
    return orjson.dumps(rows).decode()
