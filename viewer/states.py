"""Machine states over time as a coloured band: what was not collected stays blank, a bad reading is 통신두절."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import orjson
from markupsafe import Markup, escape

from viewer.axes import TOP, Axes, frame, time_axis
from viewer.catalog import UNKNOWN
from viewer.chart import Chart, shades, silence_ns
from viewer.overview import is_bad
from viewer.stores.base import Points, StoredGap
from viewer.words import Words, local

HEIGHT: Final = 84
_LEFT: Final = 12
_LETTER: Final = 13.0
"""About the width of a Hangul syllable in a band."""

Run = tuple[int, int, int]
"""Start and end, ns since 1970 UTC, and state."""


def runs(
    values: Points, quality: Points, code: Callable[[object], int], end_ns: int, *, on_change: bool = False
) -> list[Run]:
    """Stretches of one state, oldest first.

    Args:
        values: raw states.
        quality: the StatusCodes stored for them, as int64.
        code: canonical code of a raw state.
        end_ns: nothing holds beyond it.
        on_change: a reading holds until the next one; else no longer than such readings are usually apart.
    """
    told: dict[int, int] = {}
    codes: dict[object, int] = {}
    for time_ns, value in zip(values.time_ns.tolist(), values.value.tolist(), strict=True):
        if value not in codes:
            codes[value] = code(value)
        told[time_ns] = codes[value]
    told.update(
        (time_ns, UNKNOWN)
        for time_ns, status in zip(quality.time_ns.tolist(), quality.value.tolist(), strict=True)
        if is_bad(status)
    )
    if not told:
        return []
    times = np.array(sorted(told), dtype=np.int64)
    longest = math.inf if on_change else silence_ns(times, 0)
    found: list[Run] = []
    for at, following in zip(times.tolist(), [*times[1:].tolist(), end_ns], strict=True):
        # A bad reading may be told once and then holds until a good one.
        until = following if told[at] == UNKNOWN or following - at <= longest else at
        if found and found[-1][1:] == (at, told[at]):
            found[-1] = (found[-1][0], max(at, until), told[at])
        else:
            found.append((at, max(at, until), told[at]))
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
