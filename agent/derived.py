"""From the settings of a site to the rules that derive points from its readings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.document import KeyPath
from agent.meters import channel_refs, meter_rules
from connectors.modbus.tag import MODULUS, ModbusTag
from pipelines.derive.alarm_rule import alarm_rules
from pipelines.derive.chain import Chain
from pipelines.derive.exposure import exposure_rules
from pipelines.derive.of_machine import machine_rules
from pipelines.derive.rule import Ref, Rule

if TYPE_CHECKING:
    from agent.site import Site
    from pipelines.settings import Settings

_REFS = {
    "state": ("tag", "mode", "power", "counter"),
    "count": ("total", "good", "ng"),
    "cycle": ("at", "values"),
    "energy": ("kwh", "kw", "lot", "product"),
}
"""Keys of a machine's groups that name tags."""


def rules_of(site: Site, chain: Chain) -> list[Rule]:
    """Every rule of a site, in the order in which they are asked; `chain` takes safety and CCP events."""
    moduli = _moduli(site)
    return [
        *machine_rules(site.machines, site.calendar, moduli),
        *meter_rules(site, moduli),
        *alarm_rules(site.alarms, chain),
        *exposure_rules(site.exposure),
    ]


def _moduli(site: Site) -> dict[Ref, int]:
    """Number of states of the counters of which the settings say the type."""
    return {
        Ref(tag.machine or connection.machine or "", tag.name): MODULUS[tag.datatype]
        for connection in site.connections
        for tag in connection.tag_list()
        if isinstance(tag, ModbusTag) and tag.datatype in MODULUS and tag.scale == 1
    }


def refs_of(site: Site) -> Iterator[tuple[KeyPath, Ref]]:
    """Each tag that a machine's groups, an alarm or an exposure names, and where that is written."""
    yield from _of_alarms(site)
    yield from channel_refs(site)
    for name, machine in site.machines.items():
        for group, keys in _REFS.items():
            settings: Settings | None = getattr(machine, group)
            if settings is None:
                continue
            for place, text in _texts(settings, ("machines", name, group), keys):
                yield place, Ref.of(name, text)
        lamps = machine.state.lamps if machine.state else None
        if lamps is not None:
            for place, text in _texts(lamps, ("machines", name, "state", "lamps"), ("green", "amber", "red")):
                yield place, Ref.of(name, text)


def number_refs(site: Site) -> Iterator[tuple[KeyPath, Ref]]:
    """Those of `refs_of` that must be numbers."""
    for place, ref in refs_of(site):
        match place:
            case ("alarms", int(index), "tag") if isinstance(site.alarms[index].equals, str):
                continue
            case ("machines", _, "state", "tag" | "mode") | ("machines", _, "energy", "lot" | "product"):
                continue
            case ("machines", _, "cycle", "values", _):
                continue
            case ("machines", _, "battery", "channels", _, "state" | "pack" | "model"):
                continue
            case _:
                yield place, ref


def _of_alarms(site: Site) -> Iterator[tuple[KeyPath, Ref]]:
    for index, alarm in enumerate(site.alarms):
        if alarm.machine in site.machines:
            yield from ((("alarms", index, *key), alarm.ref(text)) for key, text in alarm.named_tags())
    for index, gas in enumerate(site.exposure):
        if gas.machine in site.machines:
            yield ("exposure", index, "tag"), Ref(gas.machine, gas.tag)


def _texts(settings: Settings, here: KeyPath, keys: tuple[str, ...]) -> Iterator[tuple[KeyPath, str]]:
    for key in keys:
        value = getattr(settings, key)
        if isinstance(value, tuple):
            yield from (((*here, key, position), one) for position, one in enumerate(value))
        elif value is not None:
            yield (*here, key), value
