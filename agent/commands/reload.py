"""`agent reload`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from agent.control.client import order
from agent.output import emit, emit_json
from agent.paths import STATE_DIR
from pipelines.errors import ConfigError

_WORDS: Final = {
    "kept": "그대로 kept",
    "opened_anew": "다시 연결 opened anew",
    "added": "추가 added",
    "removed": "제거 removed",
}


def command(
    state_dir: Annotated[Path, typer.Option(help="State folder of the agent.")] = STATE_DIR,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Have a running agent take its changed configuration over; one that is refused changes nothing."""
    done = order(state_dir, "/reload", {})
    if json:
        emit_json(done)
    if refused := done.get("refused"):
        raise ConfigError(None, None, f"{refused}; the configuration from before is in use")
    if not json:
        for key, words in _WORDS.items():
            if done[key]:
                emit(f"{words}: {', '.join(done[key])}")
        if done.get("broker"):
            emit("브로커 broker: 새 설정으로 다시 연결 opened anew with new settings")
    return 0
