"""02_KPI상세: each figure with what it is made of, how many samples, what is left out; and its course by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from viewer.kpi.catalog import CATALOG
from viewer.kpi.result import Result
from viewer.kpi.words import NO_SAMPLES, Amount, Text
from viewer.reports.cell import LANGUAGES, Cell, Day, Missing, Number, figure_cell, number, said, shown, tell
from viewer.reports.model import Bars, Block, Column, Section, Table
from viewer.reports.parts.summary import rate_cell
from viewer.reports.subject import Scope, Subject

_NONE: Final = Text("없음", "none")
_MOST: Final = 6
_COLUMNS: Final = (
    Column(Text("코드", "Code"), 1.3, "center"),
    Column(Text("지표", "Figure"), 2.0),
    Column(Text("값", "Value"), 1.9, "right"),
    Column(Text("표본수", "Samples"), 1.1, "right"),
    Column(Text("수집률", "Collection"), 1.2, "right"),
    Column(Text("구성", "Made of"), 3.0),
    Column(Text("제외구간·비고", "Left out, remarks"), 3.0),
    Column(Text("산출식", "Formula"), 3.2),
)


def detail(subject: Subject) -> Section:
    """The chapter: figures of goals first, then every other one that has a value."""
    asked = [one.code for one in subject.goals]
    figures = subject.whole.figures
    others = [code for code in CATALOG if code in figures and code not in asked and figures[code].value is not None]
    without = [code for code in CATALOG if code in figures and code not in asked and figures[code].value is None]
    blocks: list[Block] = [
        _table(Text("목표 지표", "Figures with a target"), figures, asked),
        _table(Text("그 밖의 지표", "Other figures"), figures, others),
        _lacking(figures, without),
        *courses(subject.whole, asked or others),
    ]
    return Section("02_KPI상세", Text("KPI 상세", "Key figures in detail"), tuple(blocks))


def courses(scope: Scope, codes: Iterable[str], *, picture: bool = True) -> list[Block]:
    """Some figures by production day: a table, and a picture of the first that has any value."""
    known = [code for code in codes if any(code in day and day[code].value is not None for _, day in scope.days)]
    chosen = known[:_MOST]
    if not chosen:
        return []
    first = CATALOG[chosen[0]]
    bars = tuple((Text(f"{day:%m-%d}", f"{day:%m-%d}"), _height(day_of.get(chosen[0]))) for day, day_of in scope.days)
    columns = (
        Column(Text("생산일", "Production day"), 1.0, "center"),
        *(Column(_with_unit(code), 1.2, "right") for code in chosen),
    )
    table = Table(
        title=Text("일별 추이", "By production day"), columns=columns, rows=_by_day(scope, chosen), empty=_NONE
    )
    if not picture:
        return [table]
    return [Bars(Text(f"{first.name.ko} 일별 추이", f"{first.name.en} by day"), first.unit, bars), table]


def _by_day(scope: Scope, codes: Sequence[str]) -> tuple[tuple[Cell, ...], ...]:
    """A row for each day; days one after the other of which nothing is known are one row."""
    rows: list[tuple[Cell, ...]] = []
    for lacks, group in groupby(scope.days, lambda one: all(_lacks(one[1].get(code)) for code in codes)):
        days = list(group)
        if not lacks:
            rows += [(Day(day), *(_bare(of.get(code)) for code in codes)) for day, of in days]
            continue
        first, last = days[0][0], days[-1][0]
        rows.append((Day(first) if first == last else said(f"{first} ~ {last}"), *(Missing() for _ in codes)))
    return tuple(rows)


def _lacks(result: Result | None) -> bool:
    return result is None or result.value is None


def _bare(result: Result | None) -> Cell:
    """A figure, or that there is none; why that is so stands in the table of figures."""
    return Missing() if result is None or result.value is None else figure_cell(result, unit=False)


def _with_unit(code: str) -> Text:
    of = CATALOG[code]
    return Text(*(f"{tell(of.name, language)} ({tell(of.unit, language)})" for language in LANGUAGES))


def _height(result: Result | None) -> Number | None:
    cell = None if result is None else figure_cell(result, unit=False)
    return cell if isinstance(cell, Number) else None


def _table(title: Text, figures: Mapping[str, Result], codes: Iterable[str]) -> Table:
    rows = tuple(_row(figures[code]) for code in codes if code in figures)
    return Table(title=title, columns=_COLUMNS, rows=rows, empty=_NONE)


def _row(result: Result) -> tuple[Cell, ...]:
    evidence, of = result.evidence, result.definition
    return (
        said(result.code),
        said(of.name),
        figure_cell(result),
        number(evidence.samples),
        rate_cell(result),
        said(_amounts(result.parts)),
        said(_joined([_amounts(evidence.left_out), *result.notes])),
        said(of.formula),
    )


def _lacking(figures: Mapping[str, Result], codes: Sequence[str]) -> Table:
    """What there is no value of, with what it would need: never a figure of 0."""
    columns = (
        Column(Text("코드", "Code"), 1.2, "center"),
        Column(Text("지표", "Figure"), 2.2),
        Column(Text("값", "Value"), 2.4),
        Column(Text("필요한 데이터", "What it needs"), 3.0),
    )
    rows = tuple(
        (said(code), said(CATALOG[code].name), Missing(figures[code].why or NO_SAMPLES), said(CATALOG[code].inputs))
        for code in codes
    )
    return Table(title=Text("미수집 지표", "Figures without data"), columns=columns, rows=rows, empty=_NONE)


def _amounts(amounts: Sequence[Amount]) -> Text:
    """Numbers with their names, in one line."""
    return _joined(
        [
            Text(
                *(
                    f"{tell(one.what, language)} {shown(number(one.value, one.unit), language)}"
                    for language in LANGUAGES
                )
            )
            for one in amounts
            if one.value != 0
        ]
    )


def _joined(texts: Sequence[Text]) -> Text:
    ko, en = (" · ".join(tell(one, language) for one in texts if tell(one, language)) for language in LANGUAGES)
    return Text(ko, en)
