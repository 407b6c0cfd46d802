"""`agent chain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from pipelines.derive.alarm_rule import remembered
from pipelines.derive.chain_file import verify_folder
from pipelines.errors import ConfigError, JournalError
from pipelines.journal.recovery import resume_at


def command(
    action: Annotated[Literal["verify"], typer.Argument(help="What to do.")] = "verify",
    state_dir: Annotated[Path, typer.Option(help="State folder of the agent.")] = STATE_DIR,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Whether the hash-chained log of safety and CCP events is whole, and where it breaks; exit code 1 when it does."""
    del action
    if not state_dir.is_dir():
        raise ConfigError(state_dir, None, "no such state folder; name the agent's with --state-dir")
    try:
        known = remembered(resume_at(state_dir / "journal"))  # first: what it knows is in the file, unless it waits
        found = verify_folder(state_dir, known)
    except JournalError as error:
        raise ConfigError(error.path, None, error.reason) from error
    if json:
        emit_json(
            {
                "whole": not found.broken,
                "broken": found.broken,
                "entries": found.entries,
                "first": found.first,
                "last": found.head.seq,
                "hash": found.head.hash if found.head.seq else "",
                "torn": found.torn,
            }
        )
        return 1 if found.broken else 0
    if found.broken:
        emit(f"손상됨 broken: {found.broken}")
        emit(f"그 앞까지 온전함: {found.entries} entries before it are whole")
        return 1
    if not found.entries:
        emit("기록 없음: no entries yet")
        return 0
    emit(f"온전함 whole: {found.entries} entries, {found.first} to {found.head.seq}, last hash {found.head.hash}")
    if found.first > 1:
        say(f"이전 기록은 삭제됨: entries before {found.first} were rotated away; the store has their records")
    if found.torn:
        say("끝줄 미완성: an unfinished line stands at the end, as a power cut leaves it; the agent writes it again")
    return 0
