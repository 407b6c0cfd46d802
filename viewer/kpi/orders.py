"""Figures of orders and lots: P-LT, D-O2S, D-OTD. What a record does not say is left out, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.result import Evidence, Result, missing, ratio
from viewer.kpi.words import Amount, Text

_HOUR_NS: Final = 3600 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order or a lot; times in ns since 1970 UTC, None = not entered.

    Attributes:
        confirmed_ns: when it was confirmed (수주확정).
        started_ns: when work on it was begun (작업지시, 착수).
        completed_ns: when it was made.
        due_ns: when it was to be delivered by.
        shipped_ns: when it was shipped.
    """

    confirmed_ns: int | None = None
    started_ns: int | None = None
    completed_ns: int | None = None
    due_ns: int | None = None
    shipped_ns: int | None = None


def lead_time(orders: Sequence[Order], period: Span) -> Result:
    """P-LT, 제조리드타임, h: mean of completed − started, of what was completed in the period."""
    return _mean("P-LT", [(one.started_ns, one.completed_ns) for one in orders], period)


def order_to_shipment(orders: Sequence[Order], period: Span) -> Result:
    """D-O2S, 수주출하 리드타임, h: mean of shipped − confirmed, of what was shipped in the period."""
    return _mean("D-O2S", [(one.confirmed_ns, one.shipped_ns) for one in orders], period)


def on_time(orders: Sequence[Order], period: Span) -> Result:
    """D-OTD, 납기준수율: shipped by the due time / shipped; what is overdue and not shipped is left out."""
    start_ns, end_ns = period
    shipped = [one for one in orders if one.shipped_ns is not None and start_ns <= one.shipped_ns < end_ns]
    due = [(one.due_ns, one.shipped_ns) for one in shipped if one.due_ns is not None and one.shipped_ns is not None]
    late = [
        one
        for one in orders
        if one.due_ns is not None
        and start_ns <= one.due_ns < end_ns
        and (one.shipped_ns is None or one.shipped_ns >= end_ns)
    ]
    left_out = (
        Amount(Text("납기 없는 출하", "shipped without a due time"), len(shipped) - len(due), words.CASES),
        Amount(Text("납기 지난 미출하", "overdue and not shipped"), len(late), words.CASES),
    )
    evidence = Evidence(
        period=period,
        samples=len(due),
        left_out=tuple(one for one in left_out if one.value),
        seen_ns=max((shipped_ns for _, shipped_ns in due), default=None),
        manual=True,
    )
    kept = sum(shipped_ns <= due_ns for due_ns, shipped_ns in due)
    return ratio(
        "D-OTD",
        Amount(Text("납기내 출하", "shipped on time"), kept, words.CASES),
        Amount(Text("총출하", "shipped"), len(due), words.CASES),
        evidence,
        100,
    )


def _mean(code: str, spans: Sequence[tuple[int | None, int | None]], period: Span) -> Result:
    """Mean length of those that ended in the period; one without a beginning is left out."""
    ended = [(begin, end) for begin, end in spans if end is not None and period[0] <= end < period[1]]
    lengths = [end - begin for begin, end in ended if begin is not None]
    without = len(ended) - len(lengths)
    left_out = (Amount(Text("시작 시각 없음", "without a beginning"), without, words.CASES),) if without else ()
    newest = max((end for _, end in ended), default=None)
    evidence = Evidence(period=period, samples=len(lengths), left_out=left_out, seen_ns=newest, manual=True)
    if not lengths:
        return missing(code, evidence)
    parts = (
        Amount(Text("합계", "sum"), sum(lengths) / _HOUR_NS, words.HOURS),
        Amount(Text("건수", "cases"), len(lengths), words.CASES),
    )
    return Result(code, sum(lengths) / len(lengths) / _HOUR_NS, evidence, parts)
