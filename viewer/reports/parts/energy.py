"""06_에너지: electricity, energy per piece, emission with the dated factors it was made with, peak demand."""

from __future__ import annotations

from typing import Final

from viewer.kpi import words
from viewer.kpi.catalog import CATALOG
from viewer.kpi.words import Text
from viewer.reports.cell import LANGUAGES, NOTHING, Cell, Day, Missing, figure_cell, number, said, tell
from viewer.reports.model import Column, Section, Table
from viewer.reports.parts.detail import courses
from viewer.reports.parts.summary import rate_cell, remarks
from viewer.reports.subject import Scope, Subject

_CODES: Final = ("C-KWH", "E-CO2", "E-CO2.piece", "E-PEAK")
_NO_METER: Final = Text("전력량계가 연결된 설비 없음", "no machine has a meter")


def energy(subject: Subject) -> Section:
    """The chapter."""
    machines = [one for one in subject.machines if "energy" in one.has]
    of = (*machines, *([subject.whole] if machines else []))
    used = Table(
        title=Text("설비별 에너지·온실가스", "Energy and emission by machine"),
        columns=(
            Column(Text("설비", "Machine"), 2.0),
            Column(Text("전력사용량(kWh)", "Electricity (kWh)"), 1.4, "right"),
            *(Column(_with_unit(code), 1.4, "right") for code in _CODES),
            Column(Text("수집률", "Collection"), 1.1, "right"),
        ),
        rows=tuple(_row(one) for one in of),
        empty=_NO_METER,
        notes=tuple(
            Text(*(f"{tell(CATALOG[code].name, of)}: {tell(CATALOG[code].formula, of)}" for of in LANGUAGES))
            for code in _CODES
        )
        + remarks(of, "C-KWH"),
    )
    return Section(
        "06_에너지",
        Text("에너지·탄소", "Energy and carbon"),
        (used, _factors(subject), *courses(subject.whole, ("C-KWH", "E-PEAK", "E-CO2"))),
    )


def _with_unit(code: str) -> Text:
    return Text(*(f"{tell(CATALOG[code].name, of)} ({tell(CATALOG[code].unit, of)})" for of in LANGUAGES))


def _row(one: Scope) -> tuple[Cell, ...]:
    found = [one.figures.get(code) for code in _CODES]
    return (
        said(one.name),
        number(one.kwh, decimals=1),
        *(Missing() if result is None else figure_cell(result, unit=False) for result in found),
        NOTHING if found[0] is None else rate_cell(found[0]),
    )


def _factors(subject: Subject) -> Table:
    return Table(
        title=Text("적용 배출계수", "Emission factors used"),
        columns=(
            Column(Text("에너지원", "Carrier"), 1.0, "center"),
            Column(Text("계수", "Factor"), 1.0, "right"),
            Column(Text("단위", "Unit"), 1.2, "center"),
            Column(Text("적용 시작일", "Valid from"), 1.1, "center"),
            Column(Text("범위", "Scope"), 2.6),
            Column(Text("출처", "Source"), 2.6),
            Column(Text("확인", "Verified"), 0.9, "center"),
        ),
        rows=tuple(
            (
                said(one.carrier),
                number(one.value, decimals=4),
                said(one.unit),
                Day(one.valid_from),
                said(one.scope),
                said(one.source),
                said(Text("확인", "yes")) if one.verified else said(words.UNVERIFIED),
            )
            for one in subject.factors
        ),
        empty=_NO_METER,
    )
