"""안전 월보 and CCP 기록지: what was watched, what came, how soon somebody took note, and the log that is chained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.derive.calibration import Calibrated
from viewer.kpi.words import CASES, MINUTES, Text
from viewer.reports.cell import NOTHING, Cell, Day, Missing, Moment, figure_cell, number, said
from viewer.reports.episodes import Episode, episodes, responses
from viewer.reports.model import Block, Column, Facts, Paragraph, Section, Signatures, Table
from viewer.reports.parts.alarms import PRIORITIES
from viewer.reports.records import ChainFacts
from viewer.reports.subject import Subject
from viewer.safety.log import Break

DISCLAIMER: Final = Text(
    "감시 보조 자료임. 법정 감지기·인터록·경보설비와 그 점검을 대신하지 않으며, 인증된 경보 시스템이 아님.",
    "A monitoring aid: it stands in for no detector, interlock or siren that the law asks for, "
    "and is no certified alarm system.",
)
_NOBODY: Final = Text("기간 내 확인 없음", "nobody took note in the period")
_NONE_CAME: Final = Text("기간 내 발생 없음", "none came in the period")
_STANDS: Final = Text("기간 끝까지 지속", "it stood at the end of the period")
_MACHINE: Final = Column(Text("설비", "Machine"), 1.4)


def safety(subject: Subject) -> Section:
    """01_안전요약."""
    found = _episodes(subject, ccp=False)
    count = subject.whole.figures.get("S-ALM")
    facts = (
        (Text("안전경보 건수", "Safety alarms"), Missing() if count is None else figure_cell(count)),
        *_responses(subject, found),
        *_log(subject),
    )
    blocks: tuple[Block, ...] = (
        Paragraph(DISCLAIMER, warning=True),
        Facts(Text("요약", "Summary"), facts),
        _exposures(subject),
        _calibrations(subject),
        Signatures((Text("작성", "Written by"), Text("안전관리자", "Safety manager"), Text("확인", "Confirmed by"))),
    )
    return Section("01_안전요약", Text("안전 모니터링 요약", "Safety: summary"), blocks)


def safety_alarms(subject: Subject) -> Section:
    """02_안전경보: what came, and what is watched."""
    return Section(
        "02_안전경보",
        Text("안전경보와 대응", "Safety alarms and responses"),
        (_came(_episodes(subject, ccp=False)), _watched(subject, ccp=False)),
    )


def ccp(subject: Subject) -> Section:
    """01_CCP기록."""
    found = _episodes(subject, ccp=True)
    open_ = sum(not one.comment for one in found)
    facts = (
        (Text("CCP 이탈 건수", "Deviations"), number(len(found), CASES) if subject.sources else Missing()),
        (
            Text("개선조치 미기록", "Without a corrective action"),
            number(open_, CASES) if subject.sources else Missing(),
        ),
        *_responses(subject, found),
        *_log(subject),
    )
    blocks: tuple[Block, ...] = (
        Paragraph(CCP_NOTE, warning=True),
        Facts(Text("요약", "Summary"), facts),
        _watched(subject, ccp=True),
        _measured(subject),
        _came(found),
        Signatures(
            (
                Text("모니터링 담당", "Monitored by"),
                Text("HACCP 팀장", "HACCP team leader"),
                Text("검증", "Verified by"),
            )
        ),
    )
    return Section("01_CCP기록", Text("중요관리점(CCP) 모니터링 기록", "Critical control points"), blocks)


def _episodes(subject: Subject, *, ccp: bool) -> list[Episode]:
    return episodes(one for one in subject.alarms if (one.ccp if ccp else one.safety))


def _responses(subject: Subject, found: Sequence[Episode]) -> tuple[tuple[Text, Cell], ...]:
    """How soon people took note; of none there is no mean."""
    of = responses(found)
    if not of.noted:
        nothing = said(_NOBODY if of.count else _NONE_CAME) if of.count or subject.sources else Missing()
        return ((Text("대응시간", "Response"), nothing),)
    return (
        (Text("확인한 경보", "Acknowledged"), number(of.noted, CASES)),
        (Text("평균 대응시간", "Mean response"), number(of.mean_min, MINUTES)),
        (Text("최장 대응시간", "Longest response"), number(of.longest_min, MINUTES)),
    )


def _log(subject: Subject) -> tuple[tuple[Text, Cell], ...]:
    chain = subject.chain
    if not chain.entries:
        return ((Text("기록 사슬", "Hash-chained log"), said(Text("기간 내 기록 없음", "no entry in the period"))),)
    text = Text(
        f"{chain.first:,}–{chain.last:,}번, {chain.entries:,}건",
        f"{chain.first:,} to {chain.last:,}, {chain.entries:,} entries",
    )
    return (
        (Text("기록 사슬", "Hash-chained log"), said(text)),
        (Text("마지막 해시", "Last hash"), said(chain.hash)),
        (Text("사슬 검증", "Chain verified"), said(chain_text(chain))),
    )


def chain_text(chain: ChainFacts) -> Text:
    """Whether a chain is whole, and where it breaks, in words."""
    if not chain.breaks:
        return Text("이상 없음 (저장된 기록 사이)", "whole, as far as it is stored")
    ways = [(_BREAKS[how], seq) for how, seq in chain.breaks]
    ko = ", ".join(f"{seq:,}번 {how.ko}" for how, seq in ways)
    return Text(f"끊김: {ko}", "broken: " + ", ".join(f"entry {seq:,} {how.en}" for how, seq in ways))


def _exposures(subject: Subject) -> Table:
    return Table(
        title=Text("노출 (TWA·STEL)", "Exposure (TWA, STEL)"),
        columns=(
            _MACHINE,
            Column(Text("물질", "Substance"), 1.0, "center"),
            Column(Text("최고 TWA", "Greatest TWA"), 1.1, "right"),
            Column(Text("기준", "Limit"), 0.9, "right"),
            Column(Text("최고 STEL", "Greatest STEL"), 1.1, "right"),
            Column(Text("기준", "Limit"), 0.9, "right"),
            Column(Text("15분 구간", "15-min windows"), 1.0, "right"),
            Column(Text("초과 구간", "Above the limit"), 1.0, "right"),
            Column(Text("감시율", "Known"), 1.0, "right"),
        ),
        rows=tuple(
            (
                said(one.machine),
                said(one.substance),
                number(one.twa, decimals=2, why=_SHORT),
                NOTHING if one.twa_limit is None else number(one.twa_limit, decimals=2),
                number(one.stel, decimals=2, why=_SHORT),
                NOTHING if one.stel_limit is None else number(one.stel_limit, decimals=2),
                number(one.windows),
                NOTHING if one.over is None and one.windows else number(one.over),
                number(one.coverage, "%"),
            )
            for one in subject.exposures
        ),
        empty=Text("설정된 가스(exposure) 없음", "no gas (exposure) is configured"),
        notes=(_TWA,),
    )


def _calibrations(subject: Subject) -> Table:
    return Table(
        title=Text("감지기 교정 기한", "Calibration of detectors"),
        columns=(
            _MACHINE,
            Column(Text("주기(일)", "Every (days)"), 0.9, "right"),
            Column(Text("최근 교정일", "Last"), 1.2, "center"),
            Column(Text("교정 기한", "Due"), 1.2, "center"),
            Column(Text("상태", "State"), 1.4, "center"),
            Column(Text("성적서", "Certificate"), 1.4),
        ),
        rows=tuple(
            (
                said(one.machine),
                number(one.every_days),
                NOTHING if one.last is None else Day(one.last),
                NOTHING if one.due is None else Day(one.due),
                said(CALIBRATED[one.stands]),
                said(one.certificate) if one.certificate else NOTHING,
            )
            for one in subject.calibrations
        ),
        empty=Text("설정된 교정 주기(calibration) 없음", "no calibration is configured"),
    )


def _came(found: Sequence[Episode]) -> Table:
    return Table(
        title=Text("발생과 조치", "What came, and what was done"),
        columns=(
            Column(Text("발생", "Raised"), 1.5, "center"),
            _MACHINE,
            Column(Text("경보", "Alarm"), 2.0),
            Column(Text("등급", "Priority"), 0.7, "center"),
            Column(Text("값", "Value"), 0.8, "right"),
            Column(Text("복귀(min)", "Cleared (min)"), 1.0, "right"),
            Column(Text("확인(min)", "Response (min)"), 1.0, "right"),
            Column(Text("개선조치·비고", "Corrective action"), 2.2),
        ),
        rows=tuple(_row(one) for one in found),
        empty=_NONE_CAME,
    )


def _row(one: Episode) -> tuple[Cell, ...]:
    raised = one.raised
    fault = Text("값 없음 (센서·통신 이상)", "value unknown (sensor or link)")
    return (
        Moment(raised.time_ns),
        said(raised.machine),
        said(raised.message or raised.name),
        said(PRIORITIES.get(raised.priority, Text(raised.priority, raised.priority))),
        NOTHING if raised.value is None else number(raised.value, decimals=2),
        said(_STANDS) if one.lasted_min is None else number(one.lasted_min, decimals=1),
        said(_NOBODY) if one.response_min is None else number(one.response_min, decimals=1),
        said(one.comment) if one.comment else said(fault) if raised.cause == "fault" else NOTHING,
    )


def _watched(subject: Subject, *, ccp: bool) -> Table:
    return Table(
        title=Text("관리 기준", "What is watched"),
        columns=(
            _MACHINE,
            Column(Text("항목", "What"), 1.8),
            Column(Text("한계 기준", "Limit"), 1.8),
            Column(Text("이탈 시 조치", "What to do"), 3.0),
        ),
        rows=tuple(
            (said(one.machine), said(one.label), said(one.limit), said(one.action))
            for one in subject.guards
            if one.ccp == ccp
        ),
        empty=Text("설정된 항목 없음", "nothing is configured"),
    )


def _measured(subject: Subject) -> Table:
    return Table(
        title=Text("일자별 측정값", "Measured by day"),
        columns=(
            Column(Text("생산일", "Production day"), 1.1, "center"),
            _MACHINE,
            Column(Text("항목", "What"), 1.5),
            Column(Text("단위", "Unit"), 0.6, "center"),
            Column(Text("표본수", "Readings"), 0.9, "right"),
            Column(Text("최소", "Least"), 0.9, "right"),
            Column(Text("평균", "Mean"), 0.9, "right"),
            Column(Text("최대", "Greatest"), 0.9, "right"),
            Column(Text("적용 구간", "Counted while"), 1.2),
        ),
        rows=tuple(
            (
                Day(one.day),
                said(one.machine),
                said(one.what),
                said(one.unit) if one.unit else NOTHING,
                number(one.count),
                number(one.low, decimals=2),
                number(one.mean, decimals=2),
                number(one.high, decimals=2),
                said(one.only_while) if one.only_while else said(Text("전체", "always")),
            )
            for one in subject.measured
        ),
        empty=Text("기간 내 측정값 없음", "nothing was measured in the period"),
    )


_BREAKS: Final = {
    Break.ALTERED: Text("변조됨", "was altered"),
    Break.MISSING: Text("앞의 기록 없음", "is not preceded by the one before it"),
    Break.PUT_IN: Text("끼워 넣음", "was put in, or stands beside another"),
}
CALIBRATED: Final = {
    Calibrated.UNKNOWN: Text("교정일 미입력", "nobody has said when"),
    Calibrated.OVERDUE: Text("기한 지남", "overdue"),
    Calibrated.SOON: Text("30일 이내 도래", "due within 30 days"),
    Calibrated.HOLDS: Text("유효", "holds"),
}
CCP_NOTE: Final = Text(
    "자동 기록을 옮긴 것임. 한계 기준은 사업장의 HACCP 계획에 따라 설정한 값이며, 검증 기록을 대신하지 않음.",
    "Taken from automatic records. Limits are those that were configured from the site's HACCP plan; "
    "this is no record of verification.",
)
_SHORT: Final = Text("구간의 75% 이상이 감시되지 않음", "no window was known for 75%")
_TWA: Final = Text(
    "TWA = Σ(C·T)/8 (8시간), STEL = 15분 평균; 구간의 75% 이상이 감시된 것만 셈",
    "TWA = Σ(C·T)/8 over 8 hours, STEL = mean of 15 minutes; of windows that are known for 75% at least",
)
