"""`agent check CONFIG`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.config import ConfigFaults, load_sites, secrets_not_there, worth_a_look
from agent.output import emit, emit_json, say


def command(
    config: Annotated[list[Path], typer.Argument(help="Configuration file; several of one site are joined.")],
    *,
    tags: Annotated[bool, typer.Option("--tags", help="List every tag, and where it comes from.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Check a configuration without touching the network; exit code 2 and a line `FILE:LINE: what` for each fault."""
    try:
        site = load_sites(config)
    except ConfigFaults as error:
        if json:
            faults = [{"file": str(one.path), "line": one.line, "message": one.message} for one in error.faults]
            emit_json({"ok": False, "faults": faults})
        else:
            for one in error.faults:
                say(str(one))
        return 2
    for note in [*secrets_not_there(config), *worth_a_look(config)]:
        say(f"note: {note}")
    counts = {one.name: len(one.tag_list()) for one in site.connections}
    told = {
        one.name: [found.words for found in one.advice(site.connections[:position]) if found.level == "fact"]
        for position, one in enumerate(site.connections)
    }
    if json:
        result = {"ok": True, "machines": len(site.machines), "connections": counts, "tags": sum(counts.values())}
        emit_json(result | ({"facts": told} if any(told.values()) else {}))
    else:
        for connection in site.connections:
            facts = "".join(f", {fact}" for fact in told[connection.name])
            emit(f"{connection.name}: {_some(len(connection.tag_list()), 'tag')} at {connection.where()}{facts}")
            for tag in connection.tag_list() if tags else ():
                bounds = f"{tag.range.low:g}…{tag.range.high:g}" if tag.range else ""
                parts = (tag.engineering_unit, bounds, tag.label.ko, tag.label.en, tag.source)
                emit("  " + "  ".join([f"{tag.machine or connection.machine}/{tag.name}", *filter(None, parts)]))
        emit(
            f"ok: {_some(len(site.machines), 'machine')}, {_some(len(counts), 'connection')}, "
            f"{_some(sum(counts.values()), 'tag')}"
        )
    return 0


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
