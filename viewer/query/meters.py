"""The demand of a meter by the quarter of an hour, from its own readings, the way agents take it (docs/energy.md)."""

from __future__ import annotations

from pipelines.calendar import Span
from pipelines.derive.energy.span import Meter, Power
from pipelines.derive.energy.span import Span as PowerSpan
from viewer.catalog import MachineInfo
from viewer.kpi.energy import QUARTER_NS, Demand, quarters
from viewer.query.pieces import LOOK_BACK_NS
from viewer.site_info import SiteInfo
from viewer.stores.base import QUALITY, Store


def quarter_demand(store: Store, site: SiteInfo, machine: MachineInfo, period: Span) -> Demand | None:
    """Mean power of each quarter of an hour of a period; None of a machine whose meter nothing reads.

    Every reading is read: a day of one a second takes about a second.

    Args:
        store: holds the readings.
        site: of the machine.
        machine: says which meter.
        period: start and end, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    if machine.energy is None:
        return None
    owner = site.machines.get(machine.energy.meter[0])
    tag = owner.tags.get(machine.energy.meter[1]) if owner else None
    if owner is None or tag is None:
        return None
    gap_ns = int(machine.energy.max_gap_s * 1e9)
    held = tag.period_s is None
    meter = Power(held, gap_ns) if machine.energy.power else Meter(gap_ns, machine.energy.rollover_kwh)
    place = owner.place()
    low = period[0] - (LOOK_BACK_NS if held else QUARTER_NS)
    before = store.before(place, tag.name, period[0], low)
    until_ns = period[1] + gap_ns  # the reading that ends the last stretch
    values, statuses = store.readings([(place, tag.name), (place, tag.name + QUALITY)], period[0], until_ns)
    said = dict(zip(statuses.time_ns.tolist(), statuses.value.tolist(), strict=True))
    told = dict(zip(before.time_ns.tolist(), before.value.tolist(), strict=True))
    told |= dict.fromkeys(said, None) | dict(zip(values.time_ns.tolist(), values.value.tolist(), strict=True))
    spans: list[PowerSpan] = []
    for time_ns, value in sorted(told.items()):
        span = meter.take(time_ns, 0.0 if value is None else value, int(said.get(time_ns, 0)))
        if span is not None:
            spans.append(span)
    if isinstance(meter, Power) and (last := meter.until(period[1])) is not None:
        spans.append(last)
    return quarters(spans, period)
