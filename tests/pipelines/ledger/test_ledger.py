"""The ledger counts each released record once, whatever crashes between its writes."""

from __future__ import annotations

import errno
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.soak.disk import Tmpfs
from pipelines.clock import SystemClock
from pipelines.journal.journal import Journal
from pipelines.journal.segment import Segment
from pipelines.ledger import files
from pipelines.ledger.book import Book, Numbers, fold_of
from pipelines.ledger.files import write_fold
from pipelines.ledger.format import MAGIC, NO_EDGES, entries
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.tally import ROW, SeriesKey
from pipelines.ledger.view import View
from tests.pipelines.journal.steps import sync, tidy
from tests.pipelines.ledger.line import Line


def claimed(folder: Path) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Count and hash by machine, field and hour, of the ledger alone."""
    view = View.load(folder / "ledger")
    found: dict[tuple[str, str, int], tuple[int, int]] = {}
    for row in view.rows:
        key = view.numbers.keys[row["series"]]
        name = (dict(key.tags)["machine"], key.field, int(row["hour"]))
        count, total = found.get(name, (0, 0))
        found[name] = (count + int(row["count"]), (total + int(row["hash"])) % 2**64)
    return found


def count(folder: Path) -> int:
    return sum(readings for readings, _ in claimed(folder).values())


@pytest.fixture
def on_line(tmp_path: Path) -> Any:
    lines = []

    def make(name: str = "one", **kwargs: Any) -> Line:
        lines.append(Line(tmp_path / name, **kwargs))
        return lines[-1]

    yield make
    for one in lines:
        one.close()


def test_a_segment_is_counted_alike_whether_its_readings_were_carried_or_are_read(on_line: Any) -> None:
    carried, read = on_line("carried"), on_line("read")
    for one, flag in ((carried, True), (read, False)):
        records = one.fill(0, 50, carried=flag)
        for stored in records:
            one.journal.release(stored)
        one.ledger.finished(records[0].segment)
    assert claimed(carried.folder) == claimed(read.folder)
    assert count(carried.folder) == 50 * len(records)
    assert {name[:2] for name in claimed(read.folder)} == {(m, f) for m in ("P1", "P2") for f in ("t", "p")}


def test_again_changes_nothing(on_line: Any) -> None:
    one = on_line()
    records = one.fill(0, 50)
    for stored in records:
        one.journal.release(stored)
    one.ledger.finished(records[0].segment)
    before, size = claimed(one.folder), one.ledger.bytes_used
    one.ledger.finished(records[0].segment)
    one.ledger.close()
    one.ledger = Ledger(one.folder / "ledger", 16 << 20, SystemClock())
    one.ledger.finished(records[0].segment)
    assert claimed(one.folder) == before
    assert one.ledger.bytes_used == size


def test_what_is_given_up_is_not_claimed_and_told(on_line: Any) -> None:
    one = on_line()
    records = one.fill(0, 50)
    for stored in records[:3]:
        one.journal.release(stored)
    segment = records[0].segment
    segment.give_up()
    one.ledger.finished(segment)
    assert count(one.folder) == 150
    view = View.load(one.folder / "ledger")
    assert sum(view.losses.points["cap"].values()) == 50 * (len(records) - 3)
    assert view.losses.spans == [segment.span_ns]


def test_refused_lines_are_not_claimed(on_line: Any) -> None:
    one = on_line()
    records = one.fill(0, 50)
    some = records[1].payload().decode().splitlines()[:2]
    one.ledger.refused(records[1].id, some, 2)
    one.ledger.refused(records[2].id, None, 50)
    one.ledger.close()
    one.ledger = Ledger(one.folder / "ledger", 16 << 20, SystemClock())
    one.ledger.refused(records[2].id, None, 50)
    for stored in records:
        one.journal.release(stored)
    one.ledger.finished(records[0].segment)
    assert count(one.folder) == 50 * len(records) - 52
    assert sum(View.load(one.folder / "ledger").losses.points["refused"].values()) == 52


def test_sums_of_waiting_segments_are_written_down_and_used(on_line: Any) -> None:
    one = on_line()
    segments = [one.fill(1000 * n, 50) for n in range(8)]
    one.ledger.close()
    assert list((one.folder / "ledger").glob("*.tally"))
    one.ledger = Ledger(one.folder / "ledger", 16 << 20, SystemClock())
    for records in segments:
        for stored in records:
            one.journal.release(stored)
        segment = records[0].segment
        data = segment.path.read_bytes()
        segment.path.write_bytes(b"")  # it is not read
        one.ledger.finished(segment)
        segment.path.write_bytes(data)
    assert count(one.folder) == sum(50 * len(records) for records in segments)
    assert not list((one.folder / "ledger").glob("*.tally"))


def test_the_oldest_hours_go_first_and_the_rest_is_vouched_for(on_line: Any) -> None:
    one = on_line(max_bytes=1 << 20)
    one.step_ns, first = 900 * 10**9, 0
    for _ in range(12):
        records = one.fill(first, 400)
        first += 400 * len(records)
        for stored in records:
            one.journal.release(stored)
        one.journal.behind.finish(records[0].segment)
        assert one.ledger.bytes_used <= 256 << 10
        one.journal.behind.segments.remove(records[0].segment)
    view = View.load(one.folder / "ledger")
    assert len(view.rows)
    assert view.since_hour is not None
    assert view.rows["hour"].min() >= view.since_hour


def test_a_full_disk_does_not_keep_a_segment_for_ever() -> None:
    """Room comes only when segments go, and they go when they are counted."""
    with Tmpfs(16) as disk:
        one = Line(disk.folder / "agent", max_bytes=8 << 20)
        first, counted = 0, 0
        for _ in range(3):
            records = one.fill(first, 50)
            first += 50 * len(records)
            for stored in records:
                one.journal.release(stored)
            with disk.filled():
                one.journal.behind.finish(records[0].segment)
            one.journal.behind.segments.remove(records[0].segment)
            counted += 50 * len(records)
            one.ledger.finished(records[0].segment)
        assert count(one.folder) == counted
        one.close()


def test_a_segment_that_somebody_deleted_is_not_waited_for(on_line: Any) -> None:
    one = on_line()
    records = one.fill(0, 50, carried=False)
    for stored in records:
        one.journal.release(stored)
    records[0].segment.path.unlink()
    one.ledger.finished(records[0].segment)
    assert count(one.folder) == 0
    assert len(View.load(one.folder / "ledger").losses.spans) == 1


class CrashError(Exception):
    """The process ends here."""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 99)), max_size=4))
def test_a_crash_between_any_two_writes_counts_nothing_twice_and_nothing_never(
    tmp_path_factory: pytest.TempPathFactory, segments: int, crashes: list[tuple[int, int]]
) -> None:
    """Each call that changes the disk may be the last one of a process; the next one finishes what is left."""
    folder = tmp_path_factory.mktemp("crash")
    with pytest.MonkeyPatch.context() as patch:
        crash = _Crash(patch, crashes)
        one = Line(folder, max_bytes=1 << 20)
        one.ledger._log_bytes = 600
        written = 0
        waiting: list[Segment] = []
        for n in range(segments):
            records = one.fill(3600 * n, 100)
            written += 100 * len(records)
            for stored in records:
                one.journal.release(stored)
            waiting.append(records[0].segment)
        while waiting:
            crash.arm()
            try:
                one.ledger.finished(waiting[0])
            except CrashError:
                crash.disarm()
                one.ledger.sums.close()
                one.ledger = Ledger(folder / "ledger", 1 << 18, SystemClock())
                one.ledger._log_bytes = 600
            else:
                waiting.pop(0)
            crash.disarm()
        one.close()
        assert count(folder) == written
    shutil.rmtree(folder)


class _Crash:
    """Ends the process, as far as the ledger is concerned, before the n-th change of the disk; writes may be torn.

    Args:
        patch: where calls are caught.
        crashes: for each call of the ledger the n of its crash, and how much of a write arrives, percent.
    """

    def __init__(self, patch: pytest.MonkeyPatch, crashes: list[tuple[int, int]]) -> None:
        self._crashes = crashes
        self._left, self._percent = -1, 0

        def guarded(real: Any) -> Any:
            def call(*arguments: Any, **named: Any) -> Any:
                self._count(arguments, real)
                return real(*arguments, **named)

            return call

        patch.setattr(files, "write_all", guarded(files.write_all))
        patch.setattr(files, "sync_folder", guarded(files.sync_folder))
        patch.setattr(Path, "rename", guarded(Path.rename))
        patch.setattr(Path, "unlink", guarded(Path.unlink))

    def arm(self) -> None:
        self._left, self._percent = self._crashes.pop() if self._crashes else (-1, 0)

    def disarm(self) -> None:
        self._left = -1

    def _count(self, arguments: tuple[Any, ...], real: Any) -> None:
        if self._left == 0:
            self._left = -1
            if real.__name__ == "write_all":
                fd, data, offset = arguments
                real(fd, data[: len(data) * self._percent // 100], offset)
            raise CrashError
        self._left -= 1


def test_an_entry_that_was_altered_costs_no_other(on_line: Any) -> None:
    one = on_line()
    for n in range(3):
        records = one.fill(1000 * n, 50)
        for stored in records:
            one.journal.release(stored)
        one.ledger.finished(records[0].segment)
    log = next((one.folder / "ledger").glob("*.log"))
    raw = bytearray(log.read_bytes())
    raw[len(raw) // 2] ^= 1
    log.write_bytes(raw)
    view = View.load(one.folder / "ledger")
    assert view.damaged
    assert 0 < count(one.folder) < 3 * 50 * len(records)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(raw: bytes) -> None:
    assert list(entries(raw)) == []
    assert list(entries(MAGIC + struct.pack("<IIII", 0, 9, 9, 9) + raw)) == []


def test_a_year_of_a_hundred_tags_is_opened_at_once(tmp_path: Path) -> None:
    """Only the newest fold and the log are read."""
    (tmp_path / "ledger").mkdir()
    numbers, book = Numbers(), Book()
    for tag in range(100):
        numbers.series(SeriesKey("press", (("machine", "P1"),), f"t{tag}", "float"))
    epoch = numbers.epoch("ab" * 16)
    for month in range(12):
        rows = np.zeros(100 * 730, ROW)
        rows["series"], rows["hour"] = np.tile(np.arange(100), 730), np.repeat(month * 730 + np.arange(730), 100)
        rows["count"], rows["epoch"] = 3600, epoch
        write_fold(tmp_path / "ledger", month + 1, month + 1, fold_of(rows, NO_EDGES, book, numbers))
    ledger = Ledger(tmp_path / "ledger", 512 << 20, SystemClock())
    view = View.load(tmp_path / "ledger")
    assert len(view.rows) == 100 * 8760
    assert ledger.bytes_used > 30 << 20
    ledger.close()


def test_a_segment_that_could_not_be_noted_at_first_is_counted_whole(
    on_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = on_line()
    records = one.fill(0, 50)
    for stored in records:
        one.journal.release(stored)
    cannot_note(one, records[0].segment, "write_all", monkeypatch)
    one.ledger.finished(records[0].segment)
    assert count(one.folder) == 50 * len(records)


def cannot_note(one: Line, segment: Segment, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails at one step while a finished segment is counted."""

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "the disk fails")

    with monkeypatch.context() as patch:
        patch.setattr(files, step, failing)
        with pytest.raises(OSError, match="the disk fails"):
            one.ledger.finished(segment)


def test_what_is_given_up_is_told_once_though_its_segment_comes_again(on_line: Any) -> None:
    one = on_line()
    records = one.fill(0, 50)
    for stored in records[:3]:
        one.journal.release(stored)
    segment = records[0].segment
    segment.give_up()
    one.ledger.finished(segment)
    one.ledger.finished(segment)  # its file could not be deleted
    one.ledger.close()
    one.ledger = Ledger(one.folder / "ledger", 16 << 20, SystemClock())
    one.ledger.finished(segment)  # a crash came before
    view = View.load(one.folder / "ledger")
    assert sum(view.losses.points["cap"].values()) == 50 * (len(records) - 3)
    assert view.losses.spans == [segment.span_ns]
    assert count(one.folder) == 150


def test_records_that_a_failed_sync_moved_are_not_given_up_and_counted_where_they_went(on_line: Any) -> None:
    one = on_line()
    first = [one.append(0, 50), one.append(50, 50)]
    sync(one.journal)
    one.append(100, 50)
    one.append(150, 50)
    one.journal.rewrite_uncommitted()
    second = [new for _, new in one.journal.moved]
    one.commit()
    tidy(one.journal)
    one.ledger.close()
    one.journal.close()
    one.ledger = Ledger(one.folder / "ledger", 16 << 20, SystemClock())
    one.journal = Journal(one.folder / "journal", one.journal.settings)
    one.journal.open()
    waiting = [found for part in one.journal.segments for found in one.journal.walk(part, 0, part.size)]
    assert [found.id for found in waiting] == [stored.id for stored in (*first, *second)]
    for found in waiting:
        one.journal.release(found)
    for part in one.journal.segments[:-1]:
        one.ledger.finished(part)
    view = View.load(one.folder / "ledger")
    assert (view.losses.points, view.losses.spans) == ({}, [])
    assert count(one.folder) == 200


def test_the_name_of_a_log_is_durable_before_anything_is_counted_in_it(
    on_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = on_line()
    records = one.fill(0, 50)
    for stored in records:
        one.journal.release(stored)
    cannot_note(one, records[0].segment, "sync_folder", monkeypatch)
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    one.ledger.finished(records[0].segment)
    assert synced == [one.folder / "ledger"]
    assert count(one.folder) == 50 * len(records)
