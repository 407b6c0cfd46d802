"""What a machine counted, and the records of its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.inputs import Counts, Cycles
from viewer.stores.base import Points, Store

LOOK_BACK_NS: Final = 32 * 86_400 * 10**9
"""What held last before a period is looked for so far back."""


def counts(store: Store, machine: MachineInfo, period: Span) -> Counts:
    """Totals of a machine's counters in a period, and the last ones before it.

    A point in which one of the two is missing, as before the other was read for the first time, is left out.
    """
    place = machine.place("count")
    columns = []
    for field, points in zip(
        ("total", "good"), _fields(store, machine, "count", ("total", "good"), period), strict=True
    ):
        first = store.before(place, field, period[0], period[0] - LOOK_BACK_NS)
        columns.append(_joined(first, points) if len(first.time_ns) else points)
    total, good = columns
    if not len(good.time_ns):
        return Counts(time_ns=total.time_ns, total=_whole(total) if len(total.time_ns) else None)
    if not len(total.time_ns):
        return Counts(time_ns=good.time_ns, good=_whole(good))
    time_ns, (of_total, of_good) = common(columns)
    return Counts(time_ns=time_ns, total=_whole(total)[of_total], good=_whole(good)[of_good])


def cycles(store: Store, machine: MachineInfo, period: Span) -> Cycles:
    """Records of the cycles that ended in a period."""
    duration, number = _fields(store, machine, "cycle", ("duration_s", "counts"), period)
    time_ns, (of_duration, of_number) = common([duration, number])
    return Cycles(
        time_ns=time_ns,
        duration_s=duration.value[of_duration].astype(np.float64),
        counts=number.value[of_number].astype(np.int64),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of the cycles that ended in a period, in their order.

    Attributes:
        time_ns: when they ended, ns since 1970 UTC, int64, shape (n,).
        value: float64, shape (n,); NaN = the record lacks it.
        cycles: how many cycles were counted; more than records where some fell between two readings.
    """

    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    cycles: int

    @property
    def without(self) -> int:
        """Cycles counted that have no value."""
        return self.cycles - int(np.isfinite(self.value).sum())

    @property
    def seen_ns(self) -> int | None:
        """Time of the newest value, ns since 1970 UTC; None = there is none."""
        known = self.time_ns[np.isfinite(self.value)]
        return int(known[-1]) if len(known) else None


def measured(store: Store, machine: MachineInfo, field: str, period: Span) -> Measured:
    """What was measured of one value of a machine's cycles."""
    duration, number, found = _fields(store, machine, "cycle", ("duration_s", "counts", field), period)
    value = np.full(len(duration.time_ns), np.nan)
    if found.value.dtype.kind in "fiu":
        _, at, of = np.intersect1d(duration.time_ns, found.time_ns, return_indices=True)
        value[at] = found.value[of]
    return Measured(duration.time_ns, value, int(number.value.astype(np.int64).sum()))


def common(columns: Sequence[Points]) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    """Times that all columns have, and where each of them has these; mostly they are the same times."""
    time_ns = columns[0].time_ns
    if all(np.array_equal(time_ns, one.time_ns) for one in columns[1:]):
        return time_ns, [np.arange(len(time_ns)) for _ in columns]
    for one in columns[1:]:
        time_ns = np.intersect1d(time_ns, one.time_ns, assume_unique=True)
    return time_ns, [np.searchsorted(one.time_ns, time_ns) for one in columns]


def _fields(
    store: Store, machine: MachineInfo, measurement: str, fields: Sequence[str], period: Span
) -> Sequence[Points]:
    place = machine.place(measurement)
    return store.readings([(place, field) for field in fields], *period)


def _joined(first: Points, rest: Points) -> Points:
    return Points(np.concatenate((first.time_ns, rest.time_ns)), np.concatenate((first.value, rest.value)))


def _whole(points: Points) -> NDArray[np.int64]:
    return points.value.astype(np.int64)
