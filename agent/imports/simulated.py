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


def imported(path: Path, columns: Path | None, folder: Path) -> tuple[str, ...]:
    """The folder of a file that was imported just now, as a line; its notes are said.

    Raises:
        ConfigError: the file cannot be used.
    """
    done = import_file(path, folder, columns, force=True)
    for note in (*done.notes, *(f"{one.heading}: {'; '.join(one.notes)}" for one in done.columns if one.notes)):
        say(f"note: {note}")
    return (str(folder),)


def played_s(lines: Sequence[str], speed: float) -> float | None:
    """Real seconds until every history among the lines is over; None where a line goes on without one.

    Raises:
        ConfigError: a line's plant cannot be used.
    """
    found = []
    for line in lines:
        try:
            played = document_of(line).get("played")
            if played:
                load_plant([line])
                found.append(float(played["length_s"]) / speed + _AFTER_S)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(Path(line) / "plant.yaml", None, str(error)) from error
    return max(found) if len(found) == len(lines) else None
