"""Evidence of people: on how many days the company used the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.calendar import Span
from viewer.kpi.words import NO_SAMPLES, Amount, Text
from viewer.level.finding import Finding
from viewer.level.kinds import DAYS, PEOPLE
from viewer.level.of_agents import DAY_NS, midnight

NO_LOG: Final = Text(
    "로그인 없이 보는 뷰어이거나 접속 기록을 지정하지 않음", "no log-in is asked for, or no log was named"
)
NOBODY: Final = Text("등록된 기업 담당자가 없음", "no user of the company is known")


def used(times_ns: Sequence[int] | None, people: int, period: Span) -> Finding:
    """활용도.

    Args:
        times_ns: when people of the company did something in the period, ns since 1970 UTC; None = nobody notes it.
        people: how many of them may log in.
        period: start and end, ns since 1970 UTC.
    """
    if times_ns is None:
        return Finding("used", None, 0, period, why=NO_LOG)
    span = (midnight(max(period[0], period[1] - 1)) - midnight(period[0])) // DAY_NS + 1
    parts = (
        Amount(Text("기간의 날", "days of the period"), span, DAYS),
        Amount(Text("기업 담당자", "may log in"), people, PEOPLE),
    )
    if not times_ns:
        return Finding("used", None, 0, period, parts, NO_SAMPLES if people else NOBODY)
    return Finding("used", len({midnight(one) for one in times_ns}), len(times_ns), period, parts)
