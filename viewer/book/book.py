"""`viewer.db`: one SQLite file that survives a kill at any time.

Write-ahead log with `synchronous=FULL`: what `write` has returned from is on disk. One connection, used by one thread
at a time; other processes (`agent users` beside a running server) share the file by SQLite's own locks. The file and
its log belong to the owner of the folder and are readable by nobody else (mode 0600).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from pipelines.errors import DependencyError
from viewer.book.schema import migrate

FILE: Final = "viewer.db"
BUSY_S: Final = 10.0
"""Longest wait for another process that writes."""
_MODE: Final = 0o600
_MEMORY: Final = ":memory:"

Parameters = Sequence[object]


class Book:
    """An open book. Methods block; call them in a thread from asyncio.

    Args:
        path: the file, made where it is not there yet; None = in memory, gone at the end.

    Raises:
        ConfigError: the file is of a newer version, or of another program.
        DependencyError: it cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._name = str(path or _MEMORY)
        self._lock = threading.RLock()
        with self._told():
            if path is not None:
                _make(path)
            self._connection = sqlite3.connect(
                self._name, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        with ExitStack() as undone, self._told():
            undone.callback(self._connection.close)
            _prepare(self._connection)
            migrate(self._connection, self._name)
            undone.pop_all()

    def read(self, query: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Rows of a query.

        Args:
            query: SQL with a `?` for each parameter; no value is ever written into it.
            parameters: the values.

        Raises:
            DependencyError: the file cannot be read.
        """
        with self._lock, self._told():
            return self._connection.execute(query, parameters).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Cursor]:
        """One transaction: everything in the block is on disk when it ends, or nothing of it is.

        A write inside a write is part of the outer one.

        Raises:
            DependencyError: the file cannot be written.
        """
        with self._lock, self._told():
            if self._connection.in_transaction:
                yield self._connection.cursor()
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.cursor()
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:  # something went wrong before the end
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong with the file, said in one line; a broken rule of a table stays what it is."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            spoilt = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            remedy = "bring it back from a copy" if spoilt else "is the disk full, or the folder another user's?"
            raise DependencyError(self._name, f"{reason}; {remedy}") from error


def _make(path: Path) -> None:
    """The folder and an empty file that nobody else reads; SQLite gives its log the same mode and owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():  # what root writes must not land elsewhere
        raise OSError(errno.ELOOP, "is a symbolic link")
    # Only where there is none: to close a second descriptor of a file would end SQLite's locks on it in this process.
    with suppress(FileExistsError):
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _MODE)
        try:
            owner = path.parent.stat()
            if os.geteuid() == 0:  # made by root beside a service of its own user
                os.fchown(fd, owner.st_uid, owner.st_gid)
        finally:
            os.close(fd)
    if path.stat().st_mode & 0o777 != _MODE:
        path.chmod(_MODE)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    for setting in (
        f"busy_timeout = {int(BUSY_S * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {setting}")
