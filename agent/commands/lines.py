"""`agent lines`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import typer

from agent.columns import emit_table
from agent.output import emit, emit_json
from agent.templates.about import about, overview
from pipelines.derive.alarm_settings import PRIORITIES
from pipelines.errors import ConfigError

Action = Literal["list", "show"]


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = "list",
    name: Annotated[str, typer.Argument(help="show: the line.")] = "",
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Line templates that come with the product: list them, or show all of one."""
    if (action == "show") != bool(name):
        raise ConfigError(None, None, "name a line as in `agent lines show heat_treatment`; `agent lines` lists them")
    if action == "show":
        found = about(name)
        emit_json(found) if json else _show(found)
        return 0
    rows = list(overview())
    if json:
        emit_json({"lines": rows})
        return 0
    head = ("라인 line", "업종 industry", "이름 name", "태그 tags 기초/전체 basic/all", "설비 machines")
    emit_table([head, *map(_row, rows)])
    return 0


def _both(words: dict[str, str]) -> str:
    return f"{words['ko']} {words['en']}"


def _row(line: dict[str, Any]) -> Sequence[str]:
    counts = f"{line['levels']['basic']:>3} / {line['tags']:>3}"
    return line["name"], _both(line["industry"]), _both(line["label"]), counts, ", ".join(line["machines"])


def _show(line: dict[str, Any]) -> None:
    emit(f"{line['name']}: {_both(line['label'])}, {_both(line['industry'])}")
    emit(line["about"])
    _section("설비 Machines", ((one["name"], one["class"], _both(one), _rules(one)) for one in line["machines"]))
    _section("연결 Connections", _connections(line["connections"]))
    _section("태그 Tags", map(_tag, line["tags"]))
    _section("경보 Alarms", map(_alarm, line["alarms"]))
    _section("지표 KPIs", [[", ".join(line["kpis"])]])
    faults = ((one["name"], _both(one), f"{one['for_s']:g} s" if one["for_s"] else "") for one in line["faults"])
    _section("고장 Faults", faults)
    emit(f"  {', '.join(line['generic_faults'])}")
    _section("파일 Files", [(key, line[key]) for key in ("site_yaml", "plant_yaml", "lab")])


def _section(title: str, rows: Iterable[Sequence[str]]) -> None:
    emit(f"\n{title}")
    if found := [("", *row) for row in rows]:
        emit_table(found)


def _rules(machine: dict[str, Any]) -> str:
    """What is derived for it, and where its state is taken from."""
    state = machine.get("state", {})
    where = next((f"state by {key} {state[key]}" for key in ("tag", "power", "counter") if key in state), "")
    where = where or ("state by lamps" if "lamps" in state else "")
    return ", ".join(filter(None, (where, *(key for key in ("count", "cycle", "energy", "battery") if key in machine))))


def _connections(connections: Iterable[dict[str, Any]]) -> Iterable[Sequence[str]]:
    for one in connections:
        yield one["name"], one["type"], one["where"], ""
        for device in one["devices"]:
            manuals = "; ".join(device["manuals"])
            yield "", f"{device['profile']} {device['unit']}", _both(device), manuals


def _tag(tag: dict[str, Any]) -> Sequence[str]:
    bounds = "" if tag["low"] is None else f"{tag['low']:g}…{tag['high']:g}"
    period = "" if tag["period_s"] is None else f"{tag['period_s']:g} s"
    return f"{tag['machine']}/{tag['name']}", _both(tag), tag["unit"], bounds, period, tag["source"]


def _alarm(alarm: dict[str, Any]) -> Sequence[str]:
    kind = "안전 safety" if alarm["safety"] else "CCP" if alarm["ccp"] else ""
    return f"{alarm['machine']}/{alarm['name']}", PRIORITIES[alarm["priority"]], kind, _both(alarm)
