"""`agent import FILE -o DIR`."""  # noqa: N999 — the name of the command

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.imports.run import import_file
from agent.output import emit, emit_json, say


def command(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with the history of a line.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")] = Path("imported"),
    columns: Annotated[Path | None, typer.Option(help="YAML that says what its columns are.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Write over existing files.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Make a plant of a recorded history, and the configuration that reads it."""
    done = import_file(file, output, columns, force=force)
    if json:
        emit_json(done.told())
        return 0
    for one in done.columns:
        emit(f"{one.heading}\t{one.name}\t{one.kind}\t{one.unit}\t{'; '.join(one.notes)}")
    for note in done.notes:
        say(f"note: {note}")
    say(f"{output}: {done.history.rows} rows, {len(done.columns)} tags; run it with `agent simulate {output}`")
    return 0
