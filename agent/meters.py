"""From the settings of machines to the rules of their energy and of battery tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agent.document import KeyPath
from agent.shares import periods_of
from pipelines.derive.battery import grading
from pipelines.derive.battery.rule import BatteryRule
from pipelines.derive.energy import factors
from pipelines.derive.energy.rule import COUNTS, EnergyRule
from pipelines.derive.energy.settings import EnergySettings
from pipelines.derive.energy.span import Meter, Power
from pipelines.derive.rule import Ref, Rule
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from agent.site import MachineSettings, Site


def meter_rules(site: Site, moduli: Mapping[Ref, int]) -> Iterator[Rule]:
    """The rules of energy and of batteries.

    Raises:
        ConfigError: a table they name cannot be read.
    """
    periods = periods_of(site)
    for name, machine in site.machines.items():
        if machine.energy is not None:
            yield _energy(name, machine, machine.energy, periods, moduli)
        if machine.battery is not None:
            rule = grading.load(machine.battery.rule_file or grading.RULE)
            for called, channel in machine.battery.channels.items():
                tags = {role: Ref.of(name, text) for _, role, text in channel.roles()}
                yield BatteryRule(name, called, tags, machine.battery.states, rule)


def channel_refs(site: Site) -> Iterator[tuple[KeyPath, Ref]]:
    """Each tag that a channel of a cycler names, and where that is written."""
    for name, machine in site.machines.items():
        for called, channel in machine.battery.channels.items() if machine.battery else ():
            for key, _, text in channel.roles():
                yield ("machines", name, "battery", "channels", called, *key), Ref.of(name, text)


def bad_tables(site: Site) -> Iterator[tuple[KeyPath, str]]:
    """Tables that cannot be used: where they are named, and why."""
    for name, machine in site.machines.items():
        named: list[tuple[str, str, Path | None, Callable[[Path], object]]] = []
        if machine.energy is not None:
            named.append(("energy", "factors_file", machine.energy.factors_file, factors.load))
        if machine.battery is not None:
            named.append(("battery", "rule_file", machine.battery.rule_file, grading.load))
        for group, key, path, load in named:
            try:
                if path is not None:
                    load(path)
            except ConfigError as error:
                yield ("machines", name, group, key), f"{path} {error.reason.splitlines()[0]}"


def wrong_units(site: Site) -> Iterator[tuple[KeyPath, str]]:
    """Meters in other units than they are taken for."""
    units = {
        Ref(tag.machine or connection.machine or "", tag.name): tag.engineering_unit
        for connection in site.connections
        for tag in connection.tag_list()
    }
    for name, machine in site.machines.items():
        if machine.energy is None:
            continue
        for key, unit, text in (("kwh", "kWh", machine.energy.kwh), ("kw", "kW", machine.energy.kw)):
            if text is not None and (said := units.get(Ref.of(name, text), "")) not in {"", unit}:
                yield ("machines", name, "energy", key), f"needs {unit}, and {text} is in {said}; scale the tag"


def _energy(
    name: str,
    machine: MachineSettings,
    energy: EnergySettings,
    periods: Mapping[Ref, float | None],
    moduli: Mapping[Ref, int],
) -> EnergyRule:
    counts = {key: getattr(machine.count, key) for key in COUNTS} if machine.count else {}
    named = {**counts, "meter": energy.kwh or energy.kw, "lot": energy.lot, "product": energy.product}
    tags = {role: Ref.of(name, text) for role, text in named.items() if text is not None}
    gap_ns = round(energy.max_gap_s * 1e9)
    held = periods.get(tags["meter"]) is None
    meter = Power(held, gap_ns) if energy.kw is not None else Meter(gap_ns, energy.rollover_kwh)
    return EnergyRule(name, tags, meter, factors.load(energy.factors_file or factors.TABLE), moduli)
