"""What an incoming inspection recorded of a battery pack: cycle records that name it under `pack`."""

from __future__ import annotations

from typing import Any, Final

from pipelines.derive.usable import OWN_VALUES, TEXT
from viewer.catalog import MachineInfo, TagInfo
from viewer.kpi.words import Text, called
from viewer.reports.cell import Cell, Moment, number, said
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store, Value

_PACK: Final = "pack" + TEXT
_YES, _NO = Text("예", "yes"), Text("아니요", "no")


def incoming_of(store: Store, site: SiteInfo, pack: str) -> list[tuple[Text, Cell]]:
    """Names and values of the newest cycle record of the site that names a pack; empty where there is none."""
    for machine in site.machines.values() if pack else ():
        place = machine.place("cycle")
        if not machine.cycles:
            continue
        named = store.points(place, _PACK)
        times = [at for at, one in zip(named.time_ns.tolist(), named.value.tolist(), strict=True) if one == pack]
        if times:
            return [(called(machine.label, machine.name), Moment(times[-1])), *_values(store, site, machine, times[-1])]
    return []


def _values(store: Store, site: SiteInfo, machine: MachineInfo, at_ns: int) -> list[tuple[Text, Cell]]:
    place = machine.place("cycle")
    fields = next((one.fields for one in store.series() if one.place == place), ())
    wanted = [one for one in fields if one not in OWN_VALUES and one != _PACK]
    found = store.readings([(place, one) for one in wanted], at_ns, at_ns + 1)
    told = {field: points.value.tolist()[-1] for field, points in zip(wanted, found, strict=True) if len(points.value)}
    return [_value(store, *_tag(site, machine, field), value) for field, value in told.items()]


def _tag(site: SiteInfo, machine: MachineInfo, field: str) -> tuple[Place | None, TagInfo]:
    """The tag that a value of a cycle was taken of, and where its own readings are."""
    name = field.removesuffix(TEXT)
    for one in (machine, *site.machines.values()):
        own = name if one is machine else name.removeprefix(f"{one.name}_")
        if own in one.tags and (one is machine or own != name):
            return one.place(), one.tags[own]
    return None, TagInfo(name)


def _value(store: Store, place: Place | None, tag: TagInfo, value: Any) -> tuple[Text, Cell]:
    """A value; what the device tells as true or false is kept as 1 or 0 in a cycle."""
    if isinstance(value, str):
        return called(tag.label, tag.name), said(value)
    newest: Value | None = (
        next((one.value for one in store.latest(place) if one.field == tag.name), None) if place else None
    )
    if isinstance(newest, bool):
        return called(tag.label, tag.name), said(_YES if value else _NO)
    return called(tag.label, tag.name), number(float(value), tag.unit, tag.decimals)
