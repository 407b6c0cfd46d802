"""Changes of alarms, as they were stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.reports.gather.scopes import name_of
from viewer.reports.subject import AlarmEvent
from viewer.site_info import AlarmInfo, SiteInfo
from viewer.stores.base import Points, Store

_MEASUREMENT: Final = "alarm"
_FIELDS: Final = ("event", "message", "priority", "cause", "value", "comment")


def alarms_of(store: Store, site: SiteInfo, machine: MachineInfo, period: Span) -> list[AlarmEvent]:
    """Changes of a machine's alarms in a period, oldest first."""
    known = {one.name: one for one in site.alarms if one.machine == machine.name}
    found = []
    for series in store.tagged(machine.place(_MEASUREMENT), _FIELDS, *period):
        name = series.tags.get(_MEASUREMENT, "")
        columns = {field: _by_time(points) for field, points in series.fields.items()}
        found += [_event(machine, name, time_ns, columns, known.get(name)) for time_ns in columns.get("event", {})]
    return sorted(found, key=lambda one: (one.time_ns, one.name))


def _by_time(points: Points) -> dict[int, Any]:
    return dict(zip(points.time_ns.tolist(), points.value.tolist(), strict=True))


def _event(
    machine: MachineInfo, name: str, time_ns: int, columns: Mapping[str, Mapping[int, Any]], known: AlarmInfo | None
) -> AlarmEvent:
    def text(field: str) -> str:
        return str(columns.get(field, {}).get(time_ns, ""))

    value = columns.get("value", {}).get(time_ns)
    return AlarmEvent(
        time_ns=time_ns,
        machine=name_of(machine),
        name=name,
        priority=text("priority"),
        event=text("event"),
        message=text("message"),
        cause=text("cause"),
        value=None if value is None else float(value),
        comment=text("comment"),
        safety=known is not None and known.safety,
        ccp=known is not None and known.ccp,
    )
