"""`agent lines`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agent.config import load_site
from agent.output import emit, emit_json
from agent.paths import LINES


def command(
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """List the line templates that come with the product."""
    rows: list[dict[str, Any]] = []
    for path in sorted(LINES.glob("*/site.yaml")):
        site = load_site(path)
        tags = sum(len(one.tag_list()) for one in site.connections)
        machines = [f"{name} {one.label.ko or name}" for name, one in site.machines.items()]
        rows.append({"name": path.parent.name, "tags": tags, "machines": machines})
    if json:
        emit_json({"lines": rows})
    else:
        for row in rows:
            emit(f"{row['name']:<24} {row['tags']:>4} tags  {', '.join(row['machines'])}")
    return 0
