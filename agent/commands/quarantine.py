"""`agent quarantine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.output import emit, emit_json
from agent.paths import STATE_DIR
from pipelines.errors import ConfigError
from pipelines.quarantine import Quarantine


def command(
    state_dir: Annotated[Path, typer.Option(help="State folder of the agent.")] = STATE_DIR,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """List points the store refused for good, with its reason; exit code 1 when there are any."""
    if not state_dir.is_dir():
        raise ConfigError(state_dir, None, "no such state folder; name the agent's with --state-dir")
    try:
        entries = list(Quarantine(state_dir).entries())
    except OSError as error:
        raise ConfigError(state_dir, None, f"cannot read the quarantine: {error.strerror}") from error
    if json:
        emit_json({"records": entries})
        return 1 if entries else 0
    for entry in entries:
        for refused in entry["refused"]:
            emit(f"{entry['record']}\t{refused['line']}\t{refused['reason']}")
    return 1 if entries else 0
