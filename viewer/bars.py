"""Amounts over time as bars in SVG, coloured by the page's style sheet: what is not known is no bar, never one of 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from markupsafe import Markup, escape

from viewer.axes import Axes, frame, left_for, scale, tick_texts, time_axis, value_grid
from viewer.chart import Chart

_GAP = 0.14
"""Part of a bar's room that stays free."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        start_ns: beginning of what it is about, ns since 1970 UTC.
        end_ns: its end.
        parts: class of the style sheet and height of each part, the lowest first.
        said: what the reader under the pointer is told: when, and how much.
        weak: whether too little is known of it for more than a hint.
    """

    start_ns: int
    end_ns: int
    parts: Sequence[tuple[str, float]]
    said: tuple[str, str]
    weak: bool = False


def draw_bars(bars: Sequence[Bar], start_ns: int, end_ns: int, label: str, *, whole: bool = False) -> Chart:
    """Bars from `start_ns` to `end_ns` over a time axis in KST.

    Args:
        bars: oldest first.
        start_ns: left end.
        end_ns: right end.
        label: what the picture is, for people who cannot see it.
        whole: whether heights are counts.
    """
    if not bars:
        return Chart(Markup(), "[]", empty=True)
    heights = [sum(height for _, height in bar.parts) for bar in bars]
    low, high, ticks = scale(min(0.0, *heights), max(*heights, 1.0 if whole else 0.0), whole=whole)
    texts = tick_texts(ticks)
    axes = Axes(start_ns, end_ns, low, high, left=left_for(texts))
    drawn, rows = [], []
    for bar in bars:
        left, right = axes.x(bar.start_ns), axes.x(bar.end_ns)
        room = (right - left) * _GAP / 2
        base = 0.0
        for name, height in bar.parts:
            top, bottom = axes.y(max(base, base + height)), axes.y(min(base, base + height))
            base += height
            drawn.append(
                f'<rect class="{name}{" weak" if bar.weak else ""}" x="{left + room:.1f}" y="{top:.1f}"'
                f' width="{max(1.0, right - left - 2 * room):.1f}" height="{max(0.0, bottom - top):.1f}">'
                f"<title>{escape(' '.join(bar.said))}</title></rect>"
            )
        when, amount = bar.said
        rows.append([round((left + right) / 2, 1), when, amount, amount, amount, 1])
    parts = [*value_grid(axes, ticks, texts), *drawn, *time_axis(axes)]
    return Chart(frame(axes, label, parts), orjson.dumps(rows).decode(), empty=False)
