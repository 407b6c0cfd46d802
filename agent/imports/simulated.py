"""Histories in `agent simulate`: a file that is imported for this run alone, and how long folders play."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.imports.run import import_file
from agent.output import say
from pipelines.errors import ConfigError
from simulators.plant import document_of, load_plant

_AFTER_S = 8.0
"""Real seconds beside the history's own: its first row waits for the collector, and its last has to be read."""


def prepared(
    lines: Sequence[str], file: Path | None, columns: Path | None, folder: Path, *, loop: bool, speed: float
) -> tuple[tuple[str, ...], float | None]:
    """The lines of a run, with the folder of a file that is imported for it, and the real seconds until it is over.

    Args:
        lines: names, or folders that `agent import` made.
        file: CSV or Parquet to play beside them, or None; its notes are said.
        columns: map of its columns, or None.
        folder: where to import it.
        loop: whether histories begin again, and the run does not end by itself.
        speed: plant seconds per real second.

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
    lengths_s = [length_s for line in lines if (length_s := _length_s(line)) is not None]
    if loop and not lengths_s:
        raise ConfigError(None, None, "--loop goes with --import FILE, or a folder that `agent import` made")
    ends = lengths_s and len(lengths_s) == len(lines) and not loop
    return tuple(lines), max(lengths_s) / speed + _AFTER_S if ends else None


def _length_s(line: str) -> float | None:
    """Plant seconds of the history that a line plays; None where it plays none.

    Raises:
        ConfigError: its plant cannot be used.
    """
    try:
        played = document_of(line).get("played")
        if played is None:
            return None
        load_plant([line])
        return float(played["length_s"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(Path(line) / "plant.yaml", None, str(error)) from error
