"""What an incoming inspection recorded of a battery pack: cycle records with its number in a value of a tag `pack`."""

from __future__ import annotations

from typing import Final

from pipelines.derive.usable import TEXT
from viewer.catalog import MachineInfo, TagInfo
from viewer.kpi.words import Text, called
from viewer.reports.cell import Cell, Moment, number, said
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store

_PACK: Final = "pack"
_YES, _NO = Text("예", "yes"), Text("아니요", "no")


def incoming_of(store: Store, site: SiteInfo, pack: str) -> list[tuple[Text, Cell]]:
    """Names and values of the newest cycle record of the site that names a pack; empty where there is none."""
    for machine in site.machines.values() if pack else ():
        named = [field for field, (_, tag) in machine.cycle_values.items() if tag == _PACK]
        for field in named:
            points = store.points(machine.place("cycle"), field + TEXT)
            times = [at for at, one in zip(points.time_ns.tolist(), points.value.tolist(), strict=True) if one == pack]
            if times:
                label = called(machine.label, machine.name)
                return [(label, Moment(times[-1])), *_values(store, site, machine, field, times[-1])]
    return []


def _values(store: Store, site: SiteInfo, machine: MachineInfo, pack: str, at_ns: int) -> list[tuple[Text, Cell]]:
    place = machine.place("cycle")
    wanted = [(name, ref) for name, ref in machine.cycle_values.items() if name != pack]
    fields = [(place, name + ending) for name, _ in wanted for ending in ("", TEXT)]
    told = store.readings(fields, at_ns, at_ns + 1)
    found: list[tuple[Text, Cell]] = []
    for (name, (owner, tag)), numbers, texts in zip(wanted, told[::2], told[1::2], strict=True):
        own = site.machines.get(owner)
        info = (own.tags.get(tag) if own else None) or TagInfo(name)
        label = called(info.label, name)
        if len(texts.value):
            found.append((label, said(str(texts.value[-1]))))
        elif len(numbers.value):
            found.append((label, _number(store, own.place() if own else None, info, float(numbers.value[-1]))))
    return found


def _number(store: Store, place: Place | None, tag: TagInfo, value: float) -> Cell:
    """A number; what the device tells as true or false is 1 or 0 in the record of a cycle."""
    newest = [one.value for one in store.latest(place) if one.field == tag.name] if place else []
    if newest and isinstance(newest[0], bool):
        return said(_YES if value else _NO)
    return number(value, tag.unit, tag.decimals)
