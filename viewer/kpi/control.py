"""A control chart of a period: points, limits frozen from phase I, and what Nelson's tests find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from viewer.kpi.nelson import LENGTHS, Marks, nelson
from viewer.kpi.spc import CONSTANTS, Chart, individuals, moving_ranges, subgroups

Kind = Literal["imr", "xbar"]
SIZES: Final = tuple(CONSTANTS)
"""Values of a subgroup."""
ENOUGH: Final = 25
"""Values or subgroups of which limits are made without a remark (ISO 7870-2:2013: 20 to 25 subgroups)."""


@dataclass(frozen=True, slots=True)
class Points:
    """What is charted.

    Attributes:
        time_ns: of each point, ns since 1970 UTC, int64, shape (n,); of a subgroup that of its last value.
        place: values, or means of subgroups, float64, shape (n,); NaN = missing.
        spread: moving ranges, or ranges of subgroups, float64, shape (n,); NaN = there is none.
        rest: newest values that make no whole subgroup yet.
    """

    time_ns: NDArray[np.int64]
    place: NDArray[np.float64]
    spread: NDArray[np.float64]
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A point at which something is out of control.

    Attributes:
        at: number of the point, from 0 on.
        tests: Nelson's tests whose pattern it completes.
        spread: whether its range is beyond the limits of the chart of ranges.
        sigmas: how far from the centre line it is, in σ; None where σ is 0.
        since: number of the point at which the longest of the patterns begins.
    """

    at: int
    tests: tuple[int, ...]
    spread: bool
    sigmas: float | None
    since: int


@dataclass(frozen=True, slots=True)
class Control:
    """A control chart.

    Attributes:
        points: what is charted.
        limits: of both charts, as phase I has them.
        tests: of each of Nelson's tests the points that it marks, bool, shape (n,).
        beyond: ranges beyond their limits, bool, shape (n,).
    """

    points: Points
    limits: Chart
    tests: Mapping[int, Marks]
    beyond: Marks

    @property
    def marked(self) -> Marks:
        """Points with any mark."""
        found: Marks = np.logical_or.reduce([*self.tests.values(), self.beyond])
        return found

    def marks(self, first: int = 0, last: int | None = None) -> list[Mark]:
        """What is marked from one point to before another, oldest first."""
        found = []
        for at in (np.flatnonzero(self.marked[first:last]) + first).tolist():
            tests = tuple(number for number, marks in self.tests.items() if marks[at])
            sigma = self.limits.place.sigma
            away = float(self.points.place[at] - self.limits.place.center) / sigma if sigma > 0 else None
            since = at + 1 - max((LENGTHS[number] for number in tests), default=1)
            found.append(Mark(at, tests, bool(self.beyond[at]), away, since))
        return found


def points_of(time_ns: NDArray[np.int64], values: NDArray[np.float64], kind: Kind, size: int) -> Points:
    """Values as the points of a chart.

    Args:
        time_ns: ns since 1970 UTC, int64, shape (n,), ascending.
        values: float64, shape (n,); NaN = missing, which leaves a subgroup without a point.
        kind: of the chart.
        size: values of a subgroup that follow each other, 2 to 10; without meaning for I-MR.
    """
    if kind == "imr":
        spread = np.concatenate((np.full(min(1, len(values)), np.nan), moving_ranges(values)))
        return Points(time_ns, values, spread)
    groups = grouped(values, size)
    ends = time_ns[size - 1 :: size][: len(groups)]
    return Points(ends, groups.mean(axis=1), np.ptp(groups, axis=1), len(values) - groups.size)


def grouped(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Whole subgroups of values that follow each other, shape (subgroups, size)."""
    count = len(values) // size
    return values[: count * size].reshape(count, size)


def limits_of(values: NDArray[np.float64], kind: Kind, size: int) -> Chart | None:
    """Limits by phase I, with everything that is in it; None where it has too few values.

    Args:
        values: of phase I in their order, float64, shape (n,); NaN = missing.
        kind: of the chart.
        size: values of a subgroup.
    """
    return individuals(values) if kind == "imr" else subgroups(grouped(values, size))


def control(points: Points, limits: Chart) -> Control:
    """What the tests find in the points; ranges are held against their limits only (ISO 7870-2:2013, 8.2)."""
    with np.errstate(invalid="ignore"):
        beyond = (points.spread > limits.spread.upper) | (points.spread < limits.spread.lower)
    return Control(points, limits, nelson(points.place, limits.place), beyond)
