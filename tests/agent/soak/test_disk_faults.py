"""Faults of the collector's disk on a real child, a real disk and a real tracer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.simulate.children import Child
from agent.soak.disk import LoopDisk
from agent.soak.faults.full_disk import FullDisk
from agent.soak.faults.power_cut import PowerCut
from agent.soak.faults.sync_error import SyncError
from agent.soak.stage import COLLECTOR, Stage
from pipelines.errors import DependencyError
from tests.pipelines.waiting import until

WRITER = """
import os, sys, time
print("{}", flush=True)
for number in range(100_000):
    try:
        with open(sys.argv[1], "a") as file:
            file.write(f"{number}\\n")
            file.flush()
            os.fdatasync(file.fileno())
        said = number
    except OSError as error:
        said = error.strerror
    with open(sys.argv[2], "a") as file:
        file.write(f"{said}\\n")
    time.sleep(0.005)
"""


@asynccontextmanager
async def writing(disk: LoopDisk, work: Path) -> AsyncIterator[tuple[Stage, Path]]:
    """A child that writes to the disk, kept running, and what it says of each write."""
    said = work / "said"
    child = Child(COLLECTOR, ["-c", WRITER, str(disk.folder / "data"), str(said)], work / "log", {})
    await child.start()
    keeping = asyncio.get_running_loop().create_task(child.keep_running(lambda: 0, []))
    try:
        yield Stage(work, disk.folder, {COLLECTOR: child}, random.Random(1), disk=disk), said
    finally:
        keeping.cancel()
        await child.end(5)


def words(said: Path) -> list[str]:
    return said.read_text().split("\n") if said.exists() else []


async def test_power_cut_full_disk_and_sync_errors(tmp_path: Path) -> None:
    with LoopDisk(16) as disk:
        async with writing(disk, tmp_path) as (stage, said):
            await until(lambda: len(words(said)) > 5)
            before = disk.written_bytes
            first = stage.collector.pid
            # Only what was said before: a write that ext4's shutdown meets half way may be called synced and be gone.
            synced = words(said)[-2]
            await PowerCut().run(stage, 0.05)
            assert synced in (disk.folder / "data").read_text().split()
            assert disk.written_bytes >= before
            await until(lambda: stage.collector.pid not in {0, first})
            await SyncError().run(stage, 0.1)
            assert "Input/output error" in words(said)[-20:]
            await FullDisk().run(stage, 0.05)
            count = len(words(said))
            await until(lambda: len(words(said)) > count + 5)
            assert words(said)[-2].isdecimal()


async def test_without_a_disk_or_a_collector_it_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tmp_path, {COLLECTOR: Child(COLLECTOR, [], tmp_path / "log", {})}, random.Random(1))
    for fault in (PowerCut(), FullDisk()):
        assert "no disk of its own" in fault.lacking(stage)
        with pytest.raises(DependencyError, match="no disk of its own"):
            await fault.run(stage, 0)
    with pytest.raises(DependencyError, match="does not run"):
        await SyncError().run(stage, 0)
