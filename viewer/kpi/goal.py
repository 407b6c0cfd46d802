"""Baseline, target and actual: improvement, achievement, and what a project comes to.

Formulas of the project's KPI form: 개선율 = (실적 − 기존) / 기존 where more is better, (기존 − 실적) / 기존 where less
is; 달성률 = (기존 − 실적) / (기존 − 목표) for both; 종합달성도 = Σ(weight x achievement) / Σ weight. 목표대비 of a
programme, actual / target, is another one: 260 of 160 companies are 162.5 %. What got worse stays negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from viewer.kpi.catalog import CATALOG
from viewer.kpi.production import Produced
from viewer.kpi.result import Result
from viewer.kpi.words import Text

GROWTH: Final = "P-QTY"
_MET: Final = 100.0
_ROUNDED_OFF: Final = 9
"""Digits behind the point of a percentage up to which a sum of floats is exact."""
IMPROVEMENT: Final = {
    "up": Text("개선율 = (실적 − 기존) / 기존 × 100", "improvement = (actual − baseline) / baseline × 100"),
    "down": Text("개선율 = (기존 − 실적) / 기존 × 100", "improvement = (baseline − actual) / baseline × 100"),
}
ACHIEVEMENT: Final = Text(
    "달성률 = (기존 − 실적) / (기존 − 목표) × 100",
    "achievement = (baseline − actual) / (baseline − target) × 100",
)
OVERALL: Final = Text(
    "종합달성도 = Σ(가중치 × 달성률) / Σ가중치 (미수집 지표는 제외하고 가중치를 다시 나눔)",
    "overall = Σ(weight × achievement) / Σ weight, figures without data left out of both sums",
)
OF_TARGET: Final = Text("목표대비 = 실적 / 목표 × 100", "of the target = actual / target × 100")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a project promised of one figure.

    Attributes:
        code: of the figure in `CATALOG`.
        baseline: 기존; None = not measured.
        target: 목표.
        weight: 가중치, above 0.
        version: counts the changes of this goal, from 1 on.
        approved_on: from that day on it is locked; None = a draft, and its figure is no official one (운영지표).
        approved_by: who approved it.
        baseline_from: where the baseline is from, such as a daily work log; empty = nobody said.
        before: of P-QTY, what was made in the time of the baseline; None = not known.

    Raises:
        ValueError: the weight is not above 0, or the figure is not known.
    """

    code: str
    baseline: float | None
    target: float
    weight: float = 1.0
    version: int = 1
    approved_on: date | None = None
    approved_by: str = ""
    baseline_from: str = ""
    before: Produced | None = None

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.code not in CATALOG:
            msg = f"{self.code} with a weight of {self.weight} is no goal"
            raise ValueError(msg)

    @property
    def official(self) -> bool:
        """Whether it is locked: 공식지표."""
        return self.approved_on is not None

    def improvement(self, actual: float | None) -> float | None:
        """개선율, percent; None without one of the two, or with a baseline of 0 or less, whose sign would turn it."""
        if actual is None or self.baseline is None or self.baseline <= 0:
            return None
        sign = 1 if CATALOG[self.code].better == "up" else -1
        return sign * (actual - self.baseline) / self.baseline * 100

    def achievement(self, actual: float | None) -> float | None:
        """달성률, percent; None without one of the two, or with a target that is no better than the baseline."""
        if actual is None or self.baseline is None or not is_better(self.code, self.target, self.baseline):
            return None
        return (self.baseline - actual) / (self.baseline - self.target) * 100


def before_of(goals: Sequence[Goal]) -> Produced | None:
    """What P-QTY is compared with: pieces of the time of its baseline; None = they are not known."""
    return next((one.before for one in goals if one.code == GROWTH), None)


def is_met(achievement: float | None) -> bool:
    """Whether 달성률 or 종합달성도, percent, is 100 or more; what weights and divisions round off is nothing missed."""
    return achievement is not None and round(achievement, _ROUNDED_OFF) >= _MET


def can_be(code: str, target: float) -> bool:
    """Whether a figure can ever be so: a share of a whole lies between none of it and all of it."""
    most = CATALOG[code].most
    return most is None or 0 <= target <= most


def is_better(code: str, value: float, than: float) -> bool:
    """Whether a value of a figure is better than another one."""
    return value > than if CATALOG[code].better == "up" else value < than


@dataclass(frozen=True, slots=True)
class Row:
    """One goal with what came of it.

    Attributes:
        goal: baseline, target, weight.
        actual: the figure of the period of measurement.
        achievement: 달성률, percent; None = 미수집.
        weight: its share of the whole after what is 미수집 was left out, percent; None = it is left out.
    """

    goal: Goal
    actual: Result
    achievement: float | None
    weight: float | None

    @property
    def improvement(self) -> float | None:
        """개선율, percent."""
        return self.goal.improvement(self.actual.value)


@dataclass(frozen=True, slots=True)
class Score:
    """종합달성도 of a project.

    Attributes:
        value: percent; None = no goal has an achievement.
        rows: each goal; their `weight` says how weights were divided anew.
        cap: no achievement counts for more than this, percent; None = no limit.
    """

    value: float | None
    rows: tuple[Row, ...]
    cap: float | None

    @property
    def left_out(self) -> tuple[str, ...]:
        """Codes of goals without an achievement."""
        return tuple(row.goal.code for row in self.rows if row.weight is None)


def score(goals: Sequence[tuple[Goal, Result]], cap: float | None = None) -> Score:
    """종합달성도 of goals and their figures.

    Raises:
        ValueError: a goal has the figure of another one.
    """
    if mixed := [goal.code for goal, actual in goals if goal.code != actual.code]:
        msg = f"the figure of another goal: {', '.join(mixed)}"
        raise ValueError(msg)
    reached = [goal.achievement(actual.value) for goal, actual in goals]
    total = sum(goal.weight for (goal, _), one in zip(goals, reached, strict=True) if one is not None)
    rows = tuple(
        Row(goal, actual, one, None if one is None else goal.weight / total * 100)
        for (goal, actual), one in zip(goals, reached, strict=True)
    )
    counted = [
        (row.goal.weight, row.achievement if cap is None else min(row.achievement, cap))
        for row in rows
        if row.achievement is not None
    ]
    return Score(sum(weight * one for weight, one in counted) / total if counted else None, rows, cap)


def of_target(actual: float | None, target: float | None) -> float | None:
    """목표대비 of a programme, percent: actual / target; None without one of them, or with a target of 0."""
    return None if actual is None or not target else actual / target * 100
