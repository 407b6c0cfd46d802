"""The book: rights, versions, transactions, several processes, and a kill at any time."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.errors import ConfigError, DependencyError
from viewer.book import schema
from viewer.book.book import Book
from viewer.book.schema import APPLICATION_ID, migrate, migrations

WRITER = """
import sys
from pathlib import Path
from pipelines.clock import SystemClock
from viewer.access.audit import Audit
from viewer.book.book import Book
book = Book(Path(sys.argv[1]))
audit = Audit(book, SystemClock())
for n in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    with book.write() as cursor:
        audit.write("", "local", "test", str(n))
        cursor.execute("INSERT INTO tries VALUES ('account', ?, 1, 0)", (str(n),))
    print(n, flush=True)
"""


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_file_and_its_log_are_for_nobody_else(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        book = Book(tmp_path / "viewer.db")
        with book.write() as cursor:
            cursor.execute("INSERT INTO tries VALUES ('account', 'a', 1, 0)")
        assert modes(tmp_path) == dict.fromkeys(("viewer.db", "viewer.db-wal", "viewer.db-shm"), 0o600)
        book.close()
    finally:
        os.umask(before)


def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    """`sudo agent users` beside a service of its own user; whoever is not root owns both anyway."""
    folder = tmp_path / "state"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    book = Book(folder / "viewer.db")
    with book.write() as cursor:
        cursor.execute("INSERT INTO tries VALUES ('account', 'a', 1, 0)")
    owner = folder.stat()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {(owner.st_uid, owner.st_gid)}
    assert len(list(folder.iterdir())) == 3
    book.close()


def test_a_file_with_wider_rights_is_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "viewer.db"
    Book(path).close()
    path.chmod(0o644)
    Book(path).close()
    assert modes(tmp_path) == {"viewer.db": 0o600}


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "viewer.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DependencyError, match="symbolic link"):
        Book(tmp_path / "viewer.db")
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) != 0o600


def test_settings_that_it_stands_on(tmp_path: Path) -> None:
    book = Book(tmp_path / "viewer.db")
    settings = {name: book.read(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with pytest.raises(sqlite3.IntegrityError), book.write() as cursor:
        cursor.execute("INSERT INTO user_companies VALUES (7, 'a')")
    book.close()


def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "viewer.db"
    Book(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(ConfigError, match=r"viewer\.db: has schema 999, of a newer version; this one knows up to \d+"):
        Book(path)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "viewer.db")
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(ConfigError, match="another program"):
        Book(tmp_path / "viewer.db")


def test_a_spoilt_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "viewer.db").write_bytes(b"no database" * 100)
    with pytest.raises(DependencyError, match="not a database; bring it back from a copy"):
        Book(tmp_path / "viewer.db")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DependencyError, match=str(tmp_path / "file")):
        Book(tmp_path / "file" / "viewer.db")


def test_migrations_run_in_order_and_once(tmp_path: Path) -> None:
    path = tmp_path / "viewer.db"
    steps = ("CREATE TABLE a (x); INSERT INTO a VALUES (1);", "ALTER TABLE a ADD y; UPDATE a SET y = x + 1;")
    for known in (steps[:1], steps, steps):
        connection = sqlite3.connect(path, isolation_level=None)
        migrate(connection, str(path), known)
        connection.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "viewer.db", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, "viewer.db", ("CREATE TABLE a (x); INSERT INTO nothing VALUES (1);",))
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    connection.close()


def test_shipped_migrations_are_whole_statements_and_mark_the_file(tmp_path: Path) -> None:
    assert all(list(schema._statements(script)) for script in migrations())
    book = Book(tmp_path / "viewer.db")
    assert book.read("PRAGMA user_version")[0][0] == len(migrations())
    assert book.read("PRAGMA application_id")[0][0] == APPLICATION_ID
    book.close()


def test_a_write_is_whole_or_not_at_all() -> None:
    book = Book()
    with pytest.raises(RuntimeError), book.write() as cursor:
        cursor.execute("INSERT INTO tries VALUES ('account', 'a', 1, 0)")
        with book.write() as inner:
            inner.execute("INSERT INTO tries VALUES ('account', 'b', 1, 0)")
        raise RuntimeError
    assert book.read("SELECT * FROM tries") == []


def test_threads_write_one_after_another() -> None:
    book = Book()
    with book.write() as cursor:
        cursor.execute("INSERT INTO tries VALUES ('account', 'a', 0, 0)")

    def count() -> None:
        for _ in range(50):
            with book.write() as cursor:
                (found,) = cursor.execute("SELECT failures FROM tries").fetchone()
                cursor.execute("UPDATE tries SET failures = ?", (found + 1,))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.read("SELECT failures FROM tries")[0][0] == 400


def test_processes_that_open_it_together_make_it_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "viewer.db"
    processes = [writer(path, 1_000_000 * n, 10) for n in range(4)]
    assert [len(process.communicate()[0].split()) for process in processes] == [10] * 4
    book = Book(path)
    assert book.read("PRAGMA integrity_check")[0][0] == "ok"
    book.close()


def writer(path: Path, first: int, count: int = 1_000_000) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_kill_at_any_time_loses_nothing_that_was_said(tmp_path: Path) -> None:
    """Killed while it is made, and while it is written: what `write` returned from is there, wholly."""
    path = tmp_path / "viewer.db"
    told: list[int] = []
    for life in range(8):
        process = writer(path, 1_000_000 * life)
        assert process.stdout is not None
        if life % 3:  # else killed on its way up: the first life makes the file
            told += [int(process.stdout.readline()) for _ in range(life)]
        else:
            while not path.exists():
                assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        book = Book(path)
        assert book.read("PRAGMA integrity_check")[0][0] == "ok"
        written = {int(row[0]) for row in book.read("SELECT target FROM audit")}
        assert written >= set(told)
        assert written == {int(row[0]) for row in book.read("SELECT key FROM tries")}
        book.close()
