"""Machine states over time as a coloured band: what was not told stays blank, what is unknown is 통신두절.

Agents derive states. Of the time before they did, and of agents that do not, there is the raw tag: where it says the
state itself, it fills the stretches in which no derived state was told.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import orjson
from markupsafe import Markup, escape

from viewer.axes import TOP, WIDTH, Axes, frame, time_axis
from viewer.catalog import UNKNOWN
from viewer.chart import Chart, shades, silence_ns
from viewer.overview import HOLDS_S, NS, is_bad
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


def raw_runs(
    values: Points,
    quality: Points,
    code: Callable[[object], int],
    told: Sequence[Run],
    span_ns: tuple[int, int],
    *,
    on_change: bool,
) -> list[Run]:
    """Stretches of one state by a raw tag, oldest first, between those that were `told`.

    Args:
        values: raw states.
        quality: the StatusCodes stored for them, as int64.
        code: canonical code of a raw state.
        told: stretches of which the derived state is known, oldest first.
        span_ns: from when to when.
        on_change: a reading holds until the next one; else no longer than such readings are usually apart.
    """
    codes: dict[object, int] = {}
    raw: dict[int, int] = {}
    for time_ns, value in zip(values.time_ns.tolist(), values.value.tolist(), strict=True):
        if value not in codes:
            codes[value] = code(value)
        raw[time_ns] = codes[value]
    statuses = zip(quality.time_ns.tolist(), quality.value.tolist(), strict=True)
    raw |= {time_ns: UNKNOWN for time_ns, status in statuses if is_bad(status)}
    times = sorted(raw)
    longest = math.inf if on_change else silence_ns(np.array(times, dtype=np.int64), 0)
    found: list[Run] = []
    for begin, end in untold(told, *span_ns):
        inside = times[bisect_left(times, begin) : bisect_left(times, end)]
        for at, following in zip(inside, [*inside[1:], end], strict=False):
            # A bad reading may be told once and then holds until a good one.
            until = following if raw[at] == UNKNOWN or following - at <= longest else at
            if found and found[-1][1:] == (at, raw[at]):
                found[-1] = (found[-1][0], until, raw[at])
            else:
                found.append((at, until, raw[at]))
    return found


def within(found: Sequence[Run], start_ns: int, end_ns: int) -> list[Run]:
    """What of these lies in a span, oldest first."""
    clipped = ((max(begin, start_ns), min(end, end_ns), state) for begin, end, state in sorted(found))
    return [one for one in clipped if one[0] <= one[1]]


def untold(told: Sequence[Run], start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """The parts of a span in which nothing was told."""
    ends = [start_ns, *(end for _, end, _ in told)]
    begins = [*(begin for begin, _, _ in told), end_ns]
    return [(end, begin) for end, begin in zip(ends, begins, strict=True) if end < begin]


def draw_states(
    found: Sequence[Run],
    gaps: Sequence[StoredGap],
    start_ns: int,
    end_ns: int,
    words: Words,
    label: str,
    width: int = WIDTH,
) -> Chart:
    """The states from `start_ns` to `end_ns`, each in its colour and, where it is wide enough, with its word."""
    if not found:
        return Chart(Markup(), "[]", empty=True)
    axes = Axes(start_ns, end_ns, height=HEIGHT, left=_LEFT, width=width)
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
