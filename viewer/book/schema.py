"""The tables of the book, made and changed by numbered files that run once each, in order.

`migrations/NNNN_what.sql` begins at 0001 without a hole. SQLite's `user_version` says how many a file has seen, and its
`application_id` that it is a book at all. Each file runs in one transaction together with the new `user_version`, so
that a kill leaves it wholly done or not at all. A file that was shipped is never changed: what is new is a new file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from pipelines.errors import ConfigError

APPLICATION_ID: Final = 0x53465642
"""`SFVB`."""
_FOLDER: Final = Path(__file__).parent / "migrations"


@cache
def migrations() -> tuple[str, ...]:
    """The SQL of every migration, the first one first."""
    files = sorted(_FOLDER.glob("*.sql"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1)), "migrations are numbered 1, 2, 3 …"
    return tuple(file.read_text(encoding="utf-8") for file in files)


def migrate(connection: sqlite3.Connection, path: str, steps: tuple[str, ...] | None = None) -> None:
    """Bring a file to the newest version.

    Args:
        connection: in autocommit mode (`isolation_level=None`).
        path: of the file, for what is said of it.
        steps: the migrations; default: those of this program.

    Raises:
        ConfigError: a newer version of this program wrote the file, or it is something else.
    """
    steps = migrations() if steps is None else steps
    while (version := _version(connection, path, len(steps))) < len(steps):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have done it while this one waited for the lock.
            if _version(connection, path, len(steps)) == version:
                for statement in _statements(steps[version]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection, path: str, known: int) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (version or application or tables):
        raise ConfigError(path, None, "is a database of another program; name another folder, or move it away")
    if version > known:
        reason = f"has schema {version}, of a newer version; this one knows up to {known}: install the newer one"
        raise ConfigError(path, None, reason)
    return int(version)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would end the transaction around it."""
    statement = ""
    *parts, rest = script.split(";")
    for part in parts:
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not (statement + rest).strip(), "a migration ends with a whole statement"
