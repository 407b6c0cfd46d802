"""What a line template has, for people: the line, its machines, devices, tags, rules, KPIs and faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from agent.paths import LINES
from agent.site import MachineSettings, Site
from agent.templates.compose import line_names, no_line, template
from agent.templates.draft import Draft
from agent.templates.levels import LEVELS, at_level
from connectors.modbus.config import ModbusConnection
from connectors.modbus.device import DeviceSettings
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.settings import Labels
from pipelines.yaml_text import plain_yaml
from simulators.faults.table import FAULTS
from simulators.plant import document_of

_GROUPS: Final = ("state", "count", "cycle", "energy", "battery")


def overview() -> Iterator[dict[str, Any]]:
    """One row for each line: what it is, its machines, and how many tags it has at each level."""
    for name in line_names():
        draft = Draft(template(name).read_text(encoding="utf-8"))
        site = draft.site
        tags = {level: _tag_count(at_level(draft, level).site) for level in LEVELS[:1]}
        machines = [f"{machine} {one.label.ko or machine}" for machine, one in site.machines.items()]
        tags |= dict.fromkeys(LEVELS[1:], _tag_count(site))  # a level above the lowest leaves no tag out
        yield {"name": name, **_what(name), "tags": _tag_count(site), "levels": tags, "machines": machines}


def about(name: str) -> dict[str, Any]:
    """All of one line.

    Raises:
        ConfigError: there is no such line.
    """
    if name not in line_names():
        raise no_line(name)
    path = template(name)
    text = path.read_text(encoding="utf-8")
    site = Draft(text).site
    return {
        "name": name,
        **_what(name),
        "about": _head(text),
        "site_yaml": str(path),
        "plant_yaml": str(LINES.parents[1] / "simulators/lines" / name / "plant.yaml"),
        "lab": f"docs/labs/{name}.md",
        "machines": [
            {"name": key, "class": one.machine_class, **_words(one.label), **_rules(one)}
            for key, one in site.machines.items()
        ],
        "connections": [
            {"name": one.name, "type": one.type, "where": one.where(), "devices": list(_devices(one))}
            for one in site.connections
        ],
        "tags": list(_tags(site)),
        "alarms": [_alarm(one) for one in site.alarms],
        "kpis": list(site.kpis),
        "faults": [
            {"name": key, **one["label"], "for_s": one.get("for_s")}
            for key, one in document_of(name).get("faults", {}).items()
        ],
        "generic_faults": sorted(
            key for key, one in FAULTS.items() if one.devices & {connection.type for connection in site.connections}
        ),
    }


@cache
def _lines() -> Mapping[str, Any]:
    found: dict[str, Any] = plain_yaml((LINES / "lines.yaml").read_text(encoding="utf-8"))
    return found


def _what(name: str) -> dict[str, Any]:
    return {"label": _lines()[name]["label"], "industry": _lines()[name]["industry"]}


def _head(text: str) -> str:
    """The comment that a template begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def _words(label: Labels) -> dict[str, str]:
    return {"ko": label.ko, "en": label.en}


def _rules(machine: MachineSettings) -> dict[str, Any]:
    """State, count, cycle, energy and battery as the file says them."""
    said = machine.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {key: said[key] for key in _GROUPS if key in said}


def _devices(connection: Any) -> Iterator[dict[str, Any]]:
    """Devices of known maps, each with the manuals it was taken from."""
    devices: tuple[DeviceSettings, ...] = connection.devices if isinstance(connection, ModbusConnection) else ()
    for one in devices:
        unit = connection.unit if one.unit is None else one.unit
        yield {"profile": one.profile, "unit": unit, **_words(one.map.label), "manuals": list(one.map.sources)}


def _tags(site: Site) -> Iterator[dict[str, Any]]:
    for connection in site.connections:
        for tag in connection.tag_list():
            yield {
                "machine": site.place(connection, tag).machine,
                "name": tag.name,
                **_words(tag.label),
                "unit": tag.engineering_unit,
                "low": tag.range.low if tag.range else None,
                "high": tag.range.high if tag.range else None,
                "period_s": connection.polled_s(tag),
                "source": tag.source,
            }


def _alarm(one: AlarmSettings) -> dict[str, Any]:
    kind = {"safety": one.safety, "ccp": one.ccp}
    return {"machine": one.machine, "name": one.name, "priority": one.priority, **kind, **_words(one.label)}


def _tag_count(site: Site) -> int:
    return sum(len(one.tag_list()) for one in site.connections)
