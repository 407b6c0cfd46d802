"""Gases and the hash-chained log, as they were stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np

from pipelines.calendar import Span
from pipelines.derive.calibration import calibrated
from viewer.catalog import MachineInfo
from viewer.kpi.words import Text, called
from viewer.query.event_log import log_of
from viewer.reports.gather.scopes import name_of
from viewer.reports.records import Calibration, ChainFacts, Exposure, Guard
from viewer.site_info import GasInfo, SiteInfo
from viewer.stores.base import Points, Store, no_points

_MINUTE_NS: Final = 60 * 10**9
_GAS: Final = ("twa", "stel", "twa_of_limit", "stel_of_limit", "stel_coverage")


def guards_of(site: SiteInfo) -> tuple[Guard, ...]:
    """Safety alarms and critical control points that the site configured."""
    return tuple(
        Guard(
            machine=name_of(site.machines[one.machine]),
            name=one.name,
            label=called(one.label, one.name),
            limit=one.limit,
            action=called(one.action, "—"),
            ccp=one.ccp,
        )
        for one in site.alarms
        if (one.safety or one.ccp) and one.machine in site.machines
    )


def exposures_of(store: Store, site: SiteInfo, period: Span) -> tuple[Exposure, ...]:
    """Every gas that the site watches, also one of which nothing is known."""
    machines = site.machines
    return tuple(
        exposure_of(store, machines[gas.machine], gas, period) for gas in site.gases if gas.machine in machines
    )


def exposure_of(store: Store, machine: MachineInfo, gas: GasInfo, period: Span) -> Exposure:
    """One gas; every mean whose window ends in the period."""
    series = store.tagged(machine.place("exposure"), _GAS, *period)
    own = [one for one in series if (one.tags.get("tag"), one.tags.get("substance")) == (gas.tag, gas.substance)]
    fields = own[0].fields if own else {}
    return _exposure(name_of(machine), gas, [_numbers(fields, name) for name in _GAS], period)


def _exposure(machine: Text, gas: GasInfo, columns: Sequence[np.ndarray[Any, Any]], period: Span) -> Exposure:
    twa, stel, twa_part, stel_part, coverage = columns
    ended = max(len(coverage), -(-(period[1] - period[0]) // _MINUTE_NS))  # one each minute, told or not
    return Exposure(
        machine=machine,
        substance=gas.substance,
        twa=_greatest(twa),
        twa_limit=_limit(twa, twa_part, gas.twa),
        stel=_greatest(stel),
        stel_limit=_limit(stel, stel_part, gas.stel),
        windows=len(stel),
        over=int(np.count_nonzero(stel_part > 1)) if len(stel_part) else None,
        coverage=float(coverage.sum() / ended * 100) if len(coverage) else None,
    )


def chain_of(store: Store, site: SiteInfo, period: Span) -> ChainFacts:
    """Entries of the hash-chained log of a site, and whether they are whole."""
    entries, found = log_of(store, site, period)
    if not entries:
        return ChainFacts()
    last = max(entries, key=lambda one: (one.seq, one.time_ns))
    first = min(one.seq for one in entries)
    return ChainFacts(entries=len(entries), first=first, last=last.seq, hash=last.hash, breaks=found.breaks)


def calibrations_of(site: SiteInfo, today: date) -> tuple[Calibration, ...]:
    """Detectors of a site whose calibration the site says anything of."""
    return tuple(
        Calibration(
            machine=name_of(one),
            every_days=one.calibration.every_days,
            last=one.calibration.last,
            due=one.calibration.due,
            certificate=one.calibration.certificate,
            stands=calibrated(one.calibration, today),
        )
        for one in site.machines.values()
        if one.calibration is not None
    )


def _numbers(fields: Mapping[str, Points], name: str) -> np.ndarray[Any, Any]:
    return fields.get(name, no_points()).value.astype(np.float64)


def _greatest(values: np.ndarray[Any, Any]) -> float | None:
    return float(values.max()) if len(values) else None


def _limit(values: np.ndarray[Any, Any], parts: np.ndarray[Any, Any], configured: float | None) -> float | None:
    """The limit that the values were divided by; where all are 0 the one that is configured; None where none was."""
    if not len(parts):
        return None
    known = np.flatnonzero(parts > 0) if len(values) == len(parts) else np.empty(0, dtype=np.int64)
    return round(float(values[known[0]] / parts[known[0]]), 6) if len(known) else configured
