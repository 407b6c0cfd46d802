"""Damage found at a start: what is known of it is told once, everything intact comes back, and the start goes on."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.clock import SystemClock
from pipelines.errors import JournalFull
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.journal.segment import Segment
from pipelines.journal.stored import Loss
from pipelines.journal.teller import Teller
from pipelines.place import Place
from tests.pipelines.journal.steps import rotate, sync, tidy
from tests.pipelines.journal.test_journal import commit, opened

CONFIG = JournalSettings(max_bytes=8 << 20, segment_bytes=64 << 10, min_free_bytes=0)
PLACE = Place("agent", "acme", "hall", "", "edge")
T0 = 10**18


def filled(folder: Path, records: int = 8, *, kill: bool = False) -> Path:
    """A journal of records of 3 points and 20 kB, three a segment; the path of its first segment."""
    journal = Journal(folder, CONFIG)
    journal.open()
    for number in range(records):
        journal.append(b"%d" % number + b"x" * 18_000, 3, (T0 + number, T0 + number), {})
        sync(journal)
        rotate(journal)
        if not kill:
            tidy(journal)
    first = journal.segments[0].path
    if kill:
        for segment in journal.segments:
            segment.close()
    journal.close()
    return first


@contextmanager
def started(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder, CONFIG)
    began_s = time.monotonic()
    journal.open()
    assert time.monotonic() - began_s < 5
    yield journal
    journal.close()


def numbers(journal: Journal) -> list[int]:
    found = [one for segment in journal.segments for one in journal.walk(segment, 0, segment.size)]
    return [int(one.payload().split(b"x")[0]) for one in found if not one.payload().startswith(b"gap")]


def tell(journal: Journal) -> list[Loss]:
    """What the writer and its worker do."""
    losses = list(journal.losses.pending)
    teller = Teller(journal, SystemClock(), PLACE)
    for _ in teller.tell():
        sync(journal)
    teller.durable()
    tidy(journal)
    return losses


def harm(path: Path, offset: int, bit: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ bit]))


def unsealed(path: Path) -> None:
    """Without the seal a segment is scanned."""
    harm(path, path.stat().st_size - 1)


def test_damage_in_a_payload_is_told_exactly_and_once(tmp_path: Path) -> None:
    first = filled(tmp_path)
    unsealed(first)
    harm(first, 30_000)
    with started(tmp_path) as journal:
        assert numbers(journal) == [0, 2, 3, 4, 5, 6, 7]
        (loss,) = journal.losses.pending
        assert (loss.cause, loss.points, loss.span_ns) == ("journal_damaged", 3, (T0 + 1, T0 + 1))
        assert journal.points_queued == 24
        tell(journal)
        assert journal.losses.damaged_points == 3
        assert [path.name for path in (tmp_path / "bad").iterdir()] == ["0000000000000001-46b9.bad"]
        assert journal.points_queued == 21 + 1
    with started(tmp_path) as journal:
        assert not journal.losses.pending
        assert numbers(journal) == [0, 2, 3, 4, 5, 6, 7]


def test_damage_in_a_head_is_told_with_the_times_of_its_neighbours(tmp_path: Path) -> None:
    first = filled(tmp_path)
    unsealed(first)
    harm(first, 48 + 56 + 18_001 + 12)
    with started(tmp_path) as journal:
        assert numbers(journal) == [0, 2, 3, 4, 5, 6, 7]
        (loss,) = tell(journal)
        assert (loss.points, loss.span_ns) == (None, (T0, T0 + 2))
        assert journal.losses.damaged_points == 0


def test_records_cut_off_are_known_from_the_next_segment(tmp_path: Path) -> None:
    first = filled(tmp_path)
    os.truncate(first, 20_000)
    with started(tmp_path) as journal:
        assert numbers(journal) == [0, 3, 4, 5, 6, 7]
        assert [(loss.points, loss.span_ns) for loss in tell(journal)] == [(None, (T0, T0 + 3))]


def test_an_emptied_segment_is_told(tmp_path: Path) -> None:
    first = filled(tmp_path)
    os.truncate(first, 0)
    with started(tmp_path) as journal:
        assert numbers(journal) == [3, 4, 5, 6, 7]
        assert len(tell(journal)) in {0, 1}


def test_a_torn_tail_was_never_accepted(tmp_path: Path) -> None:
    filled(tmp_path, 5, kill=True)
    last = max(tmp_path.glob("*.seg"))
    data = last.read_bytes().rstrip(b"\0")
    last.write_bytes(data[: len(data) - 100] + bytes(40_000))
    with started(tmp_path) as journal:
        assert numbers(journal) in ([0, 1, 2, 3], [0, 1, 2, 3, 4])
        assert not journal.losses.pending


def test_a_damaged_seal_costs_nothing(tmp_path: Path) -> None:
    unsealed(filled(tmp_path))
    with started(tmp_path) as journal:
        assert numbers(journal) == list(range(8))
        assert not journal.losses.pending


def test_a_damaged_header_keeps_the_records_of_a_sealed_segment(tmp_path: Path) -> None:
    harm(filled(tmp_path), 20)
    with started(tmp_path) as journal:
        assert numbers(journal) == list(range(8))
        assert not journal.losses.pending


def test_an_index_that_is_altered_while_the_agent_runs_is_a_loss_only_of_what_it_hides(tmp_path: Path) -> None:
    first = filled(tmp_path)
    with started(tmp_path) as journal:
        unsealed(first)
        harm(first, 30_000)
        assert numbers(journal) == [0, 2, 3, 4, 5, 6, 7]
        (loss,) = tell(journal)
        assert loss.points == 3
        assert journal.losses.damaged_points == 3
        assert journal.points_queued == 21 + 1


def test_a_file_that_somebody_deletes_is_told(tmp_path: Path) -> None:
    first = filled(tmp_path)
    with started(tmp_path) as journal:
        first.unlink()
        assert numbers(journal) == [3, 4, 5, 6, 7]
        (loss,) = tell(journal)
        assert loss.points == 0  # the segment is given up by now
        assert journal.losses.damaged_points == 9


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO])
def test_a_gap_told_in_what_goes_is_told_again_though_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    first = filled(tmp_path)
    with started(tmp_path) as journal:
        first.unlink()
        numbers(journal)
        tell(journal)
        telling = journal.segments[-1]
        while journal.segments[-1] is telling:
            journal.append(b"x" * 18_000, 3, (T0, T0), {})
            commit(journal)
            rotate(journal)
        tidy(journal)
        assert journal.losses.doom_oldest([telling]) is telling
        teller = Teller(journal, SystemClock(), PLACE)

        def failing(_: Segment) -> None:
            raise OSError(error, os.strerror(error))

        with monkeypatch.context() as patch:
            patch.setattr(Segment, "heads", failing)
            if error == errno.EMFILE:
                with pytest.raises(JournalFull, match="cannot read which gaps are told in it: Too many open files"):
                    list(teller.tell())
            else:
                told = [stored.payload() for stored in teller.tell()]
        if error == errno.EMFILE:
            told = [stored.payload() for stored in teller.tell()]
        assert [b"cause=journal_damaged" in one and b"count=9i" in one for one in told] == [True]


def test_a_copied_segment_is_not_sent_twice_and_a_renamed_one_is_sent(tmp_path: Path) -> None:
    first = filled(tmp_path)
    shutil.copyfile(first, tmp_path / "00000000000000aa.seg")
    second = first.with_name("0000000000000002.seg")
    second.rename(first.with_name("00000000000000bb.seg"))
    with started(tmp_path) as journal:
        assert sorted(numbers(journal)) == list(range(8))
        ids = [one.id for segment in journal.segments for one in journal.walk(segment, 0, segment.size)]
        assert len(set(ids)) == len(ids)
        tell(journal)
        assert not (tmp_path / "00000000000000aa.seg").exists()


def test_whatever_lies_in_the_folder_the_start_goes_on(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "00000000000000fa.seg").mkdir()
    os.mkfifo(tmp_path / "00000000000000fb.seg")
    (tmp_path / "00000000000000fc.seg").symlink_to("/dev/zero")
    (tmp_path / "00000000000000fd.seg").write_bytes(os.urandom(50_000))
    (tmp_path / "ffffffffffffffff.seg").write_bytes(b"")
    (tmp_path / "notes.seg").write_bytes(b"hello")
    for huge in ("00000000000000fe.seg", "0000000000000001.done"):
        with (tmp_path / huge).open("wb") as file:
            file.truncate(3 << 30)
    for number in range(0x1000, 0x1400):
        (tmp_path / f"{number:016x}.seg").write_bytes(b"")
    with started(tmp_path) as journal:
        assert numbers(journal) == list(range(8))
        assert [one.path.name for one in journal.behind.unread] == ["00000000000000fe.seg"]
        tell(journal)
        assert numbers(journal) == list(range(8))
        assert "00000000000000fd-0.bad" in {path.name for path in (tmp_path / "bad").iterdir()}
        assert (tmp_path / "notes.seg").exists()


def test_kept_bad_bytes_are_bounded_and_count(tmp_path: Path) -> None:
    for number in range(0x100, 0x120):
        (tmp_path / f"{number:016x}.seg").write_bytes(os.urandom(60_000))
    with started(tmp_path) as journal:
        tell(journal)
        kept = sorted(path.name for path in (tmp_path / "bad").iterdir())
        assert sum(path.stat().st_blocks * 512 for path in (tmp_path / "bad").iterdir()) <= CONFIG.max_bytes // 16
        assert journal.behind.bad.disk >= 400_000
        assert kept[-1] == "000000000000011f-0.bad"


@pytest.mark.parametrize("folder", sorted((Path(__file__).parent / "regressions").iterdir()), ids=lambda one: one.name)
def test_what_broke_once(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "journal", ignore=shutil.ignore_patterns("expected"))
    with started(tmp_path / "journal") as journal:
        tell(journal)
        assert numbers(journal) == [int(one) for one in (folder / "expected").read_text().split()]


def test_what_comes_after_a_damaged_header_is_newer(tmp_path: Path) -> None:
    """A segment whose number is lower would lose against the state of the older one at the next start."""
    journal = opened(tmp_path)
    first = journal.append(b"a" * 30000, 1, (1, 1), {"s": b"1"})
    for counter in range(6):
        stored = journal.append(b"a" * 30000, 1, (1, 1), {"s": b"%d" % counter})
        commit(journal)
        if stored.segment is not first.segment:
            journal.release(stored)
    commit(journal)
    journal.append(b"b", 1, (1, 1), {"s": b"old"})
    commit(journal)
    damaged = journal.segments[-1].path
    assert len(journal.segments) < journal.segments[-1].sequence  # there are gaps
    os.close(journal._lock_fd)  # killed
    raw = bytearray(damaged.read_bytes())
    raw[12] ^= 1
    damaged.write_bytes(raw)
    again = opened(tmp_path)
    assert again.segments[-1].path > damaged
    again.append(b"c", 1, (1, 1), {"s": b"new"})
    commit(again)
    again.close()
    last = opened(tmp_path)
    assert last.resume["s"] == b"new"
    last.close()
