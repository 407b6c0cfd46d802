"""Everything the ledger of an agent says against everything its store holds, window by window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.verify.stores import OfCompany
from pipelines.ledger.claims import Claims
from pipelines.ledger.compare import Claim, Finding, Held, compare
from pipelines.ledger.mix import mixed
from pipelines.ledger.tally import HOUR_NS, Rows, SeriesKey
from viewer.stores.base import ExactStore, Place, Points, place_of

WINDOW: Final = 400_000
"""Readings asked for at once, about: what bounds memory."""
_KINDS: Final = {"f": "float", "i": "int", "b": "bool", "O": "string"}
Cell = tuple[int, int]
"""Number of a series, and hour."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some series from one hour to another."""

    series: tuple[int, ...]
    first: int
    last: int


@dataclass(slots=True)
class Sum:
    """What was compared.

    Attributes:
        claimed: readings released.
        stored: readings the store holds in the hours of the ledger.
        cells: series and hours compared.
        findings: of those that do not agree exactly.
    """

    claimed: int = 0
    stored: int = 0
    cells: int = 0
    findings: dict[Cell, Finding] = field(default_factory=dict)


def windows(claims: Claims, hours: tuple[int, int]) -> Iterator[Window]:
    """What to ask for, oldest first: every hour between the first and the last of each series.

    Args:
        claims: of the agent.
        hours: first and last to look at.
    """
    reach = claims.reach()
    rows = claims.of_hours(*hours)
    if not len(rows):
        return
    per_hour: dict[int, int] = {}
    used, at = np.unique(rows["hour"], return_inverse=True)
    for hour, count in zip(used.tolist(), np.bincount(at, rows["count"]).tolist(), strict=True):
        per_hour[hour] = int(count)
    start = int(used[0])
    size = 0
    for hour, count in per_hour.items():
        if size and size + count > WINDOW:
            yield from _of_series(reach, claims.of_hours(start, hour - 1), start, hour - 1)
            start, size = hour, 0
        size += count
    yield from _of_series(reach, claims.of_hours(start, int(used[-1])), start, int(used[-1]))


def _of_series(reach: NDArray[np.int64], here: Rows, first: int, last: int) -> Iterator[Window]:
    there = np.flatnonzero((reach[:, 0] <= last) & (reach[:, 1] >= first))
    counts = np.bincount(here["series"], here["count"], minlength=len(reach))
    some: list[int] = []
    size = 0
    for series in there.tolist():
        if some and size + counts[series] > WINDOW:
            yield Window(tuple(some), first, last)
            some, size = [], 0
        some.append(series)
        size += int(counts[series])
    if some:
        yield Window(tuple(some), first, last)


class Judge:
    """Compares claims with stores.

    Args:
        of_company: the store of a company.
        running: whether the agent runs.
        progress: told of (readings compared, of how many) now and then.
    """

    def __init__(self, of_company: OfCompany, progress: Callable[[int, int], None], *, running: bool) -> None:
        self._of_company = of_company
        self._stores: dict[str, ExactStore] = {}
        self._running = running
        self._progress = progress
        self._told_s = time.monotonic()

    def close(self) -> None:
        """Let go of the stores."""
        for store in self._stores.values():
            store.close()

    def all(self, claims: Claims, hours: tuple[int, int]) -> Sum:
        """Compare everything.

        Raises:
            DependencyError: the store cannot be reached.
        """
        result = Sum()
        total = int(claims.rows["count"].sum(dtype=np.int64))
        for window in windows(claims, hours):
            self.window(claims, window, result)
            self._tell(result.claimed, total)
        return result

    def again(self, claims: Claims, cells: set[Cell]) -> Sum:
        """Compare some series and hours once more."""
        result = Sum()
        for hour in sorted({hour for _, hour in cells}):
            series = tuple(sorted(number for number, one in cells if one == hour))
            self.window(claims, Window(series, hour, hour), result)
        return result

    def window(self, claims: Claims, window: Window, result: Sum) -> None:
        """Compare a window; what does not agree exactly is added to the result."""
        keys = claims.view.numbers.keys
        expected = _expected(claims.of_hours(window.first, window.last), window.series)
        odd: dict[Cell, Held] = {}
        for number, points in zip(window.series, self._held([keys[one] for one in window.series], window), strict=True):
            hour = points.time_ns // HOUR_NS
            mix = mixed(points.time_ns, points.value)
            first = np.flatnonzero(np.append(True, hour[1:] != hour[:-1])) if len(hour) else np.empty(0, np.int64)
            held = {
                int(hour[start]): Held(points.time_ns[start:end], mix[start:end])
                for start, end in zip(first.tolist(), [*first[1:].tolist(), len(hour)], strict=False)
            }
            claimed = expected.get(number, {})
            result.stored += len(hour)
            for one in held.keys() | claimed.keys():
                count, total = claimed.get(one, (0, 0))
                result.cells += 1
                result.claimed += count
                here = held.get(one, Held(hour[:0], mix[:0]))
                if len(here) != count or here.hash != total:
                    odd[number, one] = here
        result.findings |= self._explained(claims, expected, odd)

    def _explained(
        self, claims: Claims, expected: dict[int, dict[int, tuple[int, int]]], odd: dict[Cell, Held]
    ) -> dict[Cell, Finding]:
        if not odd:
            return {}
        series, _, mix = claims.queued(sorted({hour for _, hour in odd}))
        found: dict[Cell, Finding] = {}
        for cell, held in odd.items():
            count, total = expected.get(cell[0], {}).get(cell[1], (0, 0))
            claim = Claim(
                count,
                total,
                claims.intervals(cell[0]),
                mix[series == cell[0]],
                claims.view.losses.spans,
                running=self._running,
                damaged=claims.view.damaged,
            )
            found[cell] = compare(claim, held)
        return found

    def _held(self, keys: list[SeriesKey], window: Window) -> list[Points]:
        """What the store holds of each series; nothing where it holds another type."""
        found: dict[int, Points] = {}
        companies: dict[str, list[int]] = {}
        for at, key in enumerate(keys):
            companies.setdefault(dict(key.tags).get("company", ""), []).append(at)
        for company, some in companies.items():
            if company not in self._stores:
                self._stores[company] = self._of_company(company)
            wanted = [(place_at(keys[at]), keys[at].field) for at in some]
            start_ns, end_ns = window.first * HOUR_NS, (window.last + 1) * HOUR_NS
            found |= dict(zip(some, self._stores[company].readings(wanted, start_ns, end_ns), strict=True))
        return [_of_kind(found[at], key.kind) for at, key in enumerate(keys)]

    def _tell(self, done: int, total: int) -> None:
        if time.monotonic() - self._told_s > 5:  # noqa: PLR2004 - seconds
            self._told_s = time.monotonic()
            self._progress(done, total)


def place_at(key: SeriesKey) -> Place:
    """Where a series stands."""
    return place_of(key.measurement, dict(key.tags))


def _of_kind(points: Points, kind: str) -> Points:
    same = _KINDS.get(points.value.dtype.kind) == kind
    return points if same else Points(points.time_ns[:0], points.value[:0])


def _expected(rows: Rows, series: tuple[int, ...]) -> dict[int, dict[int, tuple[int, int]]]:
    """Count and hash by series and hour."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    here: Any = rows[np.isin(rows["series"], series)]
    columns = (here[name].tolist() for name in ("series", "hour", "count", "hash"))
    for number, hour, count, total in zip(*columns, strict=True):
        of_series = found.setdefault(number, {})
        before = of_series.get(hour, (0, 0))
        of_series[hour] = (before[0] + count, (before[1] + total) & (2**64 - 1))
    return found
