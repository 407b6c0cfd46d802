"""What was measured at critical control points, by production day: as far as it counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import MachineInfo, TagInfo
from viewer.kpi.period import by_day
from viewer.kpi.words import called
from viewer.query.pieces import LOOK_BACK_NS
from viewer.reports.gather.scopes import name_of
from viewer.reports.records import Measured
from viewer.site_info import AlarmInfo, SiteInfo
from viewer.stores.base import Points, Store


def measured_of(store: Store, site: SiteInfo, period: Span) -> tuple[Measured, ...]:
    """Each tag that is a number and that an alarm with `ccp` watches, on each day on which a reading counts.

    A reading counts that held, until the next one, at any time at which the tag named by `only_while` was other than 0.
    """
    return tuple(
        one
        for alarm in site.alarms
        if alarm.ccp
        for machine, tag in _tags(site, alarm)
        for one in _days(store, site, machine, tag, alarm, period)
    )


def _tags(site: SiteInfo, alarm: AlarmInfo) -> Iterator[tuple[MachineInfo, TagInfo]]:
    for name, tag in alarm.tags:
        machine = site.machines.get(name)
        if machine is not None and tag in machine.tags:
            yield machine, machine.tags[tag]


def _days(
    store: Store, site: SiteInfo, machine: MachineInfo, tag: TagInfo, alarm: AlarmInfo, period: Span
) -> Iterator[Measured]:
    owner, name = alarm.only_while or ("", "")
    guard = site.machines.get(owner)
    label = guard.tags[name].label if guard and name in guard.tags else {}
    said = called(label, name) if name else None
    for day, span in by_day(site.calendar, period):
        points = store.points(machine.place(), tag.name, *span)
        if points.value.dtype.kind not in "fiu" or not len(points.time_ns):
            continue
        value = points.value.astype(np.float64)
        if name:
            value = value[_while(store, guard, name, points, span)] if guard else value[:0]
        if not len(value):
            continue
        yield Measured(
            day=day,
            machine=name_of(machine),
            what=called(tag.label, tag.name),
            unit=tag.unit,
            count=len(value),
            low=float(value.min()),
            mean=float(value.mean()),
            high=float(value.max()),
            only_while=said,
        )


def _while(store: Store, guard: MachineInfo, name: str, points: Points, span: Span) -> NDArray[np.bool_]:
    """Whether the guard's tag was other than 0 at each of these points, or before the next of them."""
    before = store.before(guard.place(), name, span[0], span[0] - LOOK_BACK_NS)
    told = store.points(guard.place(), name, *span)
    time_ns = np.concatenate((before.time_ns, told.time_ns))
    on = np.concatenate((before.value.astype(np.float64), told.value.astype(np.float64))) != 0
    if not len(on):
        return np.zeros(len(points.time_ns), dtype=bool)
    at = np.searchsorted(time_ns, points.time_ns, side="right") - 1
    counts: NDArray[np.bool_] = (at >= 0) & on[np.maximum(at, 0)]
    held = np.searchsorted(points.time_ns, time_ns[on], side="right") - 1
    counts[held[held >= 0]] = True
    return counts
