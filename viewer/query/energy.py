"""What meters measured: energy by the hour, demand, and the emission factors that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.energy.factors import TABLE, Factor, load
from pipelines.derive.energy.span import HOUR_NS
from viewer.catalog import MachineInfo
from viewer.kpi.energy import Demand, Used
from viewer.stores.base import Points, Store, no_points

CARRIER: Final = "electricity"
_FIELDS: Final = ("kwh", "cover", "demand_kw")


def meters(machines: Sequence[MachineInfo]) -> list[MachineInfo]:
    """The machines whose meters, each once, measure all of these.

    Of each line the meter that covers it, where there is one; else the meters of its machines.
    """
    found: dict[tuple[str, str], MachineInfo] = {}
    for line in dict.fromkeys(one.line for one in machines):
        metered = [one for one in machines if one.line == line and one.energy is not None]
        whole = [one for one in metered if one.energy is not None and one.energy.line]
        for one in whole or metered:
            if one.energy is not None:
                found.setdefault(one.energy.meter, one)
    return list(found.values())


def metered(store: Store, machine: MachineInfo, period: Span) -> tuple[Used, Demand]:
    """Energy by the hour of one meter, and the greatest quarter of each hour."""
    found = store.tagged(machine.place("energy"), _FIELDS, *period)
    hours = next((one.fields for one in found if one.tags.get("per") == "hour"), {})
    kwh, cover, demand = (hours.get(field, no_points()) for field in _FIELDS)
    start_ns = np.union1d(np.union1d(kwh.time_ns, cover.time_ns), demand.time_ns)
    used = Used(CARRIER, start_ns, _at(start_ns, kwh, np.nan), _at(start_ns, cover, 0.0))
    of_hours = used.cover[np.searchsorted(start_ns, demand.time_ns)]
    return used, Demand(demand.time_ns, demand.value.astype(np.float64), HOUR_NS, of_hours)


def together(uses: Sequence[Used]) -> Used:
    """What several meters measured in each hour; one that a meter lacks is of the others only, and not whole."""
    if len(uses) == 1:
        return uses[0]
    start_ns = np.unique(np.concatenate([one.start_ns for one in uses]))
    amount, cover, told = np.full(len(start_ns), np.nan), np.zeros(len(start_ns)), np.zeros(len(start_ns), np.int64)
    for one in uses:
        at = np.searchsorted(start_ns, one.start_ns)
        known = np.isfinite(one.amount)
        amount[at[known]] = np.nan_to_num(amount[at[known]]) + one.amount[known]
        cover[at[known]] += one.cover[known] / len(uses)
        told[at[known]] += 1
    return Used(CARRIER, start_ns, amount, cover, whole=told == len(uses))


@cache
def factors(file: Path | None = None) -> tuple[Factor, ...]:
    """A table of emission factors; None = the product's own.

    Raises:
        ConfigError: it cannot be read.
    """
    return load(file or TABLE)


def _at(time_ns: NDArray[np.int64], points: Points, otherwise: float) -> NDArray[np.float64]:
    found = np.full(len(time_ns), otherwise)
    found[np.searchsorted(time_ns, points.time_ns)] = points.value.astype(np.float64)
    return found
