"""Whoever waits for a commit may be cancelled, as a link is by a reload: the commit is everybody's and goes on."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from pipelines.journal.segment import Segment
from tests.pipelines.test_flow import Bench


async def cancelled(bench: Bench, began: asyncio.Event, go_on: threading.Event) -> None:
    """A flush whose caller is cancelled, twice, while the disk works."""
    waiter = asyncio.create_task(bench.flow.flush())
    await began.wait()
    waiter.cancel()
    await asyncio.sleep(0)
    waiter.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await waiter


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


@pytest.mark.parametrize("fails", [False, True])
async def test_what_others_gave_is_acknowledged_once_it_is_on_disk_and_never_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    bench = Bench(tmp_path)
    began, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()
    real, calls = os.fdatasync, []

    def slow(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            loop.call_soon_threadsafe(began.set)
            go_on.wait(10)
            if fails:
                raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    moved = []
    bench.flow.on_moved = lambda old, new: moved.append((old.id, new.id))
    await bench.flow.take(bench.source, bench.delivery(1, 2))
    await cancelled(bench, began, go_on)
    assert bench.accepted == (0 if fails else 1)
    await bench.flow.flush()
    assert bench.accepted == 1
    assert len(moved) == int(fails)  # a sync that failed is not simply tried again: the kernel tells an error once
    assert (bench.stats.accepted, bench.flow.imbalance) == (2, 0)
    bench.journal.close()


async def test_a_segment_that_was_begun_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, max_bytes=1 << 20, segment_bytes=64 << 10)
    began, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()
    real = Segment.create

    def slow(*args: object) -> Segment:
        loop.call_soon_threadsafe(began.set)
        go_on.wait(10)
        return real(*args)  # type: ignore[arg-type]

    while not bench.journal.is_full_segment:
        await bench.flow.take(bench.source, bench.delivery(1, 2, 3))
        bench.flow._try_append()
    monkeypatch.setattr(Segment, "create", slow)
    await cancelled(bench, began, go_on)
    await bench.flow.flush()
    assert [segment.path for segment in bench.journal.segments] == files(tmp_path)
    assert bench.flow.imbalance == 0
    bench.journal.close()
