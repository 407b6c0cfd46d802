"""Readings of a segment in three pieces of memory that grow, 20 bytes each.

Thousands of small arrays that live as long as their segment would leave holes in the heap behind them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.ledger.readings import Points

_FIRST: Final = 4096


class Columns:
    """Series, time and mix of readings in the order they were added."""

    def __init__(self) -> None:
        self._used = 0
        self._series = np.empty(0, np.uint32)
        self._time_ns = np.empty(0, np.int64)
        self._mix = np.empty(0, np.uint64)

    def add(self, points: Points) -> None:
        """Put readings behind the others."""
        end = self._used + len(points[0])
        if end > len(self._series):
            size = max(_FIRST, end, 2 * len(self._series))
            self._series, self._time_ns, self._mix = (
                self._grown(column, size) for column in (self._series, self._time_ns, self._mix)
            )
        at = slice(self._used, end)
        self._series[at], self._time_ns[at], self._mix[at] = points
        self._used = end

    def all(self) -> Points:
        """All of them; a view, shape (n,) each."""
        return self._series[: self._used], self._time_ns[: self._used], self._mix[: self._used]

    def _grown(self, column: NDArray[Any], size: int) -> NDArray[Any]:
        grown = np.empty(size, column.dtype)
        grown[: self._used] = column[: self._used]
        return grown
