"""Stretches of time, and how much of equal pieces of time they take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in disjoint stretches, oldest first."""
    found: list[Span] = []
    for low, high in sorted(one for one in spans if one[0] < one[1]):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def shares(spans: Sequence[Span], start_ns: int, width_ns: int, count: int) -> NDArray[np.float64]:
    """Part of each of `count` pieces of time that disjoint stretches take, 0 to 1, shape (count,)."""
    edges = start_ns + width_ns * np.arange(count + 1, dtype=np.int64)
    if not spans:
        return np.zeros(count)
    lows, highs = np.array(spans, dtype=np.int64).T
    before = np.concatenate(([0], np.cumsum(highs - lows)))
    index = np.searchsorted(lows, edges, side="right")
    beyond = np.maximum(highs[np.maximum(index - 1, 0)] - edges, 0)
    passed = np.where(index > 0, before[index] - beyond, 0)
    return np.diff(passed) / width_ns
