"""The quarantine: durable, bounded, not read whole, and nothing in it twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from agent.soak.disk import LoopDisk, Tmpfs
from pipelines.errors import JournalError, JournalFull
from pipelines.quarantine import Quarantine, kept
from pipelines.quarantine.shelf import _ADD, NAME
from pipelines.topics import RecordId
from tests.set_clock import SetClock

EPOCH = "a" * 32
NOW = SetClock(1_700_000_000_000_000_000)


def record(number: int) -> RecordId:
    return RecordId(EPOCH, number)


def refused(*times: int, text: str = "field type conflict") -> list[dict[str, Any]]:
    return [{"line": f"m f=1 {time}", "field": "f", "points": 1, "reason": text} for time in times]


def names(folder: Path) -> list[str]:
    return [entry.record for entry, _ in kept(folder)]


def test_what_is_kept_says_all_and_outlives_the_process(tmp_path: Path) -> None:
    one = Quarantine(tmp_path, clock=NOW)
    one.put(record(1), refused(1, 2))
    one.put(record(2), refused(3))
    one.put(record(1), refused(9))
    assert (one.records, one.points) == (2, 3)
    one.close()
    again = Quarantine(tmp_path)
    assert (again.records, again.points) == (2, 3)
    (first, lines), _ = kept(tmp_path)  # while the other has it open
    assert (first.record, first.time_ns, first.points, first.lines) == (str(record(1)), NOW.now_ns(), 2, 2)
    assert first.reason == "field type conflict"
    assert lines == refused(1, 2)
    assert [entry.record for entry, _ in kept(tmp_path, [str(record(2))])] == [str(record(2))]
    assert oct((tmp_path / NAME).stat().st_mode & 0o777) == "0o600"
    again.close()


def test_what_went_does_not_come_again(tmp_path: Path) -> None:
    one = Quarantine(tmp_path)
    one.put(record(1), refused(1))
    one.put(record(2), refused(2))
    one.remove([str(record(1)), str(record(7))])
    one.put(record(1), refused(1))  # the broker brought it once more
    assert names(tmp_path) == [str(record(2))]
    one.close()
    one = Quarantine(tmp_path)
    one.put(record(1), refused(1))
    assert (one.records, one.points) == (1, 1)
    one.put(record(7), refused(1))  # it was never here
    assert one.records == 2
    one.close()


def test_no_folder_of_an_agent_is_an_empty_quarantine(tmp_path: Path) -> None:
    assert names(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most", [256 << 10, 700 << 10])
def test_it_never_takes_more_than_it_may(tmp_path: Path, most: int) -> None:
    one = Quarantine(tmp_path, most)
    full = 0
    for number in range(150):
        try:
            one.put(record(number), refused(*range(50)))
        except JournalFull:
            full += 1
            assert "the quarantine is full" in one.trouble
        used = sum(path.stat().st_size for path in tmp_path.iterdir())
        assert used <= most
        assert one.bytes_used == used
    assert full
    assert one.records == 150 - full > 5
    one.remove(names(tmp_path)[:-2])
    assert one.trouble == ""
    assert one.bytes_used < 160 << 10
    one.put(record(999), refused(*range(50)))
    assert one.records == 3
    one.close()


def test_a_start_with_thousands_of_records_reads_few_of_their_bytes(tmp_path: Path) -> None:
    one = Quarantine(tmp_path)
    with one._shelf._change() as database:
        many = [(f"{EPOCH}:{number}", number, 5000, 5000, "no", b"x" * 40_000, 0) for number in range(2000)]
        database.executemany(_ADD, many)
    one.close()
    size = (tmp_path / NAME).stat().st_size
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from pipelines.quarantine import Quarantine
        before = [line for line in open("/proc/self/io") if line.startswith("rchar")][0]
        one = Quarantine(Path(sys.argv[1]))
        after = [line for line in open("/proc/self/io") if line.startswith("rchar")][0]
        print(one.points, int(after.split()[1]) - int(before.split()[1]))
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    points, read = map(int, done.stdout.split())
    assert points == 10_000_000
    assert read < size / 4


def test_a_process_killed_while_it_writes_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from pipelines.quarantine import Quarantine
        from pipelines.topics import RecordId
        one = Quarantine(Path(sys.argv[1]))
        for number in range(10**6):
            lines = [{"line": f"m f=1 {number}", "field": "f", "points": 1, "reason": "no"}] * 200
            one.put(RecordId("a" * 32, number), lines)
            print(number, flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 50:
                break
        process.send_signal(signal.SIGKILL)
        said = [50, *(int(one) for one in process.stdout.read().split(b"\n") if one)]
    one = Quarantine(tmp_path)
    assert one.records in {said[-1] + 1, said[-1] + 2}
    assert names(tmp_path)[: said[-1] + 1] == [str(record(number)) for number in range(said[-1] + 1)]
    one.close()


@pytest.mark.parametrize("where", ["head", "middle", "tail"])
def test_a_damaged_file_is_put_aside_and_what_can_be_read_is_kept(tmp_path: Path, where: str) -> None:
    one = Quarantine(tmp_path)
    for number in range(60):
        one.put(record(number), refused(*range(300)))
    one.close()
    path = tmp_path / NAME
    size = path.stat().st_size
    if where == "tail":
        os.truncate(path, size - 20_000)
    else:
        with path.open("r+b") as file:
            file.seek(0 if where == "head" else size // 2 // 4096 * 4096)
            file.write(b"\xff" * 4096)
    one = Quarantine(tmp_path)
    for number in range(200, 230):
        try:
            one.put(record(number), refused(1))
        except JournalError:  # found when it was used
            one.put(record(number), refused(1))
    left = names(tmp_path)
    assert [str(record(number)) for number in range(200, 230)] == left[-30:]
    if where != "head":
        assert len(left) > 30
    for entry, lines in kept(tmp_path):
        assert lines in (refused(*range(300)), refused(1)) or "altered on disk" in entry.reason
    one.close()


def test_a_power_cut_loses_nothing_that_was_kept() -> None:
    with LoopDisk(64) as disk:
        state = disk.folder / "state"
        state.mkdir()
        script = textwrap.dedent(
            """
            import sys
            from pathlib import Path
            from pipelines.quarantine import Quarantine
            from pipelines.topics import RecordId
            one = Quarantine(Path(sys.argv[1]))
            for number in range(30):
                one.put(RecordId("a" * 32, number), [{"line": f"m f=1 {number}", "points": 1, "reason": "no"}])
            one.remove([f"{'a' * 32}:{number}" for number in range(5)])
            print("kept", flush=True)
            sys.stdin.read()
            """
        )
        command = [sys.executable, "-c", script, str(state)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"kept\n"
            disk.power_cut()
            process.kill()
        disk.restore()
        assert names(state) == [str(record(number)) for number in range(5, 30)]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"not a database at all, of some length" * 200)
    with pytest.raises(JournalError, match="cannot be read"):
        names(tmp_path)
    one = Quarantine(tmp_path)
    one.put(record(1), refused(1))
    assert names(tmp_path) == [str(record(1))]
    assert (tmp_path / f"{NAME}.damaged-1").exists()
    one.close()


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    one = Quarantine(tmp_path)
    with one._shelf._change() as database:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
    one._shelf._database.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[union-attr]
    with pytest.raises(JournalError, match="full"):
        one.put(record(1), refused(*range(2000)))
    assert one.trouble
    one._shelf._database.execute("PRAGMA max_page_count=1000000")  # type: ignore[union-attr]
    one.put(record(1), refused(*range(2000)))
    assert not one.trouble
    assert one.points == 2000
    one.close()
    assert sqlite3.connect(tmp_path / NAME).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_disk_that_is_full_at_the_start_keeps_it_shut_until_there_is_room() -> None:
    with Tmpfs(1) as disk:
        one = Quarantine(disk.folder)
        one.put(record(1), refused(1))
        one.close()
        with disk.filled():
            one = Quarantine(disk.folder)
            assert "cannot use the quarantine" in one.trouble
            assert (one.records, list(one.entries())) == (0, [])
            with pytest.raises(JournalError, match="free space"):
                one.put(record(2), refused(2))
            with pytest.raises(JournalError, match="free space"):
                one.remove([str(record(1))])
        one.look()
        assert (one.trouble, one.records) == ("", 1)
        one.put(record(2), refused(2))
        assert names(disk.folder) == [str(record(1)), str(record(2))]
        one.close()
