"""DQ-RATE, 수집률: how much of what was expected came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.result import Evidence, Result, missing, share
from viewer.kpi.words import Amount, Text

MINUTE_NS: Final = 60 * 10**9


def polled(time_ns: NDArray[np.int64], period_s: float, period: Span) -> Result:
    """Of a tag that is read every `period_s`: readings / readings expected, at most 100 %.

    Args:
        time_ns: times of its usable readings, int64, shape (n,), ns since 1970 UTC.
        period_s: how often it is read, seconds.
        period: start and end, ns since 1970 UTC.
    """
    inside = time_ns[(time_ns >= period[0]) & (time_ns < period[1])]
    expected = (period[1] - period[0]) / 1e9 / period_s
    return _rate(len(inside), expected, period, int(inside.max()) if len(inside) else None)


def by_pieces(cover: Sequence[tuple[int, float]], period: Span, width_ns: int = MINUTE_NS) -> Result:
    """Of tags that are known by pieces of time, also ones that are told on change: known time / time, in minutes.

    Args:
        cover: beginning of each piece, ns since 1970 UTC, and how much of it is known, percent.
        period: start and end, ns since 1970 UTC.
        width_ns: length of a piece.
    """
    inside = [(at, one) for at, one in cover if period[0] <= at < period[1]]
    known = sum(one for _, one in inside) / 100 * width_ns / MINUTE_NS
    seen_ns = max((min(at + width_ns, period[1]) for at, one in inside if one), default=None)
    return _rate(known, (period[1] - period[0]) / MINUTE_NS, period, seen_ns, words.MINUTES)


def _rate(received: float, expected: float, period: Span, seen_ns: int | None, unit: Text = words.CASES) -> Result:
    """Nothing that came where something was expected is 0 %: that is what this figure is about."""
    rate = share(received, expected)
    evidence = Evidence(period=period, samples=max(1, round(expected)) if expected else 0, cover=rate, seen_ns=seen_ns)
    parts = (
        Amount(Text("수집", "collected"), received, unit),
        Amount(Text("기대", "expected"), expected, unit),
    )
    return missing("DQ-RATE", evidence, parts=parts) if rate is None else Result("DQ-RATE", rate, evidence, parts)
