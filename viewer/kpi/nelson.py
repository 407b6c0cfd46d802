"""The eight tests of L. S. Nelson, Journal of Quality Technology 16 (1984) 4, 237-239.

A test marks the points at which its pattern is complete. A value that is missing (NaN) breaks every run; it counts for
no "k of n" either. A point on the centre line is on neither side.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from viewer.kpi.spc import Limits
from viewer.kpi.words import Text

Marks = NDArray[np.bool_]

TESTS: Final = {
    1: Text("1점이 3σ 밖", "one point beyond 3σ"),
    2: Text("9점이 연속 중심선 한쪽", "nine points in a row on one side"),
    3: Text("6점이 연속 증가 또는 감소", "six points in a row steadily up or down"),
    4: Text("14점이 교대로 증감", "fourteen points in a row alternating up and down"),
    5: Text("3점 중 2점이 같은 쪽 2σ 밖", "two of three points beyond 2σ on one side"),
    6: Text("5점 중 4점이 같은 쪽 1σ 밖", "four of five points beyond 1σ on one side"),
    7: Text("15점이 연속 1σ 안", "fifteen points in a row within 1σ"),
    8: Text("8점이 연속 1σ 밖", "eight points in a row beyond 1σ"),
}
"""What each test finds."""
LENGTHS: Final = {1: 1, 2: 9, 3: 6, 4: 14, 5: 3, 6: 5, 7: 15, 8: 8}
"""Points that the pattern of a test has; the last of them is marked."""


def nelson(values: NDArray[np.float64], limits: Limits) -> dict[int, Marks]:
    """Number of each test to the points that it marks, bool, shape (n,).

    Args:
        values: in their order, float64, shape (n,); NaN = missing.
        limits: centre line and σ of phase I. With a σ of 0 no test of a distance means anything, and none marks.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (values - limits.center) / limits.sigma if limits.sigma > 0 else np.full(len(values), np.nan)
        steps = np.concatenate(([np.nan], np.diff(values)))
        turns = np.concatenate(([np.nan], steps[1:] * steps[:-1]))
    above, below = values > limits.center, values < limits.center
    return {
        1: np.abs(z) > 3,  # noqa: PLR2004 - the tests are their numbers
        2: _row(above, 9) | _row(below, 9),
        3: _row(steps > 0, 5) | _row(steps < 0, 5),
        4: _row(turns < 0, 12),
        5: _of(z > 2, 2, 3) | _of(z < -2, 2, 3),  # noqa: PLR2004
        6: _of(z > 1, 4, 5) | _of(z < -1, 4, 5),
        7: _row(np.abs(z) < 1, 15),
        8: _row(np.abs(z) > 1, 8),
    }


def _row(holds: Marks, length: int) -> Marks:
    """Where it held `length` times in a row."""
    return np.equal(_counted(holds, length), length)


def _of(holds: Marks, least: int, length: int) -> Marks:
    """Where it holds, for the `least`-th time at least among the last `length`."""
    return holds & (_counted(holds, length) >= least)


def _counted(holds: Marks, length: int) -> NDArray[np.int64]:
    """How often it held among the last `length`."""
    total = np.concatenate((np.zeros(length, dtype=np.int64), np.cumsum(holds, dtype=np.int64)))
    return total[length:] - total[: len(holds)]
