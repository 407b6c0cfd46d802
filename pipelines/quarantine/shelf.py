"""The file of the quarantine: one SQLite database, `quarantine.db` in the state folder (docs/decisions/0020).

Tables::

    entries  number, record, time_ns, points, lines, reason, refused, crc   one row per record; `refused` is JSON
    gone     number, record                                                 records that were retried or dropped

Each change is one transaction, synced before it returns. A file that SQLite cannot read is put aside, and what can be
read of it is taken over.
"""

from __future__ import annotations

import errno
import sqlite3
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import google_crc32c
import orjson

from pipelines.errors import JournalCorrupt, JournalError
from pipelines.journal.segment import sync_folder

NAME: Final = "quarantine.db"
FORMAT: Final = 1
_REMEMBERED: Final = 10_000
"""Records that are gone and would not be kept again if the broker brought them once more."""
_HEAD: Final = struct.Struct(">16xH10xI")
"""Page size and number of pages in the head of a database (sqlite.org, "Database File Format" §1.3)."""
_LARGEST: Final = 8 << 30
_BUSY_S: Final = 5.0
_PRIMARY: Final = 0xFF
"""What an extended result code keeps of the primary one."""
_SETTINGS: Final = """
PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
PRAGMA wal_autocheckpoint=64; PRAGMA journal_size_limit=0;
"""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL UNIQUE, time_ns INTEGER NOT NULL,
  points INTEGER NOT NULL, lines INTEGER NOT NULL, reason TEXT NOT NULL, refused BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gone (number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL UNIQUE);
"""
_LIST: Final = (
    "SELECT number, record, time_ns, points, lines, reason FROM entries WHERE number > ? ORDER BY number LIMIT 500"
)
_KNOWN: Final = "SELECT 1 FROM entries WHERE record = ?1 UNION ALL SELECT 1 FROM gone WHERE record = ?1"
_ADD: Final = (
    "INSERT OR IGNORE INTO entries (record, time_ns, points, lines, reason, refused, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_ONE: Final = "SELECT record, time_ns, points, lines, reason, refused, crc FROM entries WHERE number = ?"


@dataclass(frozen=True, slots=True)
class Entry:
    """What was refused of one record.

    Attributes:
        record: its id.
        time_ns: when, by the agent's clock, ns since 1970 UTC.
        points: values in it.
        lines: lines in it.
        reason: the store's, of the first line.
    """

    record: str
    time_ns: int
    points: int
    lines: int
    reason: str


class Shelf:
    """The file, open.

    Args:
        folder: the state folder.
        writes: whether it is made when it is not there and may be changed; else it is only read, and nothing there is
            an empty quarantine.

    Attributes:
        path: the file.
        shut: why it could not be opened, on a disk that is full or fails: an empty quarantine until `open` succeeds.
        lock: held while it is used; for who does several things at once.

    Raises:
        JournalError: it cannot be used.
    """

    def __init__(self, folder: Path, *, writes: bool) -> None:
        self.path = folder / NAME
        self.shut = ""
        self.lock = threading.RLock()
        self._writes = writes
        self._database: sqlite3.Connection | None = None
        if writes or self.path.exists():
            self.open()

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def bytes_used(self) -> int:
        """Bytes of the file and its companions."""
        return sum(one.stat().st_size for one in self._files() if one.exists())

    def totals(self) -> tuple[int, int]:
        """(records, points) that are kept."""
        found = self._rows("SELECT count(*), coalesce(sum(points), 0) FROM entries")
        return found[0] if found else (0, 0)

    def entries(self, records: Sequence[str] | None = None) -> Iterator[Entry]:
        """What is kept, oldest first; of these records only, where some are named."""
        last = 0
        while rows := self._rows(_LIST, last):
            last = rows[-1][0]
            yield from (Entry(*row[1:]) for row in rows if records is None or row[1] in records)

    def refused(self, record: str) -> list[dict[str, Any]]:
        """The lines of one record with their reasons; empty when it is not kept.

        Raises:
            JournalCorrupt: the bytes on disk are not those that were written.
        """
        for body, crc in self._rows("SELECT refused, crc FROM entries WHERE record = ?", record):
            if google_crc32c.value(body) != crc:
                raise JournalCorrupt(
                    self.path, f"record {record} was altered on disk; `agent quarantine drop` lets it go"
                )
            return list(orjson.loads(body))
        return []

    def knows(self, record: str) -> bool:
        """Whether it is kept, or was and is gone."""
        return bool(self._rows(_KNOWN, record))

    def add(self, entry: Entry, refused: bytes) -> None:
        """Keep an entry, durably."""
        crc = google_crc32c.value(refused)
        values = (entry.record, entry.time_ns, entry.points, entry.lines, entry.reason, refused, crc)
        with self._change() as database:
            database.execute(_ADD, values)

    def remove(self, records: Sequence[str]) -> None:
        """Let entries go, durably."""
        with self._change() as database:
            for record in records:
                if database.execute("DELETE FROM entries WHERE record = ?", (record,)).rowcount:
                    database.execute("INSERT OR IGNORE INTO gone (record) VALUES (?)", (record,))
            database.execute("DELETE FROM gone WHERE number <= (SELECT max(number) FROM gone) - ?", (_REMEMBERED,))

    def shrink(self) -> None:
        """Give back the room that is free inside."""
        if self._database is not None:
            with self._told():
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _files(self) -> list[Path]:
        return [self.path.with_name(NAME + ending) for ending in ("", "-wal", "-shm")]

    def open(self) -> None:
        """Open it, or say in `shut` why the disk does not let us.

        Raises:
            JournalError: it cannot be used.
        """
        self.shut = ""
        try:
            self._database = self._connect()
        except (sqlite3.OperationalError, OSError) as error:
            reason = f"cannot use the quarantine: {error}"
            if not self._writes or not _is_of_the_disk(error):
                raise JournalError(self.path, reason) from error
            self.shut = f"{reason}; free space"
        except sqlite3.DatabaseError as error:
            if not self._writes:
                raise JournalError(self.path, f"cannot be read: {error}; `agent run` puts it aside") from error
            self._replace()

    def _connect(self) -> sqlite3.Connection:
        mode = "rwc" if self._writes else "ro"
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        database = sqlite3.connect(address, _BUSY_S, isolation_level=None, check_same_thread=False, uri=True)
        try:
            if self._writes:
                if not self.path.stat().st_size:
                    self.path.chmod(0o600)
                database.executescript(_SETTINGS + _TABLES + f"PRAGMA user_version={FORMAT};")
                sync_folder(self.path.parent)
            database.execute("SELECT count(*), sum(points) FROM entries").fetchall()
        except (sqlite3.Error, OSError):
            database.close()
            raise
        return database

    def _replace(self) -> None:
        """Put a file aside that cannot be read, and take over what can be read of it."""
        aside = self.path.with_name(f"{NAME}.damaged-{len(list(self.path.parent.glob(NAME + '.damaged-*[0-9]'))) + 1}")
        for ending in ("-wal", ""):
            with suppress(FileNotFoundError):
                self.path.with_name(NAME + ending).rename(aside.with_name(aside.name + ending))
        self._database = self._connect()
        for entry, refused in _salvaged(aside):
            self.add(entry, refused)

    def _rows(self, text: str, *values: object) -> list[Any]:
        if self._database is None:
            return []
        with self._told():
            return self._database.execute(text, values).fetchall()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        if self.shut:
            self.open()
        if self.shut:
            raise JournalError(self.path, self.shut)
        assert self._database is not None
        with self._told(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database

    @contextmanager
    def _told(self) -> Iterator[None]:
        with self.lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                raise JournalError(self.path, f"cannot keep or read a refused point: {error}") from error
            except sqlite3.ProgrammingError as error:
                raise JournalError(self.path, f"the quarantine is closed: {error}") from error
            except sqlite3.DatabaseError as error:
                if not self._writes:
                    raise JournalError(self.path, f"altered on disk: {error}") from error
                self.close()
                self._replace()
                raise JournalError(self.path, f"the quarantine was damaged and is put aside: {error}") from error


def _is_of_the_disk(error: Exception) -> bool:
    """Whether a disk that is full or fails is behind it (sqlite.org/rescode.html)."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _salvaged(path: Path) -> Iterator[tuple[Entry, bytes]]:
    """Entries that can still be read."""
    with path.open("r+b") as file:
        head = file.read(_HEAD.size)
        if len(head) == _HEAD.size:
            page_size, pages = _HEAD.unpack(head)
            if path.stat().st_size < page_size * pages <= _LARGEST:
                file.truncate(page_size * pages)  # SQLite reads nothing of a file that lost its end
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        for number in _numbers(database):
            with suppress(sqlite3.Error, TypeError):
                *entry, refused, crc = database.execute(_ONE, (number,)).fetchone()
                if google_crc32c.value(refused) == crc:
                    yield Entry(*entry), refused


def _numbers(database: sqlite3.Connection) -> range:
    """Where entries may stand; the newest may not be readable."""
    for query in ("SELECT seq FROM sqlite_sequence WHERE name = 'entries'", "SELECT max(number) FROM entries"):
        with suppress(sqlite3.Error, TypeError):
            return range(1, database.execute(query).fetchone()[0] + 1)
    return range(0)
