"""`agent entry import FILE`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.control.client import order
from agent.entering import IMPORT
from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from pipelines.errors import ConfigError
from viewer.entries.table import MOST_BYTES

_SHOWN = 50


def command(
    action: Annotated[Literal["import", "check"], typer.Argument(help="import: keep them. check: only look.")],
    file: Annotated[Path, typer.Argument(help="CSV: UTF-8 or CP949, headings in Korean or English.")],
    store: Annotated[
        Path, typer.Option(help="Folder of the embedded store of `agent serve`, or --state-dir of `agent view`.")
    ] = STATE_DIR / "store",
    company: Annotated[str, typer.Option(help="Company; needed where the viewer knows several sites.")] = "",
    site: Annotated[str, typer.Option(help="Site; the same.")] = "",
    kind: Annotated[str, typer.Option(help="Kind of rows that name none, for example stop, defect, crew, order.")] = "",
    author: Annotated[str, typer.Option(help="Author of rows that name none.")] = "",
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Enter what a CSV file holds: downtime reasons, defects, head counts, orders; all of it or nothing.

    It is handed to the running viewer, which says "saved" once everything is on disk. The same file twice is kept once.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(file, None, f"cannot read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(file, None, f"has {len(content)} bytes; a file may have {MOST_BYTES}: divide it")
    said = {"file": base64.b64encode(content).decode(), "company": company, "site": site, "kind": kind}
    answer = order(store, IMPORT, {**said, "author": author, "check": action == "check"})
    if json:
        emit_json(answer)
    else:
        for one in answer["refused"][:_SHOWN]:
            emit(f"{file}:{one['line']}: {one['ko']} / {one['en']}")
        if len(answer["refused"]) > _SHOWN:
            emit(f"… and {len(answer['refused']) - _SHOWN} more; --json lists all")
        where = f"{answer['company']}/{answer['site']}"
        if answer["refused"]:
            say(f"저장하지 않음 nothing is kept: {answer['taken']} of {answer['rows']} rows can be taken")
        elif action == "check":
            say(f"모두 가능 all {answer['rows']} rows can be taken, for {where}")
        else:
            say(f"저장됨 saved: {answer['saved']} entries for {where}")
    return 1 if answer["refused"] else 0
