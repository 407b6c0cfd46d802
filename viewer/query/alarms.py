"""Safety alarms that were raised, when their detectors were heard, and gases by the minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.collection import MINUTE_NS
from viewer.kpi.inputs import Minutes
from viewer.query.collected import Pieces, heard
from viewer.site_info import AlarmInfo, GasInfo, SiteInfo
from viewer.stores.base import Store

_TAG: Final = "alarm"


def raised(store: Store, machine: MachineInfo, alarms: Sequence[AlarmInfo], period: Span) -> NDArray[np.int64]:
    """When some alarms of a machine were raised in a period, ascending, ns since 1970 UTC."""
    names = {one.name for one in alarms if one.machine == machine.name}
    if not names:
        return np.empty(0, dtype=np.int64)
    series = store.tagged(machine.place(_TAG), ["event"], *period)
    times = [
        one.fields["event"].time_ns[one.fields["event"].value == "raised"]
        for one in series
        if one.tags.get(_TAG) in names
    ]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *times]))


def watched(pieces: Pieces, site: SiteInfo, alarms: Sequence[AlarmInfo]) -> list[Span]:
    """Stretches of time in which every tag was heard that some alarms watch; none without alarms."""
    return heard(pieces, site, [tag for one in alarms for tag in one.tags])


def gas(store: Store, machine: MachineInfo, detector: GasInfo, period: Span) -> Minutes:
    """Concentration by the minute of a detector that is polled; of one that tells changes nothing is known so."""
    tag = machine.tags.get(detector.tag)
    if tag is None or tag.period_s is None:
        return Minutes()
    count = -(-(period[1] - period[0]) // MINUTE_NS)
    trend = store.trend(machine.place(), tag.name, period[0], period[0] + count * MINUTE_NS, count)
    cover = np.minimum(trend.count * tag.period_s * 1e9 / MINUTE_NS, 1.0) * 100
    return Minutes(start_ns=trend.time_ns, mean=trend.mean, cover=cover)
