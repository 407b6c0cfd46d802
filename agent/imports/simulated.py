"""Histories in `agent simulate`: a file that is imported for this run alone, and folders that play one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.duration import in_words
from agent.imports.run import import_file
from agent.output import say
from pipelines.errors import ConfigError
from simulators.plant import document_of, load_plant


def prepared(
    lines: Sequence[str], file: Path | None, columns: Path | None, folder: Path, *, loop: bool
) -> tuple[str, ...]:
    """The lines of a run, with the folder of a file that is imported for it.

    Args:
        lines: names, or folders that `agent import` made.
        file: CSV or Parquet to play beside them, or None; its notes are said.
        columns: map of its columns, or None.
        folder: where to import it.
        loop: whether histories begin again at their end.

    Raises:
        ConfigError: the file or a folder cannot be used, or an option has nothing to act on.
    """
    if columns and file is None:
        raise ConfigError(None, None, "--columns goes with --import FILE")
    if file is not None:
        done = import_file(file, folder / file.stem, columns, force=True)
        for note in (*done.notes, *(f"{one.heading}: {'; '.join(one.notes)}" for one in done.columns if one.notes)):
            say(f"note: {note}")
        lines = (*lines, str(done.folder))
    plays = [_plays(line) for line in lines]
    if loop and not any(plays):
        raise ConfigError(None, None, "--loop goes with --import FILE, or a folder that `agent import` made")
    return tuple(lines)


def _plays(line: str) -> bool:
    """Whether a line plays a history.

    Raises:
        ConfigError: its plant cannot be used.
    """
    try:
        played = document_of(line).get("played")
        if played is None:
            return False
        load_plant([line])
        say(f"{line}: plays a history of {in_words(float(played.get('length_s', 0)))}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(Path(line) / "plant.yaml", None, str(error)) from error
    return True
