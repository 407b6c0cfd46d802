"""Figures of safety: S-ALM and the time above a limit. Time that nobody watched is not safe, it is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.result import Evidence, Result, missing, share
from viewer.kpi.words import Amount, Text

_MINUTE_NS: Final = 60 * 10**9


def alarms(raised_ns: NDArray[np.int64], watched: Sequence[Span], period: Span) -> Result:
    """S-ALM, 안전경보 건수: those raised in the period; 0 only where somebody watched.

    Args:
        raised_ns: when safety alarms were raised, int64, shape (n,), ns since 1970 UTC.
        watched: when the detectors were heard, disjoint.
        period: start and end, ns since 1970 UTC.
    """
    start_ns, end_ns = period
    heard_ns = sum(max(0, min(high, end_ns) - max(low, start_ns)) for low, high in watched)
    inside = raised_ns[(raised_ns >= start_ns) & (raised_ns < end_ns)]
    evidence = Evidence(
        period=period,
        samples=-(-heard_ns // _MINUTE_NS),
        cover=share(heard_ns, end_ns - start_ns),
        left_out=_unwatched(end_ns - start_ns - heard_ns),
        seen_ns=max((min(high, end_ns) for low, high in watched if low < end_ns), default=None),
    )
    if not heard_ns:
        return missing("S-ALM", evidence)
    return Result("S-ALM", float(len(inside)), evidence)


def over_limit(
    minute_ns: NDArray[np.int64],
    mean: NDArray[np.float64],
    cover: NDArray[np.float64],
    limit: float,
    period: Span,
) -> Result:
    """S-ALM.over, 위험농도 초과시간, min: minutes whose mean is above a limit.

    Args:
        minute_ns: beginnings of minutes, int64, shape (n,), ns since 1970 UTC.
        mean: their mean concentration, float64, shape (n,), in the unit of the limit; NaN = not known.
        cover: how much of each is known, percent, float64, shape (n,).
        limit: above which it is dangerous.
        period: start and end, ns since 1970 UTC.
    """
    known = (minute_ns >= period[0]) & (minute_ns < period[1]) & np.isfinite(mean)
    heard_ns = round(float(cover[known].sum()) / 100 * _MINUTE_NS)
    evidence = Evidence(
        period=period,
        samples=int(known.sum()),
        cover=share(heard_ns, period[1] - period[0]),
        left_out=_unwatched(period[1] - period[0] - heard_ns),
        seen_ns=int(minute_ns[known].max()) + _MINUTE_NS if known.any() else None,
    )
    if not known.any():
        return missing("S-ALM.over", evidence)
    parts = (
        Amount(Text("기준", "limit"), limit, words.NO_UNIT),
        Amount(Text("최고 1분 평균", "greatest mean of a minute"), float(mean[known].max()), words.NO_UNIT),
    )
    return Result("S-ALM.over", float((mean[known] > limit).sum()), evidence, parts)


def _unwatched(length_ns: int) -> tuple[Amount, ...]:
    text = Text("감시되지 않은 시간", "time not watched")
    return (Amount(text, length_ns / _MINUTE_NS, words.MINUTES),) if length_ns > 0 else ()
