"""07_경보, and what the monthly report of safety and the record of critical control points say of alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from viewer.kpi.words import Text
from viewer.reports.cell import NOTHING, Cell, Moment, number, said
from viewer.reports.model import Column, Section, Table
from viewer.reports.subject import AlarmEvent, Subject

LISTED: Final = 100
"""Events that are listed, newest first."""
PRIORITIES: Final = {
    "urgent": Text("긴급", "Urgent"),
    "important": Text("중요", "Important"),
    "caution": Text("주의", "Caution"),
    "info": Text("정보", "Info"),
}
EVENTS: Final = {
    "raised": Text("발생", "Raised"),
    "cleared": Text("복귀", "Cleared"),
    "acknowledged": Text("확인", "Acknowledged"),
    "shelved": Text("보류", "Shelved"),
    "unshelved": Text("보류 해제", "Unshelved"),
    "shelving_over": Text("보류 종료", "Shelving over"),
    "suppressed": Text("억제", "Suppressed"),
    "unsuppressed": Text("억제 해제", "Unsuppressed"),
    "removed": Text("설정 삭제", "Removed"),
}
NO_ALARM: Final = Text("기간 내 기록된 경보 없음", "no alarm is on record in the period")


def alarms(subject: Subject) -> Section:
    """07_경보."""
    blocks = (by_priority(subject.alarms), by_name(subject.alarms), events(subject.alarms))
    return Section("07_경보", Text("경보", "Alarms"), blocks)


def by_priority(found: Sequence[AlarmEvent]) -> Table:
    """How often alarms of each priority came, and how many of them nobody took note of."""
    raised = Counter(one.priority for one in found if one.event == "raised")
    noted = Counter(one.priority for one in found if one.event == "acknowledged")
    return Table(
        title=Text("등급별 경보", "Alarms by priority"),
        columns=(
            Column(Text("등급", "Priority"), 1.0),
            Column(Text("발생", "Raised"), 1.0, "right"),
            Column(Text("확인", "Acknowledged"), 1.0, "right"),
        ),
        rows=tuple(
            (said(name), number(raised[key]), number(noted[key]))
            for key, name in PRIORITIES.items()
            if raised[key] or noted[key]
        ),
        empty=NO_ALARM,
    )


def by_name(found: Sequence[AlarmEvent]) -> Table:
    """Which alarms came most often."""
    raised = Counter((one.machine, one.name, one.message, one.priority) for one in found if one.event == "raised")
    return Table(
        title=Text("경보별 발생", "Alarms by name"),
        columns=(
            Column(Text("설비", "Machine"), 1.6),
            Column(Text("경보", "Alarm"), 1.4),
            Column(Text("내용", "What"), 2.4),
            Column(Text("등급", "Priority"), 0.8, "center"),
            Column(Text("발생", "Raised"), 0.8, "right"),
        ),
        rows=tuple(
            (
                said(machine),
                said(name),
                said(message),
                said(PRIORITIES.get(priority, Text(priority, priority))),
                number(count),
            )
            for (machine, name, message, priority), count in sorted(
                raised.items(), key=lambda item: (-item[1], item[0])
            )
        ),
        empty=NO_ALARM,
    )


def events(found: Sequence[AlarmEvent], title: Text = Text("경보 이력 (최근 순)", "Events, newest first")) -> Table:  # noqa: B008
    """Each change of an alarm."""
    chosen = sorted(found, key=lambda one: (-one.time_ns, one.name))[:LISTED]
    more = len(found) - len(chosen)
    return Table(
        title=title,
        columns=(
            Column(Text("시각", "Time"), 1.6, "center"),
            Column(Text("설비", "Machine"), 1.5),
            Column(Text("내용", "What"), 2.2),
            Column(Text("등급", "Priority"), 0.7, "center"),
            Column(Text("변화", "Event"), 0.8, "center"),
            Column(Text("값", "Value"), 0.9, "right"),
            Column(Text("비고", "Remark"), 1.8),
        ),
        rows=tuple(_event(one) for one in chosen),
        empty=NO_ALARM,
        notes=(Text(f"이 밖에 {more:,}건 더 있음", f"{more:,} more are not listed"),) if more else (),
    )


def _event(one: AlarmEvent) -> tuple[Cell, ...]:
    return (
        Moment(one.time_ns),
        said(one.machine),
        said(one.message or one.name),
        said(PRIORITIES.get(one.priority, Text(one.priority, one.priority))),
        said(EVENTS.get(one.event, Text(one.event, one.event))),
        NOTHING if one.value is None else number(one.value, decimals=2),
        said(_FAULT if one.cause == "fault" else one.comment),
    )


_FAULT: Final = Text("값 없음 (센서·통신 이상)", "value unknown (sensor or link)")
