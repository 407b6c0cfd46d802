"""담당 코디네이터별 점검 진도: what is done of what has to be done for each company, out of what is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from viewer.fleet.compare import Row
from viewer.kpi.freshness import Freshness
from viewer.kpi.result import LEAST_COVER

CHECKS: Final = ("facts", "linked", "collected", "goals", "locked", "measured")
"""기업정보, 연결, 수집률, 목표, 확정, 실적, in the order in which they come."""


def done(one: Row) -> frozenset[str]:
    """Checks that a company passes.

    facts: town, trade, size and level are known. linked: something came within 24 hours. collected: 95 % or more came
    today. goals: somebody set one. locked: each has been approved. measured: each has an achievement.
    """
    facts, line, kept = one.facts, one.line, one.line.promised
    goals = [] if kept is None else kept.rows
    passed = {
        "facts": all((facts.town, facts.ksic, facts.size, facts.level)),
        "linked": line.freshness is not Freshness.NONE,
        "collected": one.rate is not None and one.rate >= LEAST_COVER,
        "goals": bool(goals),
        "locked": bool(goals) and all(row.goal.official for row in goals),
        "measured": bool(goals) and all(row.achievement is not None for row in goals),
    }
    return frozenset(name for name in CHECKS if passed[name])


@dataclass(frozen=True, slots=True)
class Charge:
    """The companies of one coordinator.

    Attributes:
        name: of the coordinator; empty = nobody has them.
        count: companies.
        acting: of them, those that need somebody.
        passed: companies that pass each of `CHECKS`.
    """

    name: str
    count: int
    acting: int
    passed: tuple[int, ...]

    @property
    def progress(self) -> float:
        """점검 진도: passed of all checks of all companies, percent."""
        return sum(self.passed) / (self.count * len(CHECKS)) * 100


def charges(rows: Sequence[Row]) -> list[Charge]:
    """A line for each coordinator, the least progress first."""
    found: dict[str, list[Row]] = {}
    for one in rows:
        found.setdefault(one.facts.coordinator, []).append(one)
    made = []
    for name, own in found.items():
        passed = [done(one) for one in own]
        counts = tuple(sum(check in one for one in passed) for check in CHECKS)
        made.append(Charge(name, len(own), sum(bool(one.reasons) for one in own), counts))
    return sorted(made, key=lambda one: (one.progress, one.name))
