"""Changes of alarms, as they were stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.query.alarm_list import LOOK_BACK_NS, Changes, priority_of, rows_of
from viewer.reports.gather.scopes import name_of
from viewer.reports.subject import AlarmEvent
from viewer.site_info import AlarmInfo, SiteInfo
from viewer.stores.base import Store

_MEASUREMENT: Final = "alarm"
_FIELDS: Final = (
    "event", "message", "priority", "cause", "value", "comment", "state", "active", "acknowledged", "severity",
)  # fmt: skip


def alarms_of(store: Store, site: SiteInfo, machine: MachineInfo, period: Span) -> list[AlarmEvent]:
    """Changes of a machine's alarms in a period, oldest first; those of devices by the same words as agents' own."""
    known = {one.name: one for one in site.alarms if one.machine == machine.name}
    found = []
    for series in store.tagged(machine.place(_MEASUREMENT), _FIELDS, period[0] - LOOK_BACK_NS, period[1]):
        name = series.tags.get(_MEASUREMENT, "")
        found += [
            _event(machine, name, time_ns, fields, known.get(name))
            for time_ns, fields in _in_words(rows_of(series))
            if time_ns >= period[0] and "event" in fields
        ]
    return sorted(found, key=lambda one: (one.time_ns, one.name))


def _in_words(changes: Changes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The same; a device says its own word for an event, and whether the alarm is active: it came when it became so."""
    active = acknowledged = False
    told: dict[str, Any] = {}
    for time_ns, fields in changes:
        if "state" in fields or not {"active", "acknowledged"} & fields.keys():
            yield time_ns, fields
            continue
        told |= fields
        was, noted = active, acknowledged
        active, acknowledged = bool(told.get("active", was)), bool(told.get("acknowledged", noted))
        event = fields.get("event", "")
        if active != was:
            event = "raised" if active else "cleared"
        elif acknowledged and not noted:
            event = "acknowledged"
        yield time_ns, {**fields, "event": event, "priority": priority_of(told)}


def _event(
    machine: MachineInfo, name: str, time_ns: int, fields: Mapping[str, Any], known: AlarmInfo | None
) -> AlarmEvent:
    def text(field: str) -> str:
        return str(fields.get(field, ""))

    value = fields.get("value")
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
