"""The embedded store: one DuckDB file, one writer thread, durable when a write returns (docs/decisions/0005).

Tables::

    series        id, company, measurement, tags (JSON object, keys sorted), field, kind
    points_<kind> series, time_ns, value, batch      kind: float int bool string
    hours, rolled                                    see `pipelines/sinks/hours.py`

`batch` counts bodies and only grows, so that a reader asks for what came after the last one it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from pipelines.errors import DependencyError, RecordRejected, SinkUnavailable
from pipelines.sinks import hours
from pipelines.sinks.base import Sink
from pipelines.sinks.lineprotocol import Column, Kind, Tags, parse
from pipelines.sinks.newest import newest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = 1
"""Version of the tables; a file of another version is refused."""
SQL_TYPES: Final[dict[Kind, str]] = {"float": "DOUBLE", "int": "BIGINT", "bool": "BOOLEAN", "string": "VARCHAR"}
_NEVER_NS: Final = -(2**63)
_ROLL_S: Final = 600.0
"""Between two times at which hours are made of what was written meanwhile."""
_SCHEMA: Final = "".join(
    [
        "CREATE TABLE IF NOT EXISTS store (format INTEGER, batch BIGINT);",
        "CREATE TABLE IF NOT EXISTS series (",
        "id INTEGER, company VARCHAR, measurement VARCHAR, tags VARCHAR, field VARCHAR, kind VARCHAR);",
        *(
            f"CREATE TABLE IF NOT EXISTS points_{kind} (series INTEGER, time_ns BIGINT, value {sql}, batch BIGINT);"
            for kind, sql in SQL_TYPES.items()
        ),
        hours.SCHEMA,
    ]
)

_SeriesKey = tuple[str, str, Tags, str]


@dataclass(slots=True)
class _Known:
    """What the writer remembers of a series: its number, and the newest time it holds."""

    id: int
    newest_ns: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows of one body that go into one table; each (series, time) once."""

    kind: Kind
    series: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    value: NDArray[Any]
    seen: NDArray[np.bool_]


def tags_json(tags: Tags) -> str:
    """Tags as the JSON object the series table holds, keys sorted."""
    return json.dumps(dict(tags), ensure_ascii=False, separators=(",", ":"))


def last_of_each(time_ns: NDArray[np.int64], value: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Times ascending and unique; of equal times the last value stays."""
    if len(time_ns) < 2 or bool(np.all(time_ns[1:] > time_ns[:-1])):  # noqa: PLR2004 - a pair has two
        return time_ns, value
    order = np.argsort(time_ns, kind="stable")
    time_ns, value = time_ns[order], value[order]
    last = np.append(time_ns[1:] != time_ns[:-1], True)
    return time_ns[last], value[last]


def connect(path: Path, *, read_only: bool, max_memory_bytes: int, threads: int) -> duckdb.DuckDBPyConnection:
    """Open a store file; nothing is loaded from a network.

    Raises:
        DependencyError: another process holds the file, or it is no DuckDB file.
    """
    config: dict[str, Any] = {
        "memory_limit": f"{max_memory_bytes // 1_000_000}MB",
        "threads": threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    try:
        return duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        if "lock on file" in reason:
            reason = "another process holds this store; stop it, or read the store through its viewer"
        raise DependencyError(str(path), reason) from error


class DuckDbSink(Sink):
    """Line protocol into one DuckDB file.

    Args:
        path: the file; made when it is not there, and so is its folder.
        max_memory_bytes: DuckDB's cache and work space.
        threads: DuckDB's threads for one query.

    Raises:
        DependencyError: another process holds the file, it is no DuckDB file, or of another format.
    """

    def __init__(self, path: Path | str, max_memory_bytes: int = 128_000_000, threads: int = 1) -> None:
        self.path = Path(path)
        self.name = f"duckdb {self.path.name}"
        self._limits = {"max_memory_bytes": max_memory_bytes, "threads": threads}
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="duckdb")
        self._series: dict[_SeriesKey, _Known] = {}
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._batch = 0
        self._roll_s = -math.inf
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._open()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for a reader in this process; usable in one thread at a time.

        Raises:
            SinkUnavailable: the file could not be reopened after an error of the disk.
        """
        connection = self._connection
        if connection is None:
            raise SinkUnavailable(self.name, "the file is closed after an error of the disk; the next write reopens it")
        return connection.cursor()

    async def write(self, company: str, body: bytes) -> None:
        """Store one body in one transaction; see `Sink.write`."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._write, company, body)

    async def close(self) -> None:
        """Finish the write under way, checkpoint and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._close)
        self._worker.shutdown()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DependencyError(str(self.path), f"{error.strerror}; choose another folder") from error
        connection = connect(self.path, read_only=False, **self._limits)
        try:
            self._load(connection)
        except duckdb.Error as error:
            connection.close()
            raise DependencyError(str(self.path), " ".join(str(error).split())) from error
        except DependencyError:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _load(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(_SCHEMA)
        row = connection.execute("SELECT format, batch FROM store").fetchone()
        if row is None:
            row = (FORMAT, 0)
            connection.execute("INSERT INTO store VALUES (?, ?)", row)
        if row[0] != FORMAT:
            raise DependencyError(str(self.path), f"store format {row[0]}, this version reads {FORMAT}; use its own")
        newest: dict[int, int] = {}
        self._batch = 0
        for kind in SQL_TYPES:
            rows, batch = newest_of(connection, kind)
            newest |= {series: time_ns for series, time_ns, _ in rows}
            self._batch = max(self._batch, batch)
        self._series.clear()
        self._kinds.clear()
        for number, company, measurement, tags, field, kind in connection.execute("FROM series").fetchall():
            key = (company, measurement, tuple(json.loads(tags).items()), field)
            self._series[key] = _Known(number, newest.get(number, _NEVER_NS))
            self._kinds[company, measurement, field] = kind

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(duckdb.Error):
                self._connection.close()
            self._connection = None

    def _write(self, company: str, body: bytes) -> None:
        columns = parse(body, self.name)
        if not columns:
            return
        try:
            connection = self._connection or self._open()
            kinds = self._pinned(company, columns)
            self._store(connection, company, columns)
        except DependencyError as error:
            raise SinkUnavailable(self.name, str(error)) from error
        except duckdb.Error as error:
            self._close()
            raise SinkUnavailable(self.name, " ".join(str(error).split())) from error
        self._kinds.update(kinds)
        self._roll(connection)

    def _roll(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make hours of what was written, now and then; the points are stored, whether this succeeds or not."""
        if time.monotonic() < self._roll_s:
            return
        self._roll_s = time.monotonic() + _ROLL_S
        with contextlib.suppress(duckdb.Error):  # readers go on with the points, and the next write finds a broken file
            if hours.roll(connection, self._batch):
                self._roll_s = -math.inf

    def _pinned(self, company: str, columns: list[Column]) -> dict[tuple[str, str, str], Kind]:
        fresh: dict[tuple[str, str, str], Kind] = {}
        for column in columns:
            key = (company, column.measurement, column.field)
            pinned = self._kinds.get(key) or fresh.setdefault(key, column.kind)
            if pinned != column.kind:
                reason = (
                    f"line {column.line[0]}: field {column.field!r} of {column.measurement} is {column.kind} here, "
                    f"but stored as {pinned}; a new type needs a new field name"
                )
                raise RecordRejected(self.name, reason)
        return fresh

    def _store(self, connection: duckdb.DuckDBPyConnection, company: str, columns: list[Column]) -> None:
        known: list[_Known] = []
        fresh: dict[_SeriesKey, _Known] = {}
        rows: list[tuple[int, str, str, str, str, str]] = []
        for column in columns:
            key = (company, column.measurement, column.tags, column.field)
            entry = self._series.get(key)
            if entry is None:
                entry = fresh[key] = _Known(len(self._series) + len(fresh), _NEVER_NS)
                rows.append((entry.id, company, column.measurement, tags_json(column.tags), column.field, column.kind))
            known.append(entry)
        batches = _batches(columns, known)
        number = self._batch + 1
        connection.execute("BEGIN")
        for row in rows:
            connection.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?)", row)
        for batch in batches:
            _replace(connection, batch, number)
        connection.execute("COMMIT")
        self._batch = number
        self._series.update(fresh)
        for column, entry in zip(columns, known, strict=True):
            entry.newest_ns = max(entry.newest_ns, int(column.time_ns.max()))


def _batches(columns: list[Column], known: list[_Known]) -> list[_Batch]:
    parts: dict[Kind, list[tuple[NDArray[Any], ...]]] = {}
    for column, entry in zip(columns, known, strict=True):
        time_ns, value = last_of_each(column.time_ns, column.value)
        series = np.full(len(time_ns), entry.id, dtype=np.int32)
        parts.setdefault(column.kind, []).append((series, time_ns, value, time_ns <= entry.newest_ns))
    return [_Batch(kind, *(np.concatenate(part) for part in zip(*rows, strict=True))) for kind, rows in parts.items()]


def _replace(connection: duckdb.DuckDBPyConnection, batch: _Batch, number: int) -> None:
    """Put the rows in place of those with the same key; only times not newer than the newest can have one."""
    table = f"points_{batch.kind}"
    if batch.seen.any():
        times = batch.time_ns[batch.seen]
        connection.register("again", {"series": batch.series[batch.seen], "time_ns": times})
        connection.execute(
            f"DELETE FROM {table} USING again WHERE {table}.time_ns BETWEEN ? AND ?"  # noqa: S608 - one of our four tables
            f" AND {table}.series = again.series AND {table}.time_ns = again.time_ns",
            (int(times.min()), int(times.max())),
        )
        connection.unregister("again")
    connection.register("rows", {"series": batch.series, "time_ns": batch.time_ns, "value": batch.value})
    connection.execute(f"INSERT INTO {table} SELECT series, time_ns, value, ? FROM rows", (number,))  # noqa: S608
    connection.unregister("rows")
