"""What can be charted of a machine: values of its cycles, and its own tags at equal intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.usable import OWN_VALUES
from viewer.catalog import MachineInfo, TagInfo
from viewer.query.collected import Pieces, collected
from viewer.query.cycles import columns_of
from viewer.query.inputs import machine_inputs
from viewer.query.pieces import LOOK_BACK_NS, measured
from viewer.query.quality import rate_of
from viewer.site_info import SiteInfo
from viewer.stores.base import Points, Store

CYCLE: Final = "cycle"
TAG: Final = "tag"
DURATION: Final = OWN_VALUES[-1]
INTERVALS_S: Final = (60, 300, 900, 3600)
"""How far apart the values of a tag are that are charted; of cycles every one is, or some at these intervals."""
EVERY: Final = 0
"""No interval: each cycle."""
MOST_TAG_NS: Final = 8 * 86_400 * 10**9
"""Longest period of a tag: every reading of it is read."""
_NS: Final = 10**9
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A value that can be charted.

    Attributes:
        of: `cycle` for a value of the cycles' records, `tag` for a tag.
        field: in the store.
        tag: label, unit and digits.
    """

    of: str
    field: str
    tag: TagInfo

    @property
    def key(self) -> str:
        """What an address calls it."""
        return f"{self.of}:{self.field}"


@dataclass(frozen=True, slots=True)
class Charted:
    """Values in their order.

    Attributes:
        time_ns: ns since 1970 UTC, int64, shape (n,).
        value: float64, shape (n,); NaN = missing.
        cover: collection rate, percent: of cycles that of the machine's states; None = not known.
        seen_ns: time of the newest value, ns since 1970 UTC; None = there is none.
        without: cycles counted that have no value.
        passed: values between the intervals, which are not charted.
    """

    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    cover: float | None
    seen_ns: int | None
    without: int = 0
    passed: int = 0


def characteristics(store: Store, site: SiteInfo, machine: MachineInfo) -> list[Characteristic]:
    """What can be charted: the value by which the process is judged first, then the cycles', then the tags.

    Raises:
        DependencyError: the store cannot be reached.
    """
    found: list[Characteristic] = []
    if machine.cycles:
        numbers = [one for one in columns_of(store, site, machine) if not one.is_text]
        found = [Characteristic(CYCLE, one.field, one.tag) for one in numbers]
        found.append(Characteristic(CYCLE, DURATION, TagInfo(DURATION, unit="s")))
        judged = machine.quality.field if machine.quality else ""
        found.sort(key=lambda one: one.field != judged)
    kinds = {one.field: type(one.value) for one in store.latest(machine.place())}
    tags = [tag for tag in machine.tags.values() if kinds.get(tag.name) in {float, int}]
    return [*found, *(Characteristic(TAG, tag.name, tag) for tag in tags)]


def charted(
    store: Store,
    site: SiteInfo,
    machine: MachineInfo,
    what: Characteristic,
    period: Span,
    interval_s: int,
    together: int = 1,
) -> Charted:
    """Values of a characteristic in a period.

    Of cycles each one, or the first ones of each interval, as somebody would who measures some pieces now and then.

    Of a tag that is polled, the first reading of each interval; of one that is told on change, what held at the
    beginning of each. An interval without one is missing.

    Args:
        store: holds them.
        site: of the machine.
        machine: which.
        what: of `characteristics`.
        period: start and end, ns since 1970 UTC; of a tag at most `MOST_TAG_NS` long.
        interval_s: one of `INTERVALS_S`; of cycles also `EVERY`.
        together: cycles that are taken in each interval.

    Raises:
        DependencyError: the store cannot be reached.
    """
    if what.of == CYCLE:
        found = measured(store, machine, what.field, period)
        at = taken(found.time_ns, period[0], interval_s * _NS, together)
        passed = len(found.time_ns) - len(at)
        cover = machine_inputs(store, site, machine, period, parts={"states"}).cover() if machine.has_state else None
        return Charted(found.time_ns[at], found.value[at], cover, found.seen_ns, found.without, passed)
    if period[0] >= period[1]:
        return Charted(np.empty(0, dtype=np.int64), np.empty(0), None, None)
    pieces = Pieces(store, site.key, period)
    came = collected(pieces, machine, [what.tag])
    rate = rate_of([came], period)
    points = store.points(machine.place(), what.field, *period)
    width_ns = interval_s * _NS
    if what.tag.period_s is not None:
        time_ns, value = first_of_each(points, period, max(width_ns, round(what.tag.period_s * _NS)))
    else:
        before = store.before(machine.place(), what.field, period[0], period[0] - LOOK_BACK_NS)
        time_ns, value = held(before, points, period, width_ns)
        value = np.where(came.parts[0][(time_ns - period[0]) // came.width_ns] < _HALF, np.nan, value)
    known = time_ns[np.isfinite(value)]
    return Charted(time_ns, value, rate.value if rate else None, int(known[-1]) if len(known) else None)


def usual_interval_s(period: Span, most: int) -> int:
    """The shortest interval that gives no more than so many values; the longest where none does."""
    length_s = (period[1] - period[0]) / _NS
    return next((one for one in INTERVALS_S if length_s / one <= most), INTERVALS_S[-1])


def taken(time_ns: NDArray[np.int64], start_ns: int, width_ns: int, together: int) -> NDArray[np.int64]:
    """Which are the first so many of each interval; those of an interval with fewer are left out. Pure.

    Args:
        time_ns: ascending, ns since 1970 UTC, int64, shape (n,).
        start_ns: of the first interval.
        width_ns: of an interval; 0 = everything is taken.
        together: how many of each.
    """
    every = np.arange(len(time_ns), dtype=np.int64)
    if not width_ns or not len(time_ns):
        return every
    which = (time_ns - start_ns) // width_ns
    first = np.searchsorted(which, which)
    whole = np.searchsorted(which, which, side="right") - first >= together
    return every[whole & (every - first < together)]


def first_of_each(points: Points, period: Span, width_ns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The first reading of each interval; one of NaN for all that follow each other without a reading. Pure."""
    which = (points.time_ns - period[0]) // width_ns
    first = np.flatnonzero(np.append(True, which[1:] != which[:-1])) if len(which) else np.empty(0, dtype=np.int64)
    number, time_ns, value = which[first], points.time_ns[first], points.value[first].astype(np.float64)
    holes = np.flatnonzero(np.diff(number) > 1) + 1
    return np.insert(time_ns, holes, time_ns[holes - 1] + width_ns), np.insert(value, holes, np.nan)


def held(before: Points, points: Points, period: Span, width_ns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What held at the beginning of each interval; NaN before the first value. Pure."""
    time_ns = np.arange(*period, width_ns, dtype=np.int64)
    told = np.concatenate((before.time_ns, points.time_ns))
    values = np.concatenate((before.value.astype(np.float64), points.value.astype(np.float64)))
    at = np.searchsorted(told, time_ns, side="right") - 1
    if not len(told):
        return time_ns, np.full(len(time_ns), np.nan)
    return time_ns, np.where(at < 0, np.nan, values[np.maximum(at, 0)])
