"""An import from beginning to end: the file is looked at, written as a history, and two files are made for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from agent.imports import kamp
from agent.imports.cells import cells_of
from agent.imports.columns import NUMBERS, Column, columns_of
from agent.imports.files import HISTORY_FILE, Machine, plant_yaml, registers_of, site_yaml
from agent.imports.history import History, write_history
from agent.imports.settings import ImportSettings, check_headings, load_map
from agent.imports.source import Source, quoted, text
from agent.imports.times import find_time
from pipelines.errors import ConfigError
from pipelines.settings import Labels
from simulators.signals.tape import parquet

SITE_FILE: Final = "site.yaml"
PLANT_FILE: Final = "plant.yaml"
_FILES: Final = (HISTORY_FILE, SITE_FILE, PLANT_FILE)
_SHOT_S: Final = 0.1
"""Shortest time of a shot that is believed."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Attributes:
        folder: where the files are.
        time: headings of what was taken for the time.
        encoding: of a CSV file; empty for Parquet.
        notes: what was left out, or odd.
    """

    folder: Path
    time: tuple[str, ...]
    encoding: str
    columns: tuple[Column, ...]
    history: History
    notes: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """As one JSON object."""
        history = self.history
        return {
            "folder": str(self.folder),
            "rows": history.rows,
            "from": _iso(history.first_ns),
            "to": _iso(history.last_ns),
            "length_s": history.length_s,
            "time": list(self.time),
            "encoding": self.encoding,
            "columns": [
                {
                    "heading": one.heading,
                    "tag": one.name,
                    "type": one.kind,
                    "unit": one.unit,
                    "known": one.known,
                    "filled": one.cells.filled,
                    "notes": list(one.notes),
                }
                for one in self.columns
            ],
            "notes": list(self.notes),
        }


def import_file(path: Path, folder: Path, columns: Path | None = None, *, force: bool = False) -> Imported:
    """Make a folder that `agent simulate` plays: history.parquet, site.yaml and plant.yaml.

    Args:
        path: CSV or Parquet.
        folder: where to write; it is made once all is read.
        columns: map of the columns, or None.
        force: write over what is there.

    Raises:
        ConfigError: the file or the map cannot be used, or the folder has these files already.
    """
    settings = load_map(columns) if columns else ImportSettings()
    if not force and (there := [name for name in _FILES if (folder / name).exists()]):
        raise ConfigError(folder / there[0], None, "exists already; name another folder or say --force")
    try:
        beside = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
        with tempfile.TemporaryDirectory(prefix=".import-", dir=beside) as name:
            scratch = Path(name)
            source = Source(path, settings.encoding, scratch)
            check_headings(settings, source.headings, columns)
            try:
                done = _imported(source, settings, scratch, folder)
            finally:
                source.db.close()
            folder.mkdir(parents=True, exist_ok=True)
            for one in _FILES:
                os.replace(scratch / one, folder / one)  # noqa: PTH105 — over what is there
    except OSError as error:
        raise ConfigError(folder, None, f"cannot write: {error.strerror}") from error
    return done


def _imported(source: Source, settings: ImportSettings, scratch: Path, folder: Path) -> Imported:
    times, time = find_time(source, settings)
    skipped = {heading for heading, one in settings.columns.items() if one.skip}
    headings = [one for one in source.headings if one not in {*times, *skipped}]
    where = " AND ".join(f"trim({quoted(one)}) = {text(value)}" for one, value in settings.only.items()) or "true"
    cells, rows, timed = cells_of(source, headings, time, where)
    found, notes = columns_of(cells, settings.columns)
    if not found:
        raise ConfigError(source.path, None, "no column beside the time has a value")
    if source.titles:
        notes.insert(0, source.titles)
    if rows > timed:
        notes.append(f"{rows - timed} of {rows} rows have no time that can be read and are left out")
    history = write_history(source, found, time, where, scratch, scratch / HISTORY_FILE)
    machine = _machine(source, settings, found, scratch / HISTORY_FILE, history)
    notes += [*history.notes, *_several(found, settings)]
    registers = registers_of([one for one in found if one.kind != "text"]) if settings.serve == "modbus" else []
    head = _head(source, times, history, notes)
    for name, write in ((SITE_FILE, site_yaml), (PLANT_FILE, plant_yaml)):
        (scratch / name).write_text(write(found, registers, machine, history, head), encoding="utf-8")
    return Imported(folder, times, source.encoding, tuple(found), history, tuple(notes))


def _machine(
    source: Source, settings: ImportSettings, columns: Sequence[Column], path: Path, history: History
) -> Machine:
    """An injection machine, and each row a shot, where enough of the columns are those of the KAMP data set."""
    shots = sum(one.known and one.kind in NUMBERS for one in columns) >= kamp.ENOUGH
    label = Labels(ko="사출기", en="Injection machine") if shots else Labels(ko="설비", en="Machine")
    shot_s = None
    if shots:
        shot_s = history.usual_s
        if any(one.name == kamp.CYCLE and one.kind in NUMBERS for one in columns):
            query = f"SELECT approx_quantile({kamp.CYCLE}, 0.5) FROM {parquet(path)}"
            shot_s = source.rows(query)[0][0] or shot_s
        shot_s = max(_SHOT_S, round(float(shot_s), 1))
    name = settings.machine or (kamp.MACHINE if shots else "M-01")
    kind = settings.machine_class or (kamp.CLASS if shots else "machine")
    return Machine(name, kind, settings.label or label, shot_s)


def _several(columns: Sequence[Column], settings: ImportSettings) -> list[str]:
    """A note where rows of several machines may be mixed."""
    names = ("equip_code", "equip_name")
    mixed = [one.heading for one in columns if one.name in names and not one.cells.constant]
    if not mixed or settings.only:
        return []
    return [
        f"{mixed[0]} changes: rows of several machines are played as one; `only: {{{mixed[0]}: …}}` takes one of them"
    ]


def _head(source: Source, times: Sequence[str], history: History, notes: Sequence[str]) -> str:
    what = f"{history.rows} rows, {_iso(history.first_ns)} to {_iso(history.last_ns)} ({' + '.join(times)})"
    lines = [f"Written by `agent import {source.path.name}`: {what}", *(f"- {note}" for note in notes)]
    return "\n".join("# " + "".join(sign if sign.isprintable() else "?" for sign in line) for line in lines)


def _iso(time_ns: int) -> str:
    """As the file has it; the offset is not known, or off already."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    return moment.replace(tzinfo=None).isoformat(sep=" ")
