"""Pieces from the totals that agents derive of counters. Nothing is interpolated, nothing is clamped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.kpi.spans import Spans, Times


@dataclass(frozen=True, slots=True)
class Made:
    """What was made in windows.

    Attributes:
        total: pieces; None where nothing counted them.
        good: good pieces; None where nothing told good from bad.
        samples: steps of the counter that they are made of.
        unplaced: pieces that are left out of the two, since they were made while the state was unknown.
        seen_ns: time of the newest reading, ns since 1970 UTC.
    """

    total: int | None
    good: int | None
    samples: int
    unplaced: int = 0
    seen_ns: int | None = None

    def __add__(self, other: Made) -> Made:
        """Of two machines: what one of them does not count, is not counted of both."""
        return Made(
            None if self.total is None or other.total is None else self.total + other.total,
            None if self.good is None or other.good is None else self.good + other.good,
            self.samples + other.samples,
            self.unplaced + other.unplaced,
            max(self.seen_ns or 0, other.seen_ns or 0) or None,
        )

    @property
    def bad(self) -> int | None:
        """Bad pieces."""
        return None if self.total is None or self.good is None else self.total - self.good


def made(
    time_ns: NDArray[np.int64],
    total: NDArray[np.int64] | None,
    good: NDArray[np.int64] | None,
    windows: Sequence[Span],
    spans: Spans | None = None,
) -> Made:
    """Pieces within disjoint windows.

    A piece counts at the time of the reading that first had it; the first reading of all has none. With states, a step
    of the counter is left out when for most of the time since the reading before the state was unknown: what was made
    then is in neither the time nor the pieces. Windows that are split anywhere add up.

    Args:
        time_ns: times of the points, ascending, int64, shape (n,); from the last one before the windows on.
        total: running totals of pieces in them, int64, shape (n,); None = not counted.
        good: running totals of good pieces, the same.
        windows: start and end, ns since 1970 UTC.
        spans: states; None = every step counts.
    """
    at = time_ns[1:]
    edges = np.array(sorted(windows), dtype=np.int64).ravel()
    inside = np.searchsorted(edges, at, side="right") % 2 == 1
    placed = inside
    if spans is not None:
        placed = inside & (2 * np.diff(spans.known_ns(time_ns)) >= np.diff(time_ns))
    return Made(
        _sum(total, placed),
        _sum(good, placed),
        int(np.count_nonzero(placed)),
        _sum(total, inside & ~placed) or 0,
        int(at[inside].max()) if inside.any() else None,
    )


def standard_s(products: Sequence[tuple[Made, float | None]]) -> float | None:
    """Time that pieces should have taken, seconds: Σ ideal time of one (PRI) x pieces (PQ), over products or machines.

    None where one was not counted, or has no known ideal time.
    """
    known = [one.total * ideal_s for one, ideal_s in products if one.total is not None and (ideal_s is not None)]
    return sum(known) if known and len(known) == len(products) else None


def _sum(total: NDArray[np.int64] | None, steps: NDArray[np.bool_]) -> int | None:
    return None if total is None or not steps.any() else int(np.diff(total)[steps].sum())


def summed(parts: Sequence[Made]) -> Made:
    """Of several machines; of none nothing was counted."""
    return sum(parts[1:], start=parts[0]) if parts else Made(None, None, 0)


def stood(spent: Times, placed: Made) -> Made:
    """What a machine made; one that did not run while its state was known made nothing."""
    return Made(0, 0, 0) if placed.total is None and spent.samples and not spent.operating_ns else placed
