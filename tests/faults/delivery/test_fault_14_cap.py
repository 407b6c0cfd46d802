"""Fault 14: a long outage against the cap: never a byte above it at any look, and everything given up is told."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from agent.soak.disk import Tmpfs
from tests.faults.delivery.feeding import Feeder, Feeding, feeding, witness
from tests.faults.delivery.numbers import ORIGIN_NS, ROW_NS, TAGS, gaps_in
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.fault(14)]

CAP: Final = 8 << 20
WEEK_ROWS: Final = 7 * 86_400 * 100 // TAGS
"""Rows of a week at 100 points a second."""
ROWS: Final = 500
SMALL: Final = {"max_bytes": CAP, "segment_bytes": 1 << 20}
SHIFT_NS: Final = 1000
"""Gap points of one cause begin at times of their own, a few ns apart."""
_LOOK_S: Final = 0.001


@dataclass
class Most:
    """The most that was ever used, and how often somebody looked."""

    used: int = 0
    looks: int = 0


@contextmanager
def sampled(folder: Path) -> Iterator[Most]:
    """Look at what a file system of its own holds, again and again, by what the kernel says is used of it."""
    most, over = Most(), threading.Event()
    empty = os.statvfs(folder).f_bfree

    def look() -> None:
        while not over.is_set():
            disk = os.statvfs(folder)
            most.used = max(most.used, (empty - disk.f_bfree) * disk.f_frsize)
            most.looks += 1
            time.sleep(_LOOK_S)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def at_rest(feeder: Feeder, fed: Feeding) -> bool:
    """Whether it says that it takes nothing, and takes nothing."""
    before = len(fed.accepted)
    feeder.pause(1.5)
    return not feeder.status["journal"]["ok"] and len(fed.accepted) == before


def time_of(row: int) -> int:
    return ORIGIN_NS + row * ROW_NS


def test_the_oldest_go_and_are_told(tmp_path: Path, size: Any, figure: Any) -> None:
    deliveries = size(WEEK_ROWS // 60, WEEK_ROWS) // ROWS
    with Tmpfs(16) as disk, feeding(disk.folder / "state", tmp_path) as fed:
        with sampled(disk.folder) as most:
            feeder = fed.start(rows=ROWS, most=deliveries, journal=SMALL)
            feeder.until(lambda: len(fed.accepted) == deliveries * ROWS, 1_200)
            ended = feeder.end()
        assert not any(status["points"]["imbalance"] for status in feeder.statuses)
        fed.look()
        kept = fed.recovered()
        gaps = list(gaps_in(fed.dumped.read_bytes(), "dropped_at_cap"))
    taken, points = len(fed.accepted) * TAGS, ended["points"]
    gone = sorted(fed.accepted - set(kept))
    told = points["accepted"] - taken  # points of its own: those that tell of a gap
    truth = len(gone) * TAGS + told - len(gaps)
    untold = [row for row in gone if not any(start - SHIFT_NS <= time_of(row) <= end for start, end, _ in gaps)]
    figure("points taken during the outage", asked="a week at 100 a second", measured=taken)
    figure("bytes used, most of all looks, of the cap", asked="≤ 1.00", measured=most.used / CAP)
    figure("looks at the bytes used", asked="-", measured=most.looks)
    figure("dropped by the counter, and in truth", asked="equal", measured=f"{points['dropped']}, {truth}")
    figure("dropped by what the gap points say", asked="all of them", measured=sum(count for _, _, count in gaps))
    figure("dropped rows outside every gap", asked="0", measured=len(untold))
    figure("rows dropped that are newer than one kept", asked="0", measured=sum(row > kept[0] for row in gone))
    assert gone, "nothing was dropped: the outage was too short"
    assert most.used <= CAP
    assert points["dropped"] == points["dropped_by"]["cap"] == truth
    assert not untold
    assert sum(count for _, _, count in gaps) == points["dropped"]
    assert gone[-1] < kept[0]


def test_or_the_newest_wait(tmp_path: Path, size: Any, figure: Any) -> None:
    settings = SMALL | {"at_cap": "reject_new"}
    with Tmpfs(16) as disk, feeding(disk.folder / "state", tmp_path) as fed:
        with sampled(disk.folder) as most:
            feeder = fed.start(rows=ROWS, journal=settings)
            feeder.until(lambda: at_rest(feeder, fed), 60)
            full = len(fed.accepted)
            feeder.pause(size(1, 10))
            assert len(fed.accepted) == full
            ended = feeder.statuses[-1]
            feeder.kill()
        fed.look()
        lost = fed.lost()
    figure("reject_new: bytes used, most of all looks, of the cap", asked="≤ 1.00", measured=most.used / CAP)
    figure("reject_new: accepted points lost", asked="0", measured=len(lost) * TAGS)
    figure("reject_new: points dropped", asked="0", measured=ended["points"]["dropped"])
    assert most.used <= CAP
    assert most.used > CAP // 2
    assert not lost
    assert not ended["points"]["dropped"]
    assert any("journal" in trouble for trouble in ended["troubles"])


def test_what_the_store_refused_counts_too(tmp_path: Path, size: Any, figure: Any) -> None:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        witness(broker.port) as seen,
        Tmpfs(16) as disk,
        feeding(disk.folder / "state", tmp_path) as fed,
        sampled(disk.folder) as most,
    ):
        seen.refusing = "field type conflict"
        feeder = fed.start(rows=ROWS, pause_s=0.02, broker=broker.port, journal=SMALL)
        feeder.until(lambda: feeder.status["points"]["quarantined"] >= size(20_000, 60_000), 120)
        seen.confirming = False
        feeder.until(lambda: feeder.status["points"]["dropped"] >= size(20_000, 1_000_000), 300)
        feeder.kill()
        assert not any(status["points"]["imbalance"] for status in feeder.statuses)
    figure("with refused points: bytes used, most of all looks, of the cap", asked="≤ 1.00", measured=most.used / CAP)
    assert most.used <= CAP
