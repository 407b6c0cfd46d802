"""What is known of what a battery passport asks for (Regulation (EU) 2023/1542, Annex XIII): no passport itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.derive.battery.grading import GradingRule
from viewer.battery.figures import AH, COULOMBIC, DCIR, SOH, SOH_E, WH
from viewer.battery.record import BatteryTest
from viewer.kpi.words import Text
from viewer.reports.cell import NOTHING, Cell, Missing, Moment, number, said

_RULE = Text("등급 기준의 정격", "rating in the grading rule")
_TEST = Text("최근 시험", "newest test")
_TAG = Text("팩 번호 태그", "tag of the pack's number")
_INCOMING = Text("입고·OCV 검사 기록", "record of the incoming inspection")
_NOWHERE = Text("설비가 알려 주지 않음", "no machine tells it")


class Fact(NamedTuple):
    """One line.

    Attributes:
        name: as the regulation asks for it.
        cell: what is known.
        source: where it comes from.
    """

    name: Text
    cell: Cell
    source: Text


def passport(
    pack: str, tests: Sequence[BatteryTest], rule: GradingRule | None, incoming: Sequence[tuple[Text, Cell]]
) -> list[Fact]:
    """What is known of a pack.

    Args:
        pack: its number.
        tests: all of them, oldest first; at least one.
        rule: of today; None = it cannot be read.
        incoming: names and values of its incoming inspection.
    """
    last = tests[-1]
    model = next((one.model for one in reversed(tests) if one.model), "")
    rated = rule.pack(model) if rule else None
    grade = next((one for one in rule.grades if one.grade == last.grade), None) if rule else None
    percent = None if rated is None or last.dcir_mohm is None else 100 * last.dcir_mohm / rated.bol_dcir_mohm
    return [
        Fact(Text("고유 식별자", "Unique identifier"), said(pack) if pack else Missing(), _TAG),
        Fact(Text("모델", "Model"), said(model) if model else Missing(), _TAG),
        Fact(Text("정격 용량", "Rated capacity"), number(rated.rated_ah if rated else None, "Ah"), _RULE),
        Fact(Text("정격 에너지", "Rated energy"), number(rated.rated_wh if rated else None, "Wh", 0), _RULE),
        Fact(Text("잔존 용량", "Remaining capacity"), AH.cell(last), _TEST),
        Fact(Text("잔존 에너지", "Remaining energy"), WH.cell(last), _TEST),
        Fact(SOH.name, SOH.cell(last), _TEST),
        Fact(SOH_E.name, SOH_E.cell(last), _TEST),
        Fact(DCIR.name, DCIR.cell(last), _TEST),
        Fact(Text("초기 대비 내부저항", "Resistance against new"), number(percent, "%", 0), _RULE),
        Fact(COULOMBIC.name, COULOMBIC.cell(last), _TEST),
        Fact(Text("판정 용도", "Use by its grade"), said(grade.use) if grade and grade.use else NOTHING, _RULE),
        Fact(Text("시험 횟수", "Tests"), number(len(tests), Text("건", "")), _TEST),
        Fact(Text("첫 시험", "First test"), Moment(tests[0].span[0]), _TEST),
        Fact(Text("최근 시험", "Newest test"), Moment(last.span[0]), _TEST),
        *(Fact(name, cell, _INCOMING) for name, cell in incoming),
        Fact(
            Text("제조일·탄소발자국·재활용 함량", "Date of making, carbon footprint, recycled content"),
            Missing(),
            _NOWHERE,
        ),
    ]
