"""The journal against a list: whatever happens, every committed record comes back once, in order, unchanged."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import JournalCorrupt, JournalError, JournalFull
from pipelines.journal.format import done_counters, done_entry, read_header, record_bytes, segment_header
from pipelines.journal.journal import Journal, JournalSettings, Stored
from pipelines.journal.room import Room
from pipelines.journal.salvage import read_segment
from pipelines.journal.segment import Segment
from tests.pipelines.journal.steps import rotate, sync, tidy

SMALL = JournalSettings(max_bytes=1 << 20, segment_bytes=64 << 10, min_free_bytes=0)
EPOCH = "ab" * 16


def opened(folder: Path, config: JournalSettings = SMALL) -> Journal:
    journal = Journal(folder, config)
    journal.open()
    return journal


def commit(journal: Journal) -> list[Stored]:
    """What the writer does: sync, count, tell what is given up, make room, and leave a full segment."""
    records = sync(journal)
    journal.make_way()
    tell(journal)
    rotate(journal)
    return records


def tell(journal: Journal) -> None:
    telling = list(journal.losses.pending)
    if telling:
        journal.append(b"gap", 0, (1, 1), journal.losses.telling(telling, journal.segments), gap=True)
        sync(journal)
        journal.losses.told(telling)
    tidy(journal)


def used(folder: Path) -> int:
    """Bytes of disk, as `du` counts them."""
    return sum(path.lstat().st_blocks * 512 for path in [folder, *folder.rglob("*")])


def waiting(journal: Journal) -> list[Stored]:
    return [record for segment in journal.segments for record in journal.walk(segment, 0, segment.size)]


def test_record_comes_back_after_restart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"a x=1 1\n", 1, (1, 1), {"conn": b"7"})
    commit(journal)
    journal.close()
    again = opened(tmp_path)
    assert [record.payload() for record in waiting(again)] == [b"a x=1 1\n"]
    assert again.resume == {"conn": b"7"}
    assert again.points_queued == 1
    assert again.epoch != journal.epoch
    again.close()


def test_released_record_does_not_come_back(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first = journal.append(b"a", 1, (1, 1), {"k": b"1"})
    journal.append(b"b", 1, (2, 2), {})
    commit(journal)
    journal.release(first)
    journal.close()
    again = opened(tmp_path)
    assert [record.payload() for record in waiting(again)] == [b"b"]
    assert again.resume == {"k": b"1"}
    again.close()


def test_resume_outlives_its_deleted_segment(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.release(journal.append(b"a", 1, (1, 1), {"k": b"1"}))
    journal.close()
    for _ in range(3):
        again = opened(tmp_path)
        tidy(again)
        again.close()
    assert again.resume == {"k": b"1"}
    assert len(again.segments) <= 2


def test_two_agents_on_one_folder_are_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(JournalError, match="another agent"):
        opened(tmp_path)
    journal.close()


def test_reject_new_at_cap(tmp_path: Path) -> None:
    journal = opened(tmp_path, SMALL.model_copy(update={"at_cap": "reject_new"}))
    with pytest.raises(JournalFull, match="max_bytes"):
        for _ in range(100):
            journal.append(b"x" * 30_000, 1, (1, 1), {})
            commit(journal)
    assert journal.bytes_used <= SMALL.max_bytes
    assert journal.losses.dropped_points == 0
    journal.close()


def test_drop_oldest_at_cap_counts_every_point(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(100):
        journal.append(b"x" * 30_000, 3, (number, number), {})
        commit(journal)
        assert used(tmp_path) <= journal.bytes_used <= SMALL.max_bytes
    assert journal.losses.dropped_points > 0
    assert journal.losses.dropped_points + journal.points_queued == 300
    journal.close()


def test_a_loss_counts_only_when_it_is_told(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(10):
        journal.append(b"x" * 30_000, 3, (number, number), {})
        commit(journal)
    assert journal.losses.doom_oldest(journal.behind.segments)
    assert (journal.losses.dropped_points, journal.points_queued) == (0, 30)
    assert not journal.behind.finished
    journal.close()
    again = opened(tmp_path)
    assert again.points_queued == 30
    again.close()


def test_what_was_told_is_gone_after_a_crash_before_its_deletion(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(10):
        journal.append(b"x" * 30_000, 3, (number, number), {})
        commit(journal)
    journal.losses.doom_oldest(journal.behind.segments)
    (loss,) = journal.losses.pending
    journal.append(b"gap", 0, (1, 1), journal.losses.telling([loss], []), gap=True)
    sync(journal)
    journal.close()
    again = opened(tmp_path)
    assert again.points_queued == 30 - (loss.points or 0)
    assert [segment.path for segment in again.behind.finished] == [loss.segment.path]
    assert again.behind.finished[0].deleted
    again.close()


def test_a_finished_segment_stays_until_the_hook_kept_it(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    records = [journal.append(bytes([65 + n]) * 30_000, 1, (n, n), {}) for n in range(3)]
    commit(journal)
    kept: list[list[bytes]] = []

    def hook(segment: Segment) -> None:
        kept.append([payload[:1] for _, payload in segment.delivered()])
        if len(kept) == 1:
            raise JournalError(segment.path, "no room")

    journal.on_finished = hook
    for record in records:
        journal.release(record)
    (segment,) = journal.behind.finished
    with pytest.raises(JournalError, match="no room"):
        journal.behind.finish(segment)
    assert segment.path.exists()
    assert journal.behind.finished == [segment]
    tidy(journal)
    assert kept == [[b"A", b"B", b"C"]] * 2
    assert not segment.path.exists()
    journal.close()


def test_bytes_of_others_count_against_the_cap(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.charged = lambda: SMALL.max_bytes - (80 << 10)
    journal.append(b"x" * 50_000, 1, (1, 1), {})
    sync(journal)
    with pytest.raises(JournalFull, match="max_bytes"):
        rotate(journal)
    journal.close()


def test_segment_in_flight_is_not_dropped(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first = journal.append(b"x" * 30_000, 1, (0, 0), {})
    first.segment.in_flight = 1
    for _ in range(20):
        journal.append(b"x" * 30_000, 1, (1, 1), {})
        commit(journal)
    while journal.losses.doom_oldest(journal.behind.segments):
        tell(journal)
    assert first.payload() == b"x" * 30_000
    journal.close()


def test_failed_sync_moves_records_under_the_same_ids(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    old = [journal.append(bytes([65 + n]), 1, (n, n), {}) for n in range(3)]
    journal.rewrite_uncommitted()
    assert [new.id for _, new in journal.moved] == [record.id for record in old]
    assert journal.points_queued == 3
    commit(journal)
    journal.close()
    again = opened(tmp_path)
    assert [record.payload() for record in waiting(again)] == [b"A", b"B", b"C"]
    again.close()


def test_state_of_records_that_are_not_durable_is_in_no_header(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"a", 1, (1, 1), {"k": b"durable"})
    commit(journal)
    journal.append(b"b", 1, (2, 2), {"k": b"not yet"})
    journal.rewrite_uncommitted()
    header = read_header(journal.segments[-1].read(0, journal.segments[-1].size))
    assert header is not None
    assert header.snapshot == {"k": b"durable"}
    commit(journal)
    journal.close()
    again = opened(tmp_path)
    assert again.resume == {"k": b"not yet"}
    again.close()


def test_a_full_segment_is_left_only_when_nothing_is_uncommitted(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"x" * 70_000, 1, (1, 1), {"k": b"1"})
    segment, records = journal.take_uncommitted()
    journal.append(b"y", 1, (2, 2), {"k": b"2"})
    journal.sync(segment)
    journal.committed(records)
    rotate(journal)
    assert len(journal.segments) == 1
    commit(journal)
    assert len(journal.segments) == 2
    header = read_header(journal.segments[-1].read(0, 1000))
    assert header is not None
    assert header.snapshot == {"k": b"2"}
    journal.close()


def test_what_a_killed_process_left_is_synced_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path)
    stored = journal.append(b"a", 1, (1, 1), {})
    inode = stored.segment.path.stat().st_ino
    journal.close()
    synced = []
    real = os.fdatasync

    def watched(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", watched)
    again = opened(tmp_path)
    assert synced == [inode]
    again.close()


def test_a_disk_filled_by_somebody_else_drops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path, SMALL.model_copy(update={"min_free_bytes": 1 << 20}))
    for number in range(10):
        journal.append(b"x" * 30_000, 1, (number, number), {})
        commit(journal)
    monkeypatch.setattr(Room, "free_bytes", lambda _: 1000)
    with pytest.raises(JournalFull, match="min_free_bytes"):
        journal.append(b"x" * 60_000, 1, (1, 1), {})
    assert journal.losses.dropped_points == 0
    assert journal.points_queued == 10
    journal.close()


def test_files_are_not_kept_open(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(10):
        journal.append(b"x" * 30_000, 1, (number, number), {})
        commit(journal)
    assert len(waiting(journal)) == 10
    assert [segment.fd >= 0 for segment in journal.segments] == [False] * (len(journal.segments) - 1) + [True]
    journal.close()


def test_a_record_altered_on_disk_is_never_handed_out(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    stored = journal.append(b"a x=1 1", 1, (1, 1), {})
    commit(journal)
    raw = bytearray(stored.segment.path.read_bytes())
    raw[stored.offset + stored.size - 2] ^= 1
    stored.segment.path.write_bytes(raw)
    with pytest.raises(JournalCorrupt, match="altered on disk"):
        stored.payload()
    journal.give_up(stored)
    assert (journal.losses.damaged_points, journal.points_queued) == (0, 1)
    tell(journal)
    assert (journal.losses.damaged_points, journal.points_queued) == (1, 0)
    assert stored.segment.lost == {stored.id.counter}
    journal.close()


def test_foreign_files_do_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "0000000000000001.seg").write_bytes(b"")
    (tmp_path / "0000000000000002.seg").write_bytes(b"\0" * 5000)
    (tmp_path / "readme.seg").write_bytes(b"hello")
    (tmp_path / "0000000000000003.done").write_bytes(b"junk")
    journal = opened(tmp_path)
    journal.append(b"a", 1, (1, 1), {})
    assert [record.payload() for record in waiting(journal)] == [b"a"]
    journal.close()


records_strategy = st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 2**31), st.binary(max_size=8)), max_size=8)


def segment_of(items: list[tuple[bytes, int, bytes]]) -> tuple[bytes, list[int]]:
    data = segment_header(EPOCH, 1, 0, {})
    ends = []
    for number, (payload, points, _) in enumerate(items, 1):
        data += record_bytes(number, number - 1, points, (number, number), b"", payload)
        ends.append(len(data))
    return data, ends


@given(records_strategy)
def test_every_record_is_read_back(items: list[tuple[bytes, int, bytes]]) -> None:
    data, _ = segment_of(items)
    content = read_segment(data)
    assert content.damaged == []
    at = [record.payload for record in content.records]
    assert [data[start : start + length] for start, length in at] == [payload for payload, _, _ in items]


@given(records_strategy, st.data())
def test_truncation_loses_only_what_was_cut(items: list[tuple[bytes, int, bytes]], data: st.DataObject) -> None:
    raw, ends = segment_of(items)
    cut = data.draw(st.integers(0, len(raw)))
    content = read_segment(raw[:cut])
    assert len(content.records) == sum(end <= cut for end in ends)


@settings(max_examples=300)
@given(records_strategy, st.data())
def test_one_flipped_bit_loses_at_most_one_record(items: list[tuple[bytes, int, bytes]], data: st.DataObject) -> None:
    raw, _ = segment_of(items)
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    broken = bytearray(raw)
    broken[bit // 8] ^= 1 << bit % 8
    intact = {record.counter for record in read_segment(bytes(broken)).records}
    assert len(intact) >= len(items) - 1
    assert intact <= set(range(1, len(items) + 1))


@given(st.sets(st.integers(0, 2**40)), st.binary(max_size=30))
def test_done_entries_survive_a_torn_tail(counters: set[int], junk: bytes) -> None:
    raw = b"".join(done_entry(EPOCH, counter) for counter in counters)
    assert done_counters(EPOCH, raw + junk[:11]) == counters
    assert done_counters("cd" * 16, raw) == set()


def test_a_release_that_was_torn_costs_no_later_one(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    records = [journal.append(b"a", 1, (1, 1), {}) for _ in range(5)]
    commit(journal)
    for record in records[:3]:
        journal.release(record)
    journal.close()
    done = records[0].segment.path.with_suffix(".done")
    done.write_bytes(done.read_bytes()[:-5])
    again = opened(tmp_path)
    assert [record.id for record in waiting(again)] == [record.id for record in records[2:]]
    for record in waiting(again)[:2]:
        again.release(record)
    again.close()
    last = opened(tmp_path)
    assert [record.id for record in waiting(last)] == [records[4].id]
    last.close()
