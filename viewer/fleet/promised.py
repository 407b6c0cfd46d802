"""KPI goals of one company among many: what was promised of its sites, lines and machines, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from pipelines.calendar import Span
from viewer.goals.book import Held
from viewer.goals.model import Whose
from viewer.kpi.goal import Row, Score, before_of, is_met, score
from viewer.kpi.period import named
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

PERIOD: Final = "month"
"""Goals are measured over the production days of this month, as `/goals` shows them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The goals of a unit with their figures.

    Attributes:
        whose: site, line or machine.
        period: of the figures, ns since 1970 UTC.
        total: goals, figures and 종합달성도.
    """

    whose: Whose
    period: Span
    total: Score


@dataclass(frozen=True, slots=True)
class Promised:
    """A company's goals.

    Attributes:
        at_ns: when they were measured, ns since 1970 UTC.
        held: of which goals they are.
        units: of each site, line and machine that has goals.
    """

    at_ns: int
    held: tuple[Held, ...]
    units: tuple[Kept, ...]

    @property
    def rows(self) -> list[Row]:
        """Every goal."""
        return [row for one in self.units for row in one.total.rows]

    @property
    def met(self) -> int:
        """Goals that are met."""
        return sum(is_met(row.achievement) for row in self.rows)

    @property
    def worse(self) -> int:
        """KPI 역행: goals whose figure is worse than its baseline."""
        return sum(row.achievement is not None and row.achievement < 0 for row in self.rows)

    @property
    def indicative(self) -> bool:
        """참고치: whether any achievement is of a figure that was collected too little."""
        return any(row.actual.indicative for row in self.rows if row.achievement is not None)

    @property
    def overall(self) -> float | None:
        """종합달성도, percent: of several units with goals their mean; None = no goal has an achievement."""
        found = [one.total.value for one in self.units if one.total.value is not None]
        return fmean(found) if found else None

    @property
    def reached(self) -> bool:
        """목표달성: whether each goal that was measured is met; a mean of 133 % and 67 % is none."""
        found = [row.achievement for row in self.rows if row.achievement is not None]
        return bool(found) and all(map(is_met, found))


def promised(store: Store, held: Sequence[Held], sites: Sequence[SiteInfo], now_ns: int) -> Promised:
    """The goals of one company, measured over this month up to now; those of a unit that is no more are left out.

    Raises:
        DependencyError: the store cannot be reached.
    """
    units: list[Kept] = []
    for site in sites:
        period = named(site.calendar, PERIOD, now_ns)
        for one in held:
            whose = one.whose
            there = (not whose.line or whose.line in site.lines) and (
                not whose.machine or whose.machine in site.machines
            )
            if (whose.company, whose.site) != site.key or not there or period[0] >= period[1]:
                continue
            unit, codes = Unit(whose.line, whose.machine), [goal.code for goal in one.goals]
            found = figures_of(store, site, unit, codes, period, before=before_of(one.goals))
            units.append(Kept(whose, period, score(list(zip(one.goals, found, strict=True)), one.cap)))
    return Promised(now_ns, tuple(held), tuple(units))
