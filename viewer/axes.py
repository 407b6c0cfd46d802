"""Axes of a picture in SVG: a frame, times in KST, values at round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from viewer.overview import NS
from viewer.words import local, number_text

WIDTH: Final = 460
RIGHT: Final = 12
TOP: Final = 10
BOTTOM: Final = 22
_MIN_LEFT: Final = 34
_MAX_LEFT: Final = 120
_LETTER: Final = 6.4
"""About the width of a digit of the axis."""
_EDGE: Final = 30
"""A text nearer than this to the right end is written to its left."""
_VALUE_TICKS: Final = 4
_TIME_TICKS: Final = 6
_DAY_S: Final = 86_400
_MINUTE_S: Final = 60
_TIME_STEPS_S: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, _DAY_S)
_KST_S: Final = 9 * 3600
_TINY: Final = 1e-300
"""A smaller span has no steps that a float can hold."""
_LONG: Final = 1e12
"""From here on a value of the axis is written with a power of ten."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Where times and values are in the picture."""

    start_ns: int
    end_ns: int
    low: float = 0.0
    high: float = 1.0
    height: int = 160
    left: int = _MIN_LEFT
    width: int = WIDTH
    right: int = RIGHT

    @property
    def bottom(self) -> int:
        """Y of the time axis."""
        return self.height - BOTTOM

    def x(self, time_ns: float) -> float:
        """Where a time is; one outside is at the edge."""
        share = (time_ns - self.start_ns) / max(1, self.end_ns - self.start_ns)
        return self.left + min(1.0, max(0.0, share)) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Where a value is."""
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - TOP)


def nice_step(span: float, ticks: int) -> float:
    """1, 2 or 5 times a power of ten that gives at most about `ticks` steps in `span`."""
    rough = span / max(1, ticks)
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)


def scale(low: float, high: float, *, whole: bool = False) -> tuple[float, float, list[float]]:
    """Ends of the value axis and its ticks, whole ones where values are; a constant gets room above and below."""
    if high - low <= max(_TINY, 1e-9 * max(abs(low), abs(high))):
        room = max(abs(high) * 0.05, 1.0)
        low, high = low - room, high + room
    step = max(nice_step(high - low, _VALUE_TICKS), 1.0 if whole else 0.0)
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, last * step, [n * step for n in range(first, last + 1)]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Ticks of a value axis with the digits that tell them apart."""
    step = ticks[1] - ticks[0]
    if max(map(abs, ticks)) >= _LONG or step < 1e-6:  # noqa: PLR2004 - more digits than fit
        return [f"{tick:.6g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [number_text(tick, decimals) for tick in ticks]


def left_for(texts: Sequence[str]) -> int:
    """Room that the texts of a value axis need."""
    return min(_MAX_LEFT, max(_MIN_LEFT, 12 + math.ceil(_LETTER * max(map(len, texts)))))


def value_grid(axes: Axes, ticks: Sequence[float], texts: Sequence[str]) -> list[str]:
    """A line and a text for each tick."""
    parts = []
    for tick, text in zip(ticks, texts, strict=True):
        y = axes.y(tick)
        parts.append(f'<line class="grid" x1="{axes.left}" x2="{axes.width - axes.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis value" x="{axes.left - 6}" y="{y + 3.5:.1f}">{escape(text)}</text>')
    return parts


def time_axis(axes: Axes) -> list[str]:
    """A mark and a text at round times of KST, at most about six."""
    span_s = (axes.end_ns - axes.start_ns) / NS
    days = math.ceil(span_s / _TIME_TICKS / _DAY_S)
    step_s = next((step for step in _TIME_STEPS_S if span_s / step <= _TIME_TICKS), days * _DAY_S)
    form = "%H:%M:%S" if step_s < _MINUTE_S else "%H:%M" if step_s < _DAY_S else "%m-%d"
    first = -(-(axes.start_ns // NS + _KST_S) // step_s) * step_s - _KST_S
    parts = []
    for second in range(first, axes.end_ns // NS + 1, step_s):
        x = axes.x(second * NS)
        text = local(second * NS).strftime(form)
        edge = " edge" if x > axes.width - _EDGE else " first" if x < _EDGE / 2 else ""
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{axes.bottom}" y2="{axes.bottom + 4}"/>')
        parts.append(f'<text class="axis time{edge}" x="{x:.1f}" y="{axes.height - 6}">{text}</text>')
    return parts


def frame(axes: Axes, label: str, parts: Sequence[str]) -> Markup:
    """The picture; its texts must be escaped already, but for the label."""
    tall = f'y="{TOP}" height="{axes.bottom - TOP}"'
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<svg viewBox="0 0 {axes.width} {axes.height}" role="img" aria-label="{escape(label)}" class="chart"'
        f' data-left="{axes.left}" data-right="{axes.right}" data-width="{axes.width}"'
        f' data-start="{axes.start_ns // 1_000_000}"'
        f' data-end="{axes.end_ns // 1_000_000}">{"".join(parts)}'
        f'<line class="cursor" y1="{TOP}" y2="{axes.bottom}" x1="-9" x2="-9"/>'
        f'<rect class="select" {tall} x="-9" width="0"/></svg>'
    )
