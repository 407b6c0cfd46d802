"""`agent check CONFIG`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.config import load_sites
from agent.output import emit, emit_json


def command(
    config: Annotated[list[Path], typer.Argument(help="Configuration file; several of one site are joined.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Check a configuration without touching the network; exit code 2 and `file:line: what` when it is wrong."""
    site = load_sites(config)
    counts = {one.name: len(one.tag_list()) for one in site.connections}
    if json:
        emit_json({"ok": True, "machines": len(site.machines), "connections": counts, "tags": sum(counts.values())})
    else:
        for one in site.connections:
            emit(f"{one.name}: {len(one.tag_list())} tags at {one.where()}")
        emit(f"ok: {len(site.machines)} machines, {len(counts)} connections, {sum(counts.values())} tags")
    return 0
