"""What a desk has taken, on its disk: each id of a site once, no time twice, what is not yet durable in the journal.

The journal carries entries to the store and forgets them; a desk remembers them, so that what is sent to it again, by
an impatient finger or by a broker, is kept once, and so that a page shows them while the store is away.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from pipelines.errors import JournalError
from viewer.entries.model import Entry
from viewer.entries.site import SiteKey
from viewer.entries.written import Source, Written

_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE entry (
    id TEXT NOT NULL,
    time_ns INTEGER NOT NULL UNIQUE,
    entered_ns INTEGER NOT NULL,
    company TEXT NOT NULL,
    site TEXT NOT NULL,
    source TEXT NOT NULL,
    said TEXT NOT NULL,
    durable INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (company, site, id)
) STRICT;
CREATE INDEX of_site ON entry (company, site, time_ns);
CREATE INDEX waiting ON entry (durable) WHERE durable = 0;
"""
_COLUMNS: Final = "company, site, time_ns, entered_ns, source, said"
_FROM_1: Final = f"""
ALTER TABLE entry RENAME TO before;
DROP INDEX of_site;
DROP INDEX waiting;
{_SCHEMA}
INSERT INTO entry (id, {_COLUMNS}, durable) SELECT id, {_COLUMNS}, durable FROM before;
DROP TABLE before;
"""  # noqa: S608 - no value in it
"""In version 1 an id was there once for all sites: what two companies' files said alike was kept for one of them."""
_STEPS: Final = {0: _SCHEMA, 1: _FROM_1}


class Book:
    """Entries of one desk; may be asked from any thread.

    Args:
        path: its file.

    Raises:
        JournalError: the file cannot be used, or is of a later version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(path, f"cannot be opened: {error}") from error
        with self._turn():
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            (version,) = self._base.execute("PRAGMA user_version").fetchone()
            if version in _STEPS:
                self._base.executescript(
                    f"BEGIN IMMEDIATE; {_STEPS[version]} PRAGMA user_version = {_VERSION}; COMMIT;"
                )
            elif version != _VERSION:
                raise JournalError(path, f"is of version {version}; this program reads version {_VERSION}")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()

    def add(self, key: SiteKey, entries: Sequence[Entry], source: Source, now_ns: int) -> list[Written]:
        """Take entries, all or none, durably; of one whose id is known of the site, what was taken first.

        Raises:
            JournalError: the disk takes nothing.
        """
        with self._turn(), _all_or_none(self._base):
            found, at_ns = [], now_ns
            for entry in entries:
                written = self._known(key, entry.id)
                if written is None:
                    at_ns = self._free(at_ns)
                    written = Written(entry, *key, at_ns, now_ns, source)
                    said = entry.model_dump_json(exclude_defaults=True)
                    row = (entry.id, written.time_ns, now_ns, *key, source, said)
                    self._base.execute(
                        "INSERT INTO entry (id, time_ns, entered_ns, company, site, source, said)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?)",
                        row,
                    )
                found.append(written)
            return found

    def durable(self, key: SiteKey, ids: Iterable[str]) -> None:
        """These of a site are in the journal for good.

        Raises:
            JournalError: the disk takes nothing.
        """
        with self._turn(), _all_or_none(self._base):
            self._base.executemany(
                "UPDATE entry SET durable = 1 WHERE company = ? AND site = ? AND id = ?", [(*key, one) for one in ids]
            )

    def waiting(self, key: SiteKey | None = None, ids: Sequence[str] | None = None) -> list[Written]:
        """What is not known to be in the journal for good, oldest first; of this site and these ids only, if named."""
        with self._turn():
            rows = self._base.execute(f"SELECT {_COLUMNS} FROM entry WHERE durable = 0 ORDER BY time_ns").fetchall()  # noqa: S608
        found = [one for one in map(_written, rows) if key is None or (one.company, one.site) == key]
        wanted = None if ids is None else set(ids)
        return found if wanted is None else [one for one in found if one.id in wanted]

    def get(self, key: SiteKey, name: str) -> Written | None:
        """An entry of a site by its id; None = this desk has not taken it."""
        with self._turn():
            return self._known(key, name)

    def of_site(self, key: SiteKey, since_ns: int) -> list[Written]:
        """Everything of a site that was entered at or after a moment, oldest first."""
        with self._turn():
            rows = self._base.execute(
                f"SELECT {_COLUMNS} FROM entry WHERE company = ? AND site = ? AND time_ns >= ? ORDER BY time_ns",  # noqa: S608
                (*key, since_ns),
            ).fetchall()
        return [_written(row) for row in rows]

    def sites(self) -> list[SiteKey]:
        """Sites with something that is not known to be in the journal for good."""
        return list(dict.fromkeys((one.company, one.site) for one in self.waiting()))

    def _known(self, key: SiteKey, name: str) -> Written | None:
        row = self._base.execute(
            f"SELECT {_COLUMNS} FROM entry WHERE company = ? AND site = ? AND id = ?",  # noqa: S608
            (*key, name),
        ).fetchone()
        return None if row is None else _written(row)

    def _free(self, time_ns: int) -> int:
        """The first moment from `time_ns` on that no entry has."""
        while self._base.execute("SELECT 1 FROM entry WHERE time_ns = ?", (time_ns,)).fetchone():
            time_ns += 1
        return time_ns

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise JournalError(self._path, f"{error}; free space on this disk") from error


@contextmanager
def _all_or_none(base: sqlite3.Connection) -> Iterator[None]:
    base.execute("BEGIN IMMEDIATE")
    with base:  # commits, or rolls back
        yield


def _written(row: tuple[Any, ...]) -> Written:
    company, site, time_ns, entered_ns, source, said = row
    return Written(_entry(said), company, site, time_ns, entered_ns, source)


def _entry(said: str) -> Entry:
    """What was checked once, as it is: limits may have changed since."""
    return Entry.model_construct(**orjson.loads(said))
