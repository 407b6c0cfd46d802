"""The table of KPI 관리: goals with what came of them, said once for page and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from viewer.kpi.goal import Goal, Row, Score, score
from viewer.kpi.result import Result
from viewer.kpi.words import Text
from viewer.reports.cell import Cell, said, shown
from viewer.reports.parts.summary import anew, bare_cells, goal_cells, measured, rate_cell
from viewer.words import Words


@dataclass(frozen=True, slots=True)
class Line:
    """A figure in the table.

    Attributes:
        result: the figure.
        goal: what was promised of it; None = nothing.
        cells: from its area to its weighted score, then period and collection rate.
    """

    result: Result
    goal: Goal | None
    cells: tuple[Cell, ...]


def scored(goals: Sequence[Goal], results: Mapping[str, Result], cap: float | None) -> Score:
    """The goals with what came of them.

    Raises:
        KeyError: a goal has no figure.
    """
    return score([(one, results[one.code]) for one in goals], cap)


def lines_of(total: Score, others: Sequence[Result]) -> list[Line]:
    """Goals first, then the figures that nobody set a target of."""
    rows = [Line(row.actual, row.goal, goal_cells(row, n, total.cap)) for n, row in enumerate(total.rows, 1)]
    rows += [Line(one, None, bare_cells(one, n)) for n, one in enumerate(others, len(rows) + 1)]
    return [Line(one.result, one.goal, (*one.cells, said(measured(one.result)), rate_cell(one.result))) for one in rows]


def notes_of(total: Score) -> tuple[Text, ...]:
    """How weights were divided anew."""
    return anew(total)


def in_short(row: Row, words: Words) -> str:
    """기존 → 목표 · 달성률, for the card of a figure."""
    cells = [shown(one, "en" if words.language == "en" else "ko") for one in goal_cells(row, 1, None)]
    return words("goal_in_short", baseline=cells[4], target=cells[5], achieved=cells[8])
