"""Companies next to each other: totals, and by town and trade. Groups of fewer than five are not shown. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from typing import Final

from viewer.book.facts import Facts
from viewer.fleet.risk import Risk
from viewer.fleet.summary import Summary
from viewer.kpi.freshness import Freshness

LEAST: Final = 5
"""A smaller group would say what a single company's figures are."""


@dataclass(frozen=True, slots=True)
class Row:
    """A company of the list.

    Attributes:
        line: what is known of it now.
        facts: what is known beside.
        risk: its points.
        reasons: why somebody has to act.
    """

    line: Summary
    facts: Facts
    risk: Risk
    reasons: Sequence[tuple[str, str]]

    @property
    def rate(self) -> float | None:
        """수집률 today, percent."""
        return self.line.detail.rate if self.line.detail else None

    @property
    def overall(self) -> float | None:
        """종합달성도 of this month, percent."""
        return self.line.promised.overall if self.line.promised else None


@dataclass(frozen=True, slots=True)
class Group:
    """Companies together.

    Attributes:
        name: of the group.
        count: companies.
        fresh: of them, those whose data is fresh.
        rate: mean 수집률 of those that have one, percent; None = nobody has, or of a group fewer than five.
        rated: how many have one.
        urgent: urgent alarms that are active or not yet acknowledged.
        risk: median of the points.
        measured: how many have a 종합달성도.
        reached: of them, those all of whose measured goals are met.
        overall: median 종합달성도, percent; None as of `rate`.
    """

    name: str
    count: int
    fresh: int
    rate: float | None
    rated: int
    urgent: int
    risk: float
    measured: int
    reached: int
    overall: float | None


def group(name: str, rows: Sequence[Row], least: int = 1) -> Group:
    """Rows together.

    Args:
        name: of the group.
        rows: its companies.
        least: of fewer that have one there is no mean.

    Raises:
        StatisticsError: there are none.
    """
    rates = [one.rate for one in rows if one.rate is not None]
    overall = [one.overall for one in rows if one.overall is not None]
    return Group(
        name,
        len(rows),
        sum(one.line.freshness is Freshness.OK for one in rows),
        fmean(rates) if len(rates) >= least else None,
        len(rates),
        sum(one.line.detail.urgent for one in rows if one.line.detail),
        median(one.risk.total for one in rows),
        len(overall),
        sum(one.line.promised.reached for one in rows if one.line.promised),
        median(overall) if len(overall) >= least else None,
    )


def compared(rows: Sequence[Row], by: Callable[[Facts], str]) -> tuple[list[Group], int, int]:
    """Groups of five and more, the greatest first; how many smaller ones there are, and companies that are in none."""
    found: dict[str, list[Row]] = {}
    for one in rows:
        found.setdefault(by(one.facts), []).append(one)
    nowhere = len(found.pop("", []))
    shown = [group(name, own, LEAST) for name, own in found.items() if len(own) >= LEAST]
    return sorted(shown, key=lambda one: (-one.count, one.name)), len(found) - len(shown), nowhere


@dataclass(frozen=True, slots=True)
class Box:
    """How a figure is spread over the companies of a group.

    Attributes:
        name: of the group.
        count: companies that have the figure.
        low: least.
        first: a quarter has less (R-7 quantiles, as spreadsheets make them).
        middle: median.
        third: a quarter has more.
        high: greatest.
    """

    name: str
    count: int
    low: float
    first: float
    middle: float
    third: float
    high: float


def boxes(rows: Sequence[Row], by: Callable[[Facts], str], of: Callable[[Row], float | None]) -> tuple[list[Box], int]:
    """A box for each group of five companies or more that have the figure; and how many groups are hidden."""
    found: dict[str, list[float]] = {}
    for one in rows:
        value = of(one)
        if value is not None and by(one.facts):
            found.setdefault(by(one.facts), []).append(value)
    shown = []
    for name, values in found.items():
        if len(values) >= LEAST:
            first, middle, third = quantiles(values, n=4, method="inclusive")
            shown.append(Box(name, len(values), min(values), first, middle, third, max(values)))
    return sorted(shown, key=lambda one: (-one.count, one.name)), len(found) - len(shown)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a company stands among others.

    Attributes:
        percentile: how many of the others have less, percent: 0 is the least, 100 the greatest (PERCENTRANK.INC).
        count: companies that have the figure, with itself.
    """

    percentile: float
    count: int


def standings(
    rows: Sequence[Row], by: Callable[[Facts], str], of: Callable[[Row], float | None]
) -> dict[str, Standing]:
    """Of each company that has the figure, in a group of five or more that have it, where it stands in its group."""
    found: dict[str, dict[str, float]] = {}
    for one in rows:
        value = of(one)
        if value is not None and by(one.facts):
            found.setdefault(by(one.facts), {})[one.line.company] = value
    return {
        company: Standing(bisect_left(ordered, value) / (len(own) - 1) * 100, len(own))
        for own in found.values()
        if len(own) >= LEAST
        for ordered in [sorted(own.values())]
        for company, value in own.items()
    }
