"""The file as a table of text in DuckDB, which reads it a piece at a time and never holds more than `MEMORY`.

Rows that are no rows of the file, such as one that was cut, are left out and told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from agent.imports.text import as_utf8, heading_line
from pipelines.errors import ConfigError
from simulators.signals.tape import literal, parquet

MEMORY: Final = "256MB"
THREADS: Final = 1
"""An approximate quantile depends on how rows were shared among threads."""
_PARQUET: Final = {".parquet", ".pq"}
_MOST_TOLD: Final = 1000
_SHOWN: Final = 3


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


class Source:
    """A file of a line's history.

    Args:
        path: the file; Parquet by its ending, else CSV.
        encoding: of a CSV file, or None.
        scratch: folder for what does not fit into memory.

    Attributes:
        headings: of its columns, each once.
        encoding: found or said; empty for Parquet.
        titles: what to say of lines above the headings; empty = there are none.

    Raises:
        ConfigError: it cannot be read.
    """

    def __init__(self, path: Path, encoding: str | None, scratch: Path) -> None:
        self.path = path
        self.encoding = self.titles = ""
        limits: dict[str, Any] = {
            "threads": THREADS,
            "memory_limit": MEMORY,
            "temp_directory": str(scratch),
        }
        self.db = duckdb.connect(":memory:", config=limits)
        self.db.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        if not path.is_file():
            raise ConfigError(path, None, "no such file")
        if path.suffix.lower() in _PARQUET:
            found = self.rows(f"DESCRIBE SELECT * FROM {parquet(path)}")
            self.headings = [str(row[0]) for row in found]
            columns = ", ".join(f"CAST({quoted(one)} AS VARCHAR) AS {quoted(one)}" for one in self.headings)
            self.table = f"(SELECT {columns} FROM {parquet(path)})"
            self.told = self.table
            return
        plain, self.encoding = as_utf8(path, encoding, scratch / "utf-8.csv")
        delimiter, headings, above = heading_line(plain)
        self.titles = f"the headings stand in line {above + 1}; what is above them is left out" if above else ""
        self.headings = _each_once(headings)
        columns = ", ".join(f"{text(one)}: 'VARCHAR'" for one in self.headings)
        read = f"read_csv({literal(plain)}, auto_detect = false, hive_partitioning = false, header = true, "
        read += f"skip = {above}, delim = {text(delimiter)}, "
        read += f"quote = '\"', escape = '\"', columns = {{{columns}}}, ignore_errors = true"
        self.table = f"{read})"
        self.told = f"{read}, store_rejects = true, rejects_limit = {_MOST_TOLD})"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives.

        Raises:
            ConfigError: the file cannot be read so.
        """
        with self.reading():
            return self.db.execute(query).fetchall()

    def unreadable(self) -> str:
        """What to say of lines that were left out when `told` was read; empty = there were none."""
        if not self.encoding:
            return ""
        found = self.rows("SELECT line, min(error_type) FROM reject_errors GROUP BY line ORDER BY line")
        if not found:
            return ""
        many = f"{_MOST_TOLD} or more" if len(found) >= _MOST_TOLD else str(len(found))
        few = ", ".join(f"line {line} ({str(why).lower()})" for line, why in found[:_SHOWN])
        return f"{many} lines are no rows of the table and are left out: {few}"

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What DuckDB has to say of the file, as a fault of it."""
        try:
            yield
        except duckdb.Error as error:
            words = " ".join(str(error).split())[:300]
            raise ConfigError(self.path, None, f"cannot be imported: {words}") from error
        except RuntimeError as error:  # what DuckDB makes of Ctrl-C
            raise KeyboardInterrupt from error


def _each_once(headings: Sequence[str]) -> list[str]:
    """Headings without repeats: a second `T` is `T 2`, one that is empty `column 3`."""
    found: list[str] = []
    for number, heading in enumerate(headings, 1):
        name, again = heading or f"column {number}", 1
        while (name if again == 1 else f"{name} {again}") in found:
            again += 1
        found.append(name if again == 1 else f"{name} {again}")
    return found
