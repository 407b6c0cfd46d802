"""A recorded history as it is played: rows of a Parquet file at their times, a few at a time, never the whole file.

`played` of plant.yaml; the file stands beside it::

    played: {file: history.parquet, loop: false, wait: false, length_s: 86400}

The file has `t_ns` (int64, ns since any moment, ascending) and the columns that variables of model `played` show.
Its first row is shown from the plant's first step on; with `wait` the others follow once `begin` was called. With
`loop` it begins again `length_s` after its first row; its last row stands for ever otherwise.
The column `row` is always there: how many rows were shown so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import duckdb

TIME: Final = "t_ns"
ROW: Final = "row"
NEVER: Final = 2**62
"""Number of a step that does not come."""
_AT_ONCE: Final = 256
"""Rows held."""
_MEMORY: Final = "256MB"
Taken = tuple[Any, int, int]
"""Value, whether there is none (1; the value is the one before), and the step from which on there is another."""


def parquet(path: Path) -> str:
    """SQL for the rows of this one file."""
    return f"read_parquet({literal(path)}, hive_partitioning = false)"


def literal(path: Path) -> str:
    """A file's name as SQL writes it: DuckDB takes `[1]`, `*` and `?` in it for a pattern, and reads other files."""
    name = re.sub(r"[\[*?]", r"[\g<0>]", str(path)).replace("'", "''")
    return f"'{name}'"


class Tape:
    """The rows of one file.

    Args:
        played: the block of plant.yaml.
        step_ns: plant time of one step, ns.

    Raises:
        ValueError: a key is missing or the file cannot be read.
    """

    def __init__(self, played: Mapping[str, Any], step_ns: int) -> None:
        import duckdb  # noqa: PLC0415 — most plants play nothing

        try:
            self._path = Path(played["file"])
        except KeyError as missing:
            raise ValueError(f"played: {missing} is missing") from missing
        self._length_ns = round(played.get("length_s", 0) * 1e9)
        self._loop = bool(played.get("loop"))
        if self._loop and self._length_ns <= 0:
            raise ValueError("played: length_s must be above 0 to loop")
        self._step_ns = step_ns
        self._start = None if played.get("wait") else 1
        self._db = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY})
        query = f"DESCRIBE SELECT * FROM {parquet(self._path)}"  # noqa: S608 — a name as SQL writes it
        try:
            found = self._db.execute(query).fetchall()
        except duckdb.Error as error:
            raise ValueError(f"played: {self._path}: {str(error).splitlines()[0]}") from error
        self._types = {name: kind for name, kind, *_ in found}
        if TIME not in self._types:
            raise ValueError(f"played: {self._path} has no column {TIME}")
        self._columns: list[str] = []
        self._values: list[Any] = []
        self._empty: list[int] = []
        self._rows: duckdb.DuckDBPyConnection | None = None
        self._held: list[tuple[Any, ...]] = []
        self._at = 0
        self._first_ns = self._begun_ns = self._shown = 0
        self._next = 1

    def reader(self, column: str) -> Callable[[int], Taken]:
        """What shows a column; it is asked with numbers of steps that never go down.

        Raises:
            ValueError: the file has no such column.
        """
        if column == ROW:
            return lambda step: (self._until(step), 0, self._next)
        if column not in self._types:
            raise ValueError(f"{self._path} has no column {column!r}")
        index = len(self._columns)
        self._columns.append(column)
        self._values.append({"VARCHAR": "", "BOOLEAN": False, "DOUBLE": 0.0}.get(self._types[column], 0))
        self._empty.append(1)

        def take(step: int) -> Taken:
            self._until(step)
            return self._values[index], self._empty[index], self._next

        return take

    def over(self, step: int) -> bool:
        """Whether its length has passed and it does not begin again."""
        return not self._loop and self._start is not None and (step - self._start) * self._step_ns >= self._length_ns

    def begin(self, step: int) -> None:
        """Count the time of the rows from this step on."""
        self._start = step
        self._next = self._due()

    def _until(self, step: int) -> int:
        """Show what is due at a step; how many rows were shown so far."""
        while self._next <= step:
            self._turn()
        return self._shown

    def _turn(self) -> None:
        """Show the row that is due, and look when the next is."""
        if row := self._row():
            for index, value in enumerate(row[1:]):
                self._empty[index] = int(value is None)
                if value is not None:
                    self._values[index] = value
            self._first_ns = self._first_ns if self._shown else row[0]
            self._shown += 1
            self._at += 1
            if self._loop and self._row() is None:
                self._begun_ns += self._length_ns
                self._rows = None
        self._next = self._due()

    def _due(self) -> int:
        """The step at which the row at hand is shown, the first that is not before it."""
        row = self._row()
        if row is None:
            return NEVER
        passed_ns = self._begun_ns + row[0] - self._first_ns if self._shown else 0
        if passed_ns and self._start is None:
            return NEVER
        return (self._start or 1) - (-passed_ns // self._step_ns)

    def _row(self) -> tuple[Any, ...] | None:
        """The row at hand; None behind the last one."""
        if self._rows is None:
            columns = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (TIME, *self._columns))
            query = f"SELECT {columns} FROM {parquet(self._path)}"  # noqa: S608 — names that the file has
            self._rows = self._db.execute(query)
            self._held, self._at = [], 0
        if self._at == len(self._held):
            self._held, self._at = self._rows.fetchmany(_AT_ONCE), 0
        return self._held[self._at] if self._held else None
