"""How well detectors were watched in a period, and what their calibration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.calendar import Span
from viewer.catalog import MachineInfo, TagInfo
from viewer.kpi.result import Result
from viewer.query.collected import Pieces, collected
from viewer.query.figures import figures_of
from viewer.query.safety import Ref
from viewer.query.unit import Unit
from viewer.reports.gather.records import exposure_of
from viewer.reports.records import Exposure
from viewer.site_info import SiteInfo
from viewer.stores.base import Store


@dataclass(frozen=True, slots=True)
class Watch:
    """One detector in a period.

    Attributes:
        ref: machine and tag.
        machine: it belongs to.
        cover: how much of what it should have told is there, percent.
        fault_ns: how long it said that it was out of order; None = nothing was told, or it says no such.
        exposure: its means; None = no limits are configured.
        over: time above the limit, S-ALM.over; None = no limits are configured.
    """

    ref: Ref
    machine: MachineInfo
    cover: float | None
    fault_ns: int | None
    exposure: Exposure | None = None
    over: Result | None = None


def watch_of(store: Store, site: SiteInfo, detectors: Sequence[Ref], period: Span) -> list[Watch]:
    """Each detector in a period.

    Raises:
        DependencyError: the store cannot be reached.
    """
    pieces = Pieces(store, site.key, period)
    gases = {(one.machine, one.tag): one for one in site.gases}
    found = []
    for ref in detectors:
        machine = site.machines[ref[0]]
        told = collected(pieces, machine, [machine.tags[ref[1]]]).mean() if period[1] > period[0] else None
        gas = gases.get(ref)
        found.append(
            Watch(
                ref,
                machine,
                sum(share for _, share in told) / len(told) if told else None,
                _fault_ns(pieces, site, ref),
                exposure_of(store, machine, gas, period) if gas else None,
                figures_of(store, site, Unit(machine.line, machine.name), ["S-ALM.over"], period)[0] if gas else None,
            )
        )
    return found


def _fault_ns(pieces: Pieces, site: SiteInfo, ref: Ref) -> int | None:
    """Readings of the fault contact that were other than 0, times its period."""
    own = next((one.fault for one in site.alarms if ref in one.tags and one.fault), None)
    machine = site.machines.get(own[0]) if own else None
    tag: TagInfo | None = machine.tags.get(own[1]) if own and machine else None
    if machine is None or tag is None or tag.period_s is None or not pieces.count:
        return None
    start_ns, end_ns = pieces.period[0], pieces.period[0] + pieces.width_ns * pieces.count
    trend = pieces.store.trend(machine.place(), tag.name, start_ns, end_ns, pieces.count)
    if not len(trend.count):
        return None
    on = float((trend.mean * trend.count).sum())
    if not trend.boolean and ((trend.low < 0) | (trend.high > 1)).any():  # a number that says which fault it is
        some = trend.time_ns[(trend.low != 0) | (trend.high != 0)]
        last_ns = min(end_ns, int(some[-1]) + trend.bucket_ns)
        told = pieces.store.points(machine.place(), tag.name, int(some[0]), last_ns)
        on = float(np.count_nonzero(told.value))
    return round(on * tag.period_s * 1e9)
