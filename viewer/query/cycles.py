"""Records of a machine's cycles as a table: which values they have, the newest, and those beside a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.usable import OWN_VALUES, TEXT
from viewer.catalog import MachineInfo, TagInfo
from viewer.site_info import SiteInfo
from viewer.stores.base import Store, Value

_NUMBER, _COUNTS, _DURATION = OWN_VALUES
_FIRST_NS: Final = 600 * 10**9
_FURTHER: Final = 6
"""Cycles are looked for in spans that grow by so much: a press makes one a second, a furnace two a day."""


@dataclass(frozen=True, slots=True)
class Column:
    """A value that the records of a machine's cycles have.

    Attributes:
        field: in the store.
        tag: label, unit and digits of the tag that it was taken from.
        source: machine and tag; None = the site's settings name it no longer.
        is_text: whether it holds texts.
    """

    field: str
    tag: TagInfo
    source: tuple[str, str] | None
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Cycle:
    """The record of a cycle: see `pipelines.derive.cycle.CycleRule`.

    Attributes:
        time_ns: when it ended, ns since 1970 UTC.
        number: what the counter counted in all.
        counts: cycles since the record before.
        duration_s: of one of them, seconds.
        values: of the columns that were asked for; None = the record lacks it.
    """

    time_ns: int
    number: int | None
    counts: int | None
    duration_s: float
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class CyclePage:
    """Some cycles of a period, the newest first.

    Attributes:
        cycles: at most as many as were asked for.
        older_ns: cycles before this moment are on the page of older ones, ns since 1970 UTC; None = there are none.
        newer_ns: cycles after this moment are on the page of newer ones; None = there are none.
    """

    cycles: tuple[Cycle, ...]
    older_ns: int | None = None
    newer_ns: int | None = None


def columns_of(store: Store, site: SiteInfo, machine: MachineInfo) -> list[Column]:
    """Values of the records of a machine's cycles, in the order of its settings; those that only the store has follow.

    Raises:
        DependencyError: the store cannot be reached.
    """
    stored = {one.field: one.value for one in store.latest(machine.place("cycle")) if one.field not in OWN_VALUES}
    found: list[Column] = []
    for name, (owner, tag_name) in machine.cycle_values.items():
        source = site.machines.get(owner)
        tag = source.tags.get(tag_name, TagInfo(tag_name)) if source else TagInfo(tag_name)
        names = [one for one in (name, name + TEXT, f"{name}_value") if one in stored]
        if f"{name}_value" in names and not name.endswith(TEXT):
            names.remove(f"{name}_value")  # another tag's
        found += [Column(one, tag, (owner, tag_name), isinstance(stored.pop(one), str)) for one in names]
        if not names:
            found.append(Column(name, tag, (owner, tag_name)))
    return [*found, *(Column(name, TagInfo(name), None, isinstance(value, str)) for name, value in stored.items())]


def cycles_in(store: Store, machine: MachineInfo, columns: Sequence[Column], period: Span) -> list[Cycle]:
    """Records of the cycles that ended in a period, oldest first.

    Raises:
        DependencyError: the store cannot be reached.
    """
    place = machine.place("cycle")
    fields = (_DURATION, _NUMBER, _COUNTS, *(one.field for one in columns))
    duration, *rest = store.readings([(place, field) for field in fields], *period)
    times = duration.time_ns.tolist()
    number, counts, *values = (
        list(map(dict(zip(one.time_ns.tolist(), one.value.tolist(), strict=True)).get, times)) for one in rest
    )
    rows = zip(*values, strict=True) if values else ((),) * len(times)
    return [Cycle(*one) for one in zip(times, number, counts, map(float, duration.value.tolist()), rows, strict=True)]


def newest(store: Store, machine: MachineInfo, columns: Sequence[Column], period: Span, count: int) -> list[Cycle]:
    """The newest `count` cycles of a period, oldest first.

    Raises:
        DependencyError: the store cannot be reached.
    """
    times = _last_times(store, machine, period, count)
    return cycles_in(store, machine, columns, (int(times[0]), period[1])) if len(times) else []


def cycle_page(
    store: Store,
    machine: MachineInfo,
    columns: Sequence[Column],
    period: Span,
    count: int,
    *,
    before_ns: int | None = None,
    after_ns: int | None = None,
) -> CyclePage:
    """A page of the cycles of a period: the newest ones, those before a moment, or the first ones after one.

    Args:
        store: holds them.
        machine: whose they are.
        columns: values that are wanted.
        period: start and end, ns since 1970 UTC.
        count: cycles of a page.
        before_ns: older than this, ns since 1970 UTC.
        after_ns: newer than this; the first page where fewer than a page of them are there.

    Raises:
        DependencyError: the store cannot be reached.
    """
    start_ns, end_ns = period
    if after_ns is not None:
        times = _first_times(store, machine, (max(start_ns, after_ns + 1), end_ns), count + 1)
        before_ns = int(times[count]) if len(times) > count else None
    end_ns = end_ns if before_ns is None else max(start_ns, min(end_ns, before_ns))
    times = _last_times(store, machine, (start_ns, end_ns), count + 1)
    shown = times[-count:]
    if not len(shown):
        return CyclePage(())
    first, last = int(shown[0]), int(shown[-1])
    newer = end_ns < period[1] and len(_first_times(store, machine, (last + 1, period[1]), 1)) > 0
    return CyclePage(
        tuple(reversed(cycles_in(store, machine, columns, (first, last + 1)))),
        first if len(times) > count else None,
        last if newer else None,
    )


def _last_times(store: Store, machine: MachineInfo, period: Span, count: int) -> NDArray[np.int64]:
    start_ns, end_ns = period
    length_ns = _FIRST_NS
    while True:
        since_ns = max(start_ns, end_ns - length_ns)
        times = store.points(machine.place("cycle"), _DURATION, since_ns, end_ns).time_ns
        if len(times) >= count or since_ns == start_ns:
            return times[-count:]
        length_ns *= _FURTHER


def _first_times(store: Store, machine: MachineInfo, period: Span, count: int) -> NDArray[np.int64]:
    start_ns, end_ns = period
    length_ns = _FIRST_NS
    while start_ns < end_ns:
        until_ns = min(end_ns, start_ns + length_ns)
        times = store.points(machine.place("cycle"), _DURATION, start_ns, until_ns).time_ns
        if len(times) >= count or until_ns == end_ns:
            return times[:count]
        length_ns *= _FURTHER
    return np.empty(0, dtype=np.int64)
