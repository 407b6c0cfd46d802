"""A picture of bars as SVG. It bears its own colours, so that it is the same on a page and in a PDF."""

from __future__ import annotations

import math
from typing import Final

from markupsafe import Markup, escape

from viewer.axes import left_for, nice_step, tick_texts
from viewer.kpi import words
from viewer.reports.cell import Language, Number, shown, tell
from viewer.reports.model import Bars

_WIDTH: Final = 700
_HEIGHT: Final = 170
_TOP: Final = 22
_BOTTOM: Final = 22
_RIGHT: Final = 8
_FEW: Final = 12
"""Up to so many bars each bears its value; with more, only every so many bears its name."""
_TICKS: Final = 4
_WIDEST: Final = 46.0
_INK: Final = "#33475b"
_BAR: Final = "#2b6ca3"
_GRID: Final = "#d7dee5"
_VOID: Final = "#eceff2"


def draw(bars: Bars, language: Language) -> Markup:
    """The picture; a bar that was not collected is a grey field with a cross, never a bar of height 0."""
    values = [value.value for _, value in bars.bars if value is not None]
    high, low = max([0.0, *values]), min([0.0, *values])
    step = nice_step((high - low) or 1.0, _TICKS)
    first, last = math.floor(low / step), max(1, math.ceil(high / step))
    ticks = [n * step for n in range(first, last + 1)]
    texts = tick_texts(ticks)
    left = left_for(texts)
    bottom = _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        return bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (bottom - _TOP)

    slot = (_WIDTH - left - _RIGHT) / max(1, len(bars.bars))
    parts = [_text(left, 12, tell(bars.unit, language), "start")]
    for tick, text in zip(ticks, texts, strict=True):
        parts.append(
            f'<line x1="{left}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="{_GRID}"/>'
        )
        parts.append(_text(left - 6, y(tick) + 3.5, text, "end"))
    every = math.ceil(len(bars.bars) / _FEW)
    for place, (name, value) in enumerate(bars.bars):
        middle = left + (place + 0.5) * slot
        parts += _bar(
            middle, min(slot * 0.7, _WIDEST), value, y(0.0), None if value is None else y(value.value), bottom
        )
        if value is not None and len(bars.bars) <= _FEW:
            parts.append(_text(middle, y(max(0.0, value.value)) - 4, shown(value, language), "middle"))
        if place % every == 0:
            parts.append(_text(middle, _HEIGHT - 7, tell(name, language), "middle"))
    if len(values) < len(bars.bars):
        parts.append(_text(_WIDTH - _RIGHT, 12, f"× {tell(words.MISSING, language)}", "end"))
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' role="img" aria-label="{escape(tell(bars.title, language))}" font-family="Noto Sans KR, sans-serif"'
        f' font-size="10">{"".join(parts)}</svg>'
    )


def _bar(middle: float, width: float, value: Number | None, zero: float, top: float | None, bottom: int) -> list[str]:
    across = f'x="{middle - width / 2:.1f}" width="{width:.1f}"'
    if value is None or top is None:
        field = f'<rect {across} y="{_TOP}" height="{bottom - _TOP}" fill="{_VOID}"/>'
        return [field, _text(middle, (bottom + _TOP) / 2, "×", "middle")]
    high, low = min(top, zero), max(top, zero)
    return [f'<rect {across} y="{high:.1f}" height="{low - high:.1f}" fill="{_BAR}"/>']


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
