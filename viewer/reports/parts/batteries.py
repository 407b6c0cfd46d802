"""배터리 성능검사 결과서: a record for each test, and how many packs came to which grade."""

from __future__ import annotations

from collections import Counter
from typing import Final

from viewer.battery.figures import AH, DCIR, DELTA, FIGURES, SOH, rule_text
from viewer.battery.record import BatteryTest
from viewer.kpi.words import Text
from viewer.reports.cell import NOTHING, Cell, Moment, Number, said
from viewer.reports.model import Bars, Block, Column, Facts, Paragraph, Section, Signatures, Table
from viewer.reports.subject import Subject

_NO_TEST: Final = Text("기간 내 시작된 시험 없음", "no test began in the period")
_NO_CERTIFICATE: Final = Text(
    "시험장비가 기록한 값으로 계산한 결과이며 인증서가 아님. 등급 기준은 사업장이 정한 것으로, "
    "기준이 확인되지 않은 경우 「기준 미확인」으로 표시함.",
    "Computed of what the test equipment recorded; this is no certificate. Limits of grades are the site's own; limits "
    "that nobody confirmed are said to be so.",
)


def batteries(subject: Subject) -> Section:
    """01_검사결과."""
    graded = Counter(one.grade for one in subject.batteries)
    bars = tuple((Text(grade, grade), Number(float(count))) for grade, count in sorted(graded.items()))
    blocks: list[Block] = [Paragraph(_NO_CERTIFICATE, warning=True), _overview(subject)]
    if bars:
        blocks.append(Bars(Text("등급 분포", "Grades"), Text("건", "cases"), bars))
    signed = Signatures((Text("시험", "Tested by"), Text("검토", "Checked by"), Text("승인", "Approved by")))
    return Section("01_검사결과", Text("배터리 성능검사 결과", "Battery tests"), (*blocks, signed))


def packs(subject: Subject) -> Section:
    """02_팩별기록: everything that is known of each test."""
    blocks: tuple[Block, ...] = tuple(_pack(one) for one in subject.batteries) or (Paragraph(_NO_TEST),)
    return Section("02_팩별기록", Text("팩별 기록", "By pack"), blocks)


def _overview(subject: Subject) -> Table:
    return Table(
        title=Text("검사 결과", "Results"),
        columns=(
            Column(Text("팩", "Pack"), 1.6),
            Column(Text("모델", "Model"), 1.2),
            Column(Text("채널", "Channel"), 0.8, "center"),
            Column(Text("시작", "Began"), 1.5, "center"),
            Column(Text("용량(Ah)", "Capacity (Ah)"), 1.0, "right"),
            Column(Text("SoH(%)", "SoH (%)"), 1.0, "right"),
            Column(Text("DCIR(mΩ)", "DCIR (mΩ)"), 1.0, "right"),
            Column(Text("ΔV(mV)", "ΔV (mV)"), 1.0, "right"),
            Column(Text("등급", "Grade"), 0.8, "center"),
            Column(Text("사유", "Reason"), 2.0),
        ),
        rows=tuple(
            (
                said(one.pack) if one.pack else NOTHING,
                said(one.model) if one.model else NOTHING,
                said(one.channel),
                Moment(one.span[0]),
                *(kind.cell(one, unit=False) for kind in (AH, SOH, DCIR, DELTA)),
                said(one.grade),
                said(_joined(one)),
            )
            for one in subject.batteries
        ),
        empty=_NO_TEST,
        notes=(SOH.formula, DCIR.formula),
    )


def _pack(one: BatteryTest) -> Facts:
    rows: tuple[tuple[Text, Cell], ...] = (
        (Text("설비·채널", "Machine, channel"), said(f"{one.machine.ko} {one.channel}")),
        (Text("모델", "Model"), said(one.model) if one.model else NOTHING),
        (Text("시작", "Began"), Moment(one.span[0])),
        (Text("종료", "Ended"), NOTHING if one.span[1] is None else Moment(one.span[1])),
        *((kind.name, kind.cell(one)) for kind in FIGURES),
        (Text("등급", "Grade"), said(one.grade)),
        (Text("사유", "Reason"), said(one.reason) if one.reason else NOTHING),
        (Text("비고", "Remark"), said(one.remark) if one.remark else NOTHING),
        (Text("등급 기준", "Grading rule"), said(rule_text(one))),
    )
    return Facts(Text(f"팩 {one.pack or '—'}", f"Pack {one.pack or '—'}"), rows)


def _joined(one: BatteryTest) -> str:
    unsure = "" if one.verified else "기준 미확인 (unverified)"
    return " · ".join(text for text in (one.reason, one.remark, unsure) if text)
