"""The writer of the journal: accepted means durable, and the conservation law holds at every look."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from connectors.modbus.config import ModbusConnection
from pipelines.clock import SystemClock
from pipelines.errors import JournalError, JournalFull
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings, Stored
from pipelines.journal.segment import Segment
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, Delivery, Gap, scan_of
from pipelines.source import Source
from pipelines.stats import FlowStats

PLACE = Place("meter", "demo", "site", "L1", "M")
TAGS = [{"name": f"t{n}", "address": n, "datatype": "uint16"} for n in range(3)]
CONNECTION = ModbusConnection.model_validate({"name": "c", "type": "modbus", "host": "h", "machine": "M", "tags": TAGS})


class Bench:
    def __init__(self, folder: Path, **settings: object) -> None:
        self.journal = Journal(folder, JournalSettings.model_validate({"min_free_bytes": 0, **settings}))
        self.journal.open()
        self.stats = FlowStats()
        self.flow = Flow(self.journal, SystemClock(), self.stats, PLACE)
        self.records: list[Stored] = []
        self.flow.on_record = self.records.append
        self.source = Source(CONNECTION, [PLACE] * 3, self.journal.resume)
        self.accepted = 0

    def delivery(self, *values: int, resume: bytes | None = None) -> Delivery:
        now_ns = SystemClock().now_ns()
        scan = scan_of(np.arange(len(values)), now_ns, list(values), dtype="int64")
        return Delivery((scan,), resume, (), self.count)

    def count(self) -> None:
        self.accepted += 1


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


async def test_accepted_only_when_durable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = os.fdatasync

    def watched(fd: int) -> None:
        seen.append(bench.accepted)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", watched)
    await bench.flow.take(bench.source, bench.delivery(1, 2, 3))
    assert bench.accepted == 0
    await bench.flow.flush()
    assert seen == [0]
    assert bench.accepted == 1
    assert bench.stats.accepted == 3
    assert bench.flow.imbalance == 0


@pytest.mark.parametrize(("once", "syncs"), [(True, 1), (False, 2)])
async def test_what_comes_during_a_sync_is_left_to_the_next_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, once: bool, syncs: int
) -> None:
    """The writer commits once; whoever needs nothing open waits for all of it."""
    real, loop, seen = os.fdatasync, asyncio.get_running_loop(), []

    def watched(fd: int) -> None:
        seen.append(fd)
        if len(seen) == 1:
            asyncio.run_coroutine_threadsafe(bench.flow.take(bench.source, bench.delivery(2)), loop).result(5)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", watched)
    await bench.flow.take(bench.source, bench.delivery(1))
    await bench.flow.flush(once=once)
    assert (len(seen), bench.accepted) == (syncs, syncs)
    await bench.flow.flush()
    assert (len(seen), bench.accepted) == (2, 2)


async def test_resume_state_is_committed_with_its_readings(bench: Bench, tmp_path: Path) -> None:
    await bench.flow.take(bench.source, bench.delivery(1, resume=b"here"))
    await bench.flow.flush()
    bench.journal.close()
    again = Bench(tmp_path)
    assert again.source.link_resume == b"here"
    again.journal.close()


async def test_first_reading_tells_its_quality_and_later_ones_do_not(bench: Bench) -> None:
    for _ in range(2):
        await bench.flow.take(bench.source, bench.delivery(7))
        await bench.flow.flush()
    first, second = [record.payload() for record in bench.records]
    assert b"t0=7i,t0_quality=0i" in first
    assert b"_quality" not in second


async def test_a_lost_link_is_told_for_every_tag_and_the_next_reading_is_good_again(bench: Bench) -> None:
    await bench.flow.take(bench.source, bench.delivery(1, 2, 3))
    bench.flow.put(bench.source.lost(BAD_NO_COMMUNICATION, SystemClock().now_ns()))
    await bench.flow.take(bench.source, bench.delivery(4))
    await bench.flow.flush()
    body = b"".join(record.payload() for record in bench.records)
    assert body.count(b"_quality=%di" % BAD_NO_COMMUNICATION) == 3
    assert b"t0=4i,t0_quality=0i" in body


async def test_a_gap_is_a_point_of_its_own(bench: Bench) -> None:
    await bench.flow.take(bench.source, Delivery((), None, (Gap(1, "agent_down", 100, 200, 5),)))
    await bench.flow.flush()
    want = b"gap,cause=agent_down,company=demo,line=L1,machine=M,site=site,tag=t1 filled=false,end=200i,count=5i 100\n"
    assert bench.records[0].payload() == want


async def test_failed_fdatasync_is_never_an_acknowledgement(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.fdatasync, []

    def failing(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            assert bench.accepted == 0
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fdatasync", failing)
    moved = []
    bench.flow.on_moved = lambda old, new: moved.append((old.id, new.id))
    await bench.flow.take(bench.source, bench.delivery(1, 2))
    await bench.flow.flush()
    assert bench.accepted == 1
    assert moved
    assert all(old == new for old, new in moved)
    assert bench.stats.accepted == 2
    assert bench.flow.imbalance == 0
    assert bench.flow.healthy


async def test_a_link_learns_its_resume_state_only_when_it_is_durable(bench: Bench) -> None:
    await bench.flow.take(bench.source, bench.delivery(1, resume=b"7"))
    assert bench.source.link_resume is None
    await bench.flow.flush()
    assert bench.source.link_resume == b"7"


async def test_readings_with_a_time_of_ours_are_not_out_before_they_are_durable(bench: Bench) -> None:
    skewed = scan_of([0], SystemClock().now_ns() + 10**13, [1], dtype="int64")
    await bench.flow.take(bench.source, Delivery((skewed,)))
    bench.flow._try_append()
    assert bench.journal.uncommitted_bytes > 0
    assert bench.records == []
    await bench.flow.flush()
    assert b"_source_time" in bench.records[0].payload()


async def test_a_commit_that_fails_beside_a_full_segment_is_no_acknowledgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, max_bytes=1 << 20, segment_bytes=64 << 10)
    real, calls = os.fdatasync, []

    def failing(fd: int) -> None:
        calls.append(bench.accepted)
        if len(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fdatasync", failing)
    await bench.flow.take(bench.source, Delivery((scan_of(np.zeros(3000), np.arange(3000) + 10**18, np.arange(3000)),)))
    bench.flow._try_append()
    assert bench.journal.is_full_segment
    await asyncio.gather(bench.flow.flush(), bench.flow.take(bench.source, bench.delivery(1)))
    await bench.flow.flush()
    assert calls[:2] == [0, 0]
    assert bench.flow.imbalance == 0
    assert len(bench.journal.segments) >= 2
    bench.journal.close()


async def test_two_flushes_at_once_count_once(bench: Bench) -> None:
    await bench.flow.take(bench.source, bench.delivery(1, 2, 3))
    await asyncio.gather(bench.flow.flush(), bench.flow.flush())
    assert bench.stats.accepted == 3
    assert bench.flow.imbalance == 0


async def test_what_is_dropped_at_the_cap_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_bytes=1 << 20, segment_bytes=64 << 10)
    for number in range(20_000):
        await bench.flow.take(bench.source, bench.delivery(number % 60000, 1, 2))
        if number % 100 == 0:
            await bench.flow.flush()
            assert bench.flow.imbalance == 0
            assert bench.journal.bytes_used <= 1 << 20
    await bench.flow.flush()
    assert bench.journal.losses.dropped_points > 0
    assert bench.flow.imbalance == 0
    told = [record.payload() for record in bench.records if not record.segment.deleted]
    assert any(b"cause=dropped_at_cap" in body for body in told)
    bench.journal.close()


async def test_a_record_larger_than_a_segment_finds_room_at_the_cap(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_bytes=1 << 20, segment_bytes=64 << 10)
    kilobytes = 0
    for number in [120] * 7 + [320] * 4:
        body = b'm v="%s" %d\n' % (b"x" * (number << 10), 10**18 + kilobytes)
        kilobytes += number
        bench.flow.put(Lines(body, 1, (10**18 + kilobytes,) * 2, {}))
        async with asyncio.timeout(20):
            await bench.flow.flush()
        assert bench.flow.imbalance == 0
        assert bench.journal.bytes_used <= 1 << 20
    assert bench.journal.losses.dropped_points > 0
    bench.journal.close()


async def test_a_slow_hook_holds_up_neither_the_loop_nor_a_commit(bench: Bench) -> None:
    entered, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    threads = []

    def slow(_: Segment) -> None:
        threads.append(threading.current_thread().name)
        loop.call_soon_threadsafe(entered.set)
        assert go.wait(30)

    bench.journal.on_finished = slow
    await bench.flow.take(bench.source, bench.delivery(1))
    await bench.flow.flush()
    (first,) = bench.records
    bench.journal.rewrite_uncommitted()
    bench.journal.release(first)
    async with asyncio.TaskGroup() as tasks:
        turn = tasks.create_task(bench.flow.finisher.turn())
        await entered.wait()
        await bench.flow.take(bench.source, bench.delivery(2))
        await bench.flow.flush()
        assert bench.accepted == 2
        assert first.segment.path.exists()
        go.set()
    assert turn.result() == 1
    assert threads == ["journal-finish_0"]
    assert not first.segment.path.exists()


async def test_a_hook_that_fails_keeps_the_segment(bench: Bench) -> None:
    def failing(segment: Segment) -> None:
        raise JournalError(segment.path, "the ledger takes nothing")

    bench.journal.on_finished = failing
    await bench.flow.take(bench.source, bench.delivery(1))
    await bench.flow.flush()
    (first,) = bench.records
    bench.journal.rewrite_uncommitted()
    bench.journal.release(first)
    assert await bench.flow.finisher.turn() == 0
    assert "the ledger takes nothing" in bench.flow.finisher.failing
    assert first.segment.path.exists()
    bench.journal.on_finished = lambda _: None
    assert await bench.flow.finisher.turn() == 1
    assert bench.flow.finisher.failing == ""


async def test_gap_points_dropped_at_the_cap_are_told_again_with_what_dropped_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_bytes=1 << 20, segment_bytes=64 << 10)
    for number in range(30_000):
        await bench.flow.take(bench.source, bench.delivery(number % 60000, 1, 2))
        if number % 100 == 0:
            await bench.flow.flush()
    await bench.flow.flush()
    bodies = [
        stored.payload()
        for segment in bench.journal.segments
        if not segment.deleted
        for stored in bench.journal.walk(segment, 0, segment.size)
    ]
    counts: dict[bytes, int] = {}
    for line in b"".join(bodies).splitlines():
        if line.startswith(b"gap,cause=dropped_at_cap"):
            fields, start = line.rsplit(b" ", 1)
            counts[start] = int(fields.rsplit(b"count=", 1)[1].split(b"i")[0])
    assert sum(counts.values()) == bench.flow.dropped["cap"] > 30_000


async def test_nobody_passes_while_the_journal_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt of the journal let one more delivery in, which nobody could write down: memory grew by them."""
    monkeypatch.setattr("pipelines.flow._RETRY_S", 0.001)
    bench = Bench(tmp_path, max_bytes=1 << 20, at_cap="reject_new")
    refusals = taken = 0
    room = bench.journal.next_segment

    def counted() -> int:
        nonlocal refusals
        try:
            return room()
        except JournalFull:
            refusals += 1
            raise

    async def feed() -> None:
        nonlocal taken
        while True:
            await bench.flow.take(bench.source, bench.delivery(*range(3)))
            taken += 1

    monkeypatch.setattr(bench.journal, "next_segment", counted)
    for _ in range(12):
        bench.flow.put(Lines(b"m v=1 1\n" * 12_000, 1, (1, 1), {}))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        tasks = [group.create_task(bench.flow.run()), group.create_task(feed())]
        while refusals < 3:  # noqa: ASYNC110 - each attempt waits for the clock alone
            await asyncio.sleep(0.001)
        taken = 0
        while refusals < 30:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
    assert taken == 0
    bench.journal.close()


async def test_a_fast_source_makes_no_segment_grow_beyond_its_size(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_bytes=8 << 20, segment_bytes=1 << 20)
    largest = 0
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        writer = tasks.create_task(bench.flow.run())
        for number in range(100):
            rows = scan_of(np.zeros(5000), np.arange(5000) + 10**18 + number * 10**6, np.arange(5000))
            await bench.flow.take(bench.source, Delivery((rows,)))
            largest = max(largest, *(segment.disk for segment in bench.journal.segments))
        await bench.flow.flush()
        writer.cancel()
    assert largest <= 1 << 20
    assert bench.flow.dropped["cap"] > 0
    assert bench.flow.imbalance == 0
    bench.journal.close()
