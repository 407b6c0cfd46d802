"""01_총괄: the project, its key figures against their targets, and room to sign."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from viewer.kpi import goal as goals
from viewer.kpi import words
from viewer.kpi.goal import Row, Score, is_met, score
from viewer.kpi.period import production_days
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.words import Text
from viewer.reports.cell import (
    LANGUAGES,
    NOTHING,
    Cell,
    Day,
    Missing,
    Words,
    achieved_cell,
    figure_cell,
    in_unit,
    number,
    said,
    tell,
)
from viewer.reports.model import Block, Column, Facts, Paragraph, Section, Signatures, Table
from viewer.reports.subject import Scope, Subject

AREAS: Final = {
    "P": Text("P 생산성", "P productivity"),
    "Q": Text("Q 품질", "Q quality"),
    "C": Text("C 원가", "C cost"),
    "D": Text("D 납기", "D delivery"),
    "S": Text("S 안전", "S safety"),
    "E": Text("E 환경", "E environment"),
    "DQ": Text("DQ 데이터", "DQ data"),
}
OFFICIAL: Final = Text("공식지표", "Official")
OPERATIONAL: Final = Text("운영지표", "Operational")
_DRAFT: Final = Text("승인 전", "draft")
_UNSAID: Final = Text("기재 없음", "not said")
_EVIDENCE: Final = Text("08, 09 시트", "sheets 08, 09")
_COLUMNS: Final = (
    Column(Text("구분", "Area"), 1.4, "center"),
    Column(Text("핵심성과지표", "Key figure"), 2.0),
    Column(Text("단위", "Unit"), 1.0, "center"),
    Column(Text("산출식", "Formula"), 0.85, "center"),
    Column(Text("기존", "Baseline"), 1.25, "right"),
    Column(Text("목표", "Target"), 1.25, "right"),
    Column(Text("실적", "Actual"), 1.45, "right"),
    Column(Text("개선율", "Improve-ment"), 1.25, "right"),
    Column(Text("달성률", "Achieve-ment"), 1.25, "right"),
    Column(Text("가중치", "Weight"), 0.9, "right"),
    Column(Text("가중점수", "Weighted score"), 1.1, "right"),
    Column(Text("측정기간", "Measured"), 1.75, "center"),
    Column(Text("측정방법/데이터 출처", "Method and source of data"), 2.2),
    Column(Text("수집률", "Collection"), 1.25, "right"),
    Column(Text("증빙", "Evidence"), 1.15, "center"),
)


def scored(subject: Subject) -> Score:
    """The goals with what came of them."""
    nothing = Evidence(period=subject.period, samples=0)
    found = [(one, subject.whole.figures.get(one.code) or missing(one.code, nothing)) for one in subject.goals]
    return score(found, subject.cap)


def summary(subject: Subject) -> Section:
    """The chapter."""
    total = scored(subject)
    blocks: list[Block] = [_project(subject, total), _table(subject, total)]
    if subject.goals:
        blocks.append(origins(total))
    if not subject.goals:
        blocks.insert(1, Paragraph(_NO_GOALS, warning=True))
    blocks += [Paragraph(_LEGEND), Signatures((_WROTE, _CHECKED, _APPROVED))]
    return Section("01_총괄", Text("총괄", "Summary"), tuple(blocks))


def _project(subject: Subject, total: Score) -> Facts:
    reached = [row for row in total.rows if row.achievement is not None]
    met = sum(is_met(row.achievement) for row in reached)
    rate = subject.whole.figures.get("DQ-RATE")
    return Facts(
        Text("과제개요", "The project"),
        (
            (Text("기업명", "Company"), said(subject.company)),
            *((name, said(value)) for name, value in subject.project),
            (Text("종합달성도", "Overall achievement"), achieved_cell(total.value, why=_NO_ACHIEVEMENT)),
            (
                Text("목표 달성 지표", "Targets met"),
                said(
                    Text(
                        f"{len(total.rows)}개 중 {met}개 (미수집 {len(total.left_out)}개)",
                        f"{met} of {len(total.rows)} ({len(total.left_out)} without data)",
                    )
                ),
            ),
            (Text("수집률", "Collection rate"), figure_cell(rate) if rate else number(None)),
            (
                Text("원천 데이터 해시", "Hash of the source data"),
                said(subject.digest) if subject.digest else Missing(),
            ),
            *((Text(f"쿼리 {n}", f"Query {n}"), said(query)) for n, query in enumerate(subject.queries, 1)),
        ),
    )


def _table(subject: Subject, total: Score) -> Table:
    own = {row.goal.code for row in total.rows}
    others = [subject.whole.figures[code] for code in subject.kpis if code not in own and code in subject.whole.figures]
    results = [*(row.actual for row in total.rows), *others]
    formulas = [
        Text(*(f"{name}: {text}" for name, text in zip(one.definition.name, one.formula, strict=True)))
        for one in results
    ]
    rows = [
        (*goal_cells(row, note, total.cap), *_method(row.actual, subject)) for note, row in enumerate(total.rows, 1)
    ]
    rows += [(*bare_cells(one, note), *_method(one, subject)) for note, one in enumerate(others, len(rows) + 1)]
    general = (*goals.IMPROVEMENT.values(), goals.ACHIEVEMENT, goals.OVERALL) if total.rows else ()
    return Table(
        title=Text("KPI 총괄표", "Key figures"),
        columns=_COLUMNS,
        rows=tuple(rows),
        empty=_NO_GOALS,
        notes=(*formulas, *general, *anew(total)),
    )


def origins(total: Score) -> Table:
    """Where the baseline of each goal is from, and who approved it when."""
    return Table(
        title=Text("기존값 근거와 승인", "Where baselines are from, and who approved them"),
        columns=(
            Column(Text("핵심성과지표", "Key figure"), 2.0),
            Column(Text("기존", "Baseline"), 1.0, "right"),
            Column(Text("목표", "Target"), 1.0, "right"),
            Column(Text("버전", "Version"), 0.7, "right"),
            Column(Text("승인일", "Approved on"), 1.1, "center"),
            Column(Text("승인자", "Approved by"), 1.1, "center"),
            Column(Text("기존값 출처", "Where the baseline is from"), 3.5),
        ),
        rows=tuple(_origin(row) for row in total.rows),
        empty=_NO_GOALS,
    )


def _origin(row: Row) -> tuple[Cell, ...]:
    goal, unit = row.goal, row.actual.unit
    unsaid = NOTHING if goal.baseline is None else said(_UNSAID)
    return (
        said(row.actual.definition.name),
        in_unit(goal.baseline, unit),
        in_unit(goal.target, unit),
        number(goal.version),
        said(_DRAFT) if goal.approved_on is None else Day(goal.approved_on),
        said(goal.approved_by) if goal.approved_by else NOTHING,
        said(goal.baseline_from) if goal.baseline_from else unsaid,
    )


def anew(total: Score) -> tuple[Text, ...]:
    """How weights were divided anew, where a figure is 미수집."""
    if not total.left_out:
        return ()
    shares = [(row.actual.definition.name, row.weight) for row in total.rows if row.weight is not None]
    return (
        Text(
            "재배분 가중치: " + (", ".join(f"{name.ko} {share:.1f}%" for name, share in shares) or "없음"),
            "weights divided anew: " + (", ".join(f"{name.en} {share:.1f}%" for name, share in shares) or "none"),
        ),
    )


def goal_cells(row: Row, note: int, cap: float | None) -> tuple[Cell, ...]:
    """What is said of a goal, from its area to its weighted score: eleven cells.

    Args:
        row: the goal with what came of it.
        note: number of its formula below the table.
        cap: no achievement counts for more than this, percent; None = no limit.
    """
    unit, goal = row.actual.unit, row.goal
    achieved = row.achievement if cap is None or row.achievement is None else min(row.achievement, cap)
    points = None if row.weight is None or achieved is None else row.weight / 100 * achieved
    why = row.actual.why or _NO_ACHIEVEMENT
    return (
        *_name(row.actual, note, OFFICIAL if goal.official else OPERATIONAL),
        in_unit(goal.baseline, unit),
        in_unit(goal.target, unit),
        figure_cell(row.actual, unit=False),
        number(row.improvement, "%", why=why),
        achieved_cell(row.achievement, why=why),
        number(goal.weight, decimals=2),
        number(points, decimals=2, why=why),
    )


def bare_cells(result: Result, note: int) -> tuple[Cell, ...]:
    """The same of a figure that the site is judged by and that nobody set a target of."""
    return (
        *_name(result, note, OPERATIONAL),
        NOTHING,
        NOTHING,
        figure_cell(result, unit=False),
        *(NOTHING for _ in range(4)),
    )


def _name(result: Result, note: int, badge: Text) -> tuple[Cell, ...]:
    area = result.code.partition("-")[0]
    return (
        said(AREAS.get(area, Text(area, area))),
        Words(result.definition.name, () if result.indicative else (badge,)),
        said(result.unit),
        Words(result.formula, note=note),
    )


def _method(result: Result, subject: Subject) -> tuple[Cell, ...]:
    return (
        said(measured(result)),
        said(result.definition.inputs),
        rate_cell(result),
        said(_EVIDENCE) if subject.sources else NOTHING,
    )


def rate_cell(result: Result) -> Cell:
    """The collection rate of a figure; what was entered by hand has none."""
    cover = result.evidence.cover
    if cover is None:
        return said(words.MANUAL) if result.evidence.manual else NOTHING
    return number(cover, "%")


def remarks(scopes: Iterable[Scope], code: str) -> tuple[Text, ...]:
    """What is to be known of one figure of each row of a table that has no room for it."""
    return tuple(
        Text(*(f"{tell(one.name, language)}: {tell(note, language)}" for language in LANGUAGES))
        for one in scopes
        for note in (one.figures[code].notes if code in one.figures else ())
    )


def measured(result: Result) -> str:
    """From which production day to which one; a period begins with a production day."""
    first, last = production_days(result.evidence.period)
    return f"{first} ~ {last}"


_WROTE: Final = Text("작성 (도입기업)", "Written by")
_CHECKED: Final = Text("검토 (공급기업)", "Checked by")
_APPROVED: Final = Text("확인 (코디네이터)", "Confirmed by")
_NO_ACHIEVEMENT: Final = Text(
    "기존값·목표값 또는 실적이 없거나, 목표가 기존값보다 낫지 않음",
    "no baseline, target or actual, or a target that is no better than the baseline",
)
_NO_GOALS: Final = Text(
    "기존·목표·가중치가 등록되지 않음: agent report --goals FILE",
    "no baselines and targets are given: agent report --goals FILE",
)
_LEGEND: Final = Text(
    "미수집 = 기간 내 표본이 없어 값을 내지 않음 (0이 아님). 참고치 = 수집률 95% 미만. "
    "수기 = 사람이 입력한 값이 포함됨. 공식지표 = 기존값·목표가 승인되어 잠김, 운영지표 = 승인 전; "
    "참고치는 둘 중 어느 것도 아님. "
    "통신두절 등 상태를 모르는 시간은 분자와 분모 모두에서 제외하고 따로 표시함.",
    "No data = there were no samples in the period, so there is no value (not 0). Indicative = less than 95% was "
    "collected. Entered by hand = a person entered part of it. Official = baseline and target are approved and locked; "
    "what is indicative is neither official nor operational. "
    "Time in an unknown state is in neither numerator nor denominator and is shown apart.",
)
