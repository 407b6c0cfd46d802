"""What the battery tests of a period come to: grades by model, yield, length, spread of tests that were repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from pipelines.derive.battery.grading import HOLD, GradingRule
from viewer.battery.record import BatteryTest

AGREE: Final = 3.0
"""Two tests of a pack agree within this, percentage points of SoH (KC 10031)."""
_TWO: Final = 2
Rules = Mapping[str, GradingRule]
"""Rule of today by cycler; one that cannot be read is not there."""


@dataclass(frozen=True, slots=True)
class Row:
    """Tests of one model, or of all.

    Attributes:
        model: of the packs; empty = no tag says it, None = all.
        counts: tests of each grade, of those that there are.
        total: tests.
        reused: tests whose grade is one of reuse; None = the rule of today cannot be read or does not know a grade.
        soh: median state of health by charge, percent; None = it was measured in none.
    """

    model: str | None
    counts: Mapping[str, int]
    total: int
    reused: int | None
    soh: float | None

    def share(self, grade: str) -> float:
        """Percent of the tests; there must be one."""
        return 100 * self.counts.get(grade, 0) / self.total


@dataclass(frozen=True, slots=True)
class Summary:
    """Tests of a period.

    Attributes:
        grades: every grade there is, from the best, 보류 last.
        whole: all tests.
        models: by model, most tests first.
        hours: length of each test that came to its end, ascending, hours.
        packs: different packs; tests without a number count as one each.
        repeated: packs that were tested more than once with a state of health.
        spread: greatest difference between tests of one pack, percentage points; None = none was repeated.
    """

    grades: tuple[str, ...]
    whole: Row
    models: tuple[Row, ...]
    hours: tuple[float, ...]
    packs: int
    repeated: int
    spread: float | None

    @property
    def middle_h(self) -> float | None:
        """Median length, hours."""
        return median(self.hours) if self.hours else None


def summary(tests: Sequence[BatteryTest], rules: Rules) -> Summary:
    """What tests come to; the rules say in which order grades stand, and which are of reuse."""
    by_model: dict[str, list[BatteryTest]] = {}
    by_pack: dict[str, list[float]] = {}
    for one in tests:
        by_model.setdefault(one.model, []).append(one)
        if one.pack and one.soh_c is not None:
            by_pack.setdefault(one.pack, []).append(one.soh_c)
    repeated = [max(some) - min(some) for some in by_pack.values() if len(some) >= _TWO]
    models = [_row(model, some, rules) for model, some in by_model.items()]
    return Summary(
        grades_of(tests, rules),
        _row(None, tests, rules),
        tuple(sorted(models, key=lambda one: (-one.total, one.model or ""))),
        tuple(sorted(one.length_ns / 3.6e12 for one in tests if one.length_ns is not None)),
        len({one.pack for one in tests if one.pack}) + sum(not one.pack for one in tests),
        len(repeated),
        max(repeated, default=None),
    )


def grades_of(tests: Sequence[BatteryTest], rules: Rules) -> tuple[str, ...]:
    """Grades of the rules from the best, then those that only records have, 보류 last."""
    known = [grade.grade for rule in rules.values() for grade in rule.grades]
    return (*dict.fromkeys((*known, *sorted({one.grade for one in tests if not one.held} - set(known)))), HOLD)


def _row(model: str | None, tests: Sequence[BatteryTest], rules: Rules) -> Row:
    health = [one.soh_c for one in tests if one.soh_c is not None]
    reuse = [_reused(one, rules) for one in tests]
    reused = None if None in reuse else sum(bool(one) for one in reuse)
    return Row(model, Counter(one.grade for one in tests), len(tests), reused, median(health) if health else None)


def _reused(one: BatteryTest, rules: Rules) -> bool | None:
    """Whether a pack is used again; None where the rule of today does not know its grade."""
    if one.held:
        return False
    rule = rules.get(one.name)
    return next((grade.reuse for grade in rule.grades if grade.grade == one.grade), None) if rule else None
