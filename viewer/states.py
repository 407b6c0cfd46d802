"""Machine states over time as a coloured band: what was not told stays blank, what is unknown is 통신두절."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from markupsafe import Markup, escape

from viewer.axes import TOP, Axes, frame, time_axis
from viewer.chart import Chart, shades
from viewer.overview import HOLDS_S, NS
from viewer.stores.base import Points, StoredGap
from viewer.words import Words, local

HEIGHT: Final = 84
_LEFT: Final = 12
_LETTER: Final = 13.0
"""About the width of a Hangul syllable in a band."""

Run = tuple[int, int, int]
"""Start and end, ns since 1970 UTC, and state."""


def runs(codes: Points, start_ns: int, end_ns: int) -> list[Run]:
    """Stretches of one state from `start_ns` to `end_ns`, oldest first; between them nothing was told.

    Args:
        codes: canonical codes, from `HOLDS_S` before the start on.
        start_ns: of what is drawn.
        end_ns: nothing holds beyond it.
    """
    found: list[Run] = []
    times = codes.time_ns.tolist()
    for at, code, following in zip(times, codes.value.tolist(), [*times[1:], end_ns], strict=False):
        begin, until = max(at, start_ns), min(following, at + int(HOLDS_S * NS))
        if found and found[-1][1:] == (begin, code):
            found[-1] = (found[-1][0], max(begin, until), code)
        elif until >= begin:
            found.append((begin, until, code))
    return found


def draw_states(
    found: Sequence[Run], gaps: Sequence[StoredGap], start_ns: int, end_ns: int, words: Words, label: str
) -> Chart:
    """The states from `start_ns` to `end_ns`, each in its colour and, where it is wide enough, with its word."""
    if not found:
        return Chart(Markup(), "[]", empty=True)
    axes = Axes(start_ns, end_ns, height=HEIGHT, left=_LEFT)
    middle = (TOP + axes.bottom) / 2 + 4
    bands, rows = [], []
    for begin, end, state in found:
        left, right = axes.x(begin), axes.x(end)
        word = words.state(state)
        bands.append(
            f'<rect class="s{state}" x="{left:.1f}" width="{max(1.0, right - left):.1f}" y="{TOP}"'
            f' height="{axes.bottom - TOP}"><title>{escape(word)}</title></rect>'
        )
        if right - left > _LETTER * len(word):
            bands.append(
                f'<text class="band-word on{state}" x="{(left + right) / 2:.1f}" y="{middle}">{escape(word)}</text>'
            )
        moment = f"{local(begin):%H:%M:%S}–{local(end):%H:%M:%S}"
        rows += [[round(x, 1), moment, word, word, word, 1] for x in {left, (left + right) / 2, right}]
    parts = [*bands, *shades(axes, gaps, words), *time_axis(axes)]
    return Chart(
        frame(axes, label, parts),
        orjson.dumps(rows).decode(),
        empty=False,
        states=tuple(sorted({run[2] for run in found})),
    )
