"""TP 사업 총괄표: what a programme set out to do against what came of it, and how its companies are connected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from pydantic import model_validator

from pipelines.calendar import Span
from pipelines.settings import Settings
from viewer.kpi import goal, words
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.result import Result
from viewer.kpi.words import Text
from viewer.reports.cell import LANGUAGES, NOTHING, Cell, Day, Missing, Moment, achieved_cell, figure_cell, number, said
from viewer.reports.model import Column, Paragraph, Report, Section, Signatures, Table
from viewer.words import Words

_SAID: Final = [Words(language) for language in LANGUAGES]


class Target(Settings):
    """One line of a programme."""

    name: str
    """What it is, such as `지원기업수`."""
    unit: str = ""
    """Unit, such as `개사`."""
    target: float
    """목표."""
    actual: float | None = None
    """실적, as somebody entered it (수기)."""
    measure: Literal["connected", "active"] | None = None
    """Counted instead: companies of which anything is stored, or of which anything came within 24 hours."""
    source: str = ""
    """Where the actual figure is from."""
    as_of: date | None = None
    """Of which day it is."""

    @model_validator(mode="after")
    def _one(self) -> Target:
        if self.actual is not None and self.measure is not None:
            msg = f"{self.name} has an actual figure and a measure; leave one out"
            raise ValueError(msg)
        return self


class ProgrammeFile(Settings):
    """What a programme set out to do."""

    name: str
    """Of the programme."""
    targets: tuple[Target, ...]
    """Its lines, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """How a company's site is connected.

    Attributes:
        name: of the company.
        site: of the site.
        machines: that are configured.
        tags: that are configured.
        seen_ns: newest reading, ns since 1970 UTC; None = there never was one.
        rate: DQ-RATE of the period.
    """

    name: str
    site: str
    machines: int
    tags: int
    seen_ns: int | None
    rate: Result


def programme_report(file: ProgrammeFile, companies: tuple[Company, ...], period: Span, now_ns: int) -> Report:
    """The report.

    Args:
        file: what was set out.
        companies: of the configuration, in its order.
        period: of the collection rates, ns since 1970 UTC.
        now_ns: when it is made, ns since 1970 UTC.
    """
    counted = _counted(companies, now_ns)
    return Report(
        title=Text("TP 사업 총괄표 (목표 대비)", "Programme: targets and results"),
        company=file.name,
        period=period,
        generated_ns=now_ns,
        sections=(
            Section(
                "01_총괄",
                Text("목표 대비 실적", "Targets and results"),
                (
                    _targets(file, counted),
                    Paragraph(_LEGEND),
                    Signatures((Text("작성", "Written by"), Text("검토", "Checked by"), Text("확인", "Confirmed by"))),
                ),
            ),
            Section("02_기업별", Text("기업별 연결 현황", "Companies"), (_companies(companies, now_ns),)),
        ),
    )


def _counted(companies: tuple[Company, ...], now_ns: int) -> dict[str, int]:
    """Companies, each once, whatever many sites it has."""
    active = {one.name for one in companies if freshness_of(one.seen_ns, now_ns) is not Freshness.NONE}
    return {"connected": len({one.name for one in companies if one.seen_ns is not None}), "active": len(active)}


def _targets(file: ProgrammeFile, counted: dict[str, int]) -> Table:
    return Table(
        title=Text("지표별 목표 대비", "Of the targets"),
        columns=(
            Column(Text("지표", "Figure"), 2.4),
            Column(Text("단위", "Unit"), 0.8, "center"),
            Column(Text("목표", "Target"), 1.1, "right"),
            Column(Text("실적", "Actual"), 1.3, "right"),
            Column(Text("목표대비", "Of the target"), 1.2, "right"),
            Column(Text("출처", "Source"), 2.6),
            Column(Text("기준일", "As of"), 1.1, "center"),
        ),
        rows=tuple(_row(one, counted) for one in file.targets),
        empty=Text("등록된 목표 없음", "no target is given"),
        notes=(goal.OF_TARGET,),
    )


def _row(one: Target, counted: dict[str, int]) -> tuple[Cell, ...]:
    actual = one.actual if one.measure is None else counted[one.measure]
    badges = () if one.measure else (words.MANUAL,)
    digits = 0 if actual is None or float(actual).is_integer() else 1
    return (
        said(one.name),
        said(one.unit) if one.unit else NOTHING,
        number(one.target, decimals=0 if one.target.is_integer() else 1),
        number(actual, decimals=digits, badges=badges, why=_NOT_ENTERED),
        achieved_cell(goal.of_target(actual, one.target), 1),
        said(_BY_US if one.measure else one.source or "—"),
        NOTHING if one.as_of is None else Day(one.as_of),
    )


def _companies(companies: tuple[Company, ...], now_ns: int) -> Table:
    return Table(
        title=Text("연결 현황", "Connection"),
        columns=(
            Column(Text("기업", "Company"), 2.0),
            Column(Text("사업장", "Site"), 1.4),
            Column(Text("설비", "Machines"), 0.7, "right"),
            Column(Text("태그", "Tags"), 0.7, "right"),
            Column(Text("마지막 수신", "Last reading"), 1.6, "center"),
            Column(Text("신선도", "Freshness"), 0.9, "center"),
            Column(Text("수집률", "Collection"), 1.2, "right"),
        ),
        rows=tuple(
            (
                said(one.name),
                said(one.site),
                number(one.machines),
                number(one.tags),
                Missing() if one.seen_ns is None else Moment(one.seen_ns),
                said(Text(*(by.freshness(freshness_of(one.seen_ns, now_ns)) for by in _SAID))),
                figure_cell(one.rate),
            )
            for one in companies
        ),
        empty=Text("구성 파일에 기업 없음", "the configuration has no company"),
    )


_BY_US: Final = Text("저장된 데이터에서 집계", "counted in what is stored")
_NOT_ENTERED: Final = Text("실적 미입력", "nobody entered it")
_LEGEND: Final = Text(
    "목표대비는 기업 KPI 달성률 (기존 − 실적) / (기존 − 목표)과 다른 산식임. 수기 = 사람이 입력한 값.",
    "This is another formula than the achievement of a key figure, (baseline − actual) / (baseline − target). "
    "Entered by hand = a person entered it.",
)
