"""Fault 10: no space left: no crash, nothing accepted that is not on disk, and it goes on when there is space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.soak.disk import LoopDisk, Tmpfs, Volume
from agent.soak.inject import injected
from tests.faults.delivery.feeding import Feeder, Feeding, feeding
from tests.faults.delivery.numbers import TAGS

pytestmark = [pytest.mark.fault(10)]

RESUME_S = 5.0
SMALL = {"segment_bytes": 256 << 10}


def stuck(feeder: Feeder) -> bool:
    """Whether it says that it takes nothing."""
    return not feeder.status["journal"]["ok"]


def on_again(feeder: Feeder) -> float:
    """Seconds until something is accepted again and it says that all is well with the journal."""
    before = len(feeder.windows_ms)
    return feeder.until(lambda: len(feeder.windows_ms) > before and not stuck(feeder))


def balanced(feeder: Feeder, fed: Feeding) -> bool:
    """Whether its counters are those of the oracle, what lies on the disk, and were balanced at each look."""
    assert not any(status["points"]["imbalance"] for status in feeder.statuses)
    points = feeder.ended["points"]
    assert points["accepted"] == len(fed.recovered()) * TAGS
    assert points["queued"] == points["accepted"]
    return not points["dropped"]


def filled_and_freed(disk: Volume, fed: Feeding, times: int, held_s: float) -> list[float]:
    """Fill the disk again and again while points come; seconds until it went on each time."""
    feeder = fed.start(pause_s=0.005, journal=SMALL)
    waits_s = []
    for _ in range(times):
        feeder.until(lambda: feeder.windows_ms)
        with disk.filled():
            feeder.until(lambda: stuck(feeder))
            feeder.pause(held_s)
            full = len(fed.accepted)
            feeder.pause(0.3)
            assert len(fed.accepted) == full, "accepted while nothing can be written"
        waits_s.append(on_again(feeder))
    feeder.end()
    fed.look()
    assert balanced(feeder, fed)
    return waits_s


def test_a_foreign_file_fills_the_disk(tmp_path: Path, size: Any, figure: Any) -> None:
    for kind in (LoopDisk, Tmpfs)[: size(1, 2)]:
        with kind(64) as disk, feeding(disk.folder / "state", tmp_path) as fed:
            waits_s = filled_and_freed(disk, fed, size(1, 10), size(0, 5))
            lost = fed.lost()
        name = kind.__name__
        figure(f"{name} full: accepted points lost", asked="0", measured=len(lost) * TAGS)
        figure(f"{name} full: crashes, false acceptances, counters off the oracle", asked="0", measured=0)
        figure(f"{name} full: back after space is there, most, s", asked="≤ 5", measured=max(waits_s))
        assert not lost
        assert max(waits_s) <= RESUME_S


def test_the_power_goes_while_the_disk_is_full_and_it_starts_on_a_full_disk(tmp_path: Path, figure: Any) -> None:
    with LoopDisk(64) as disk, feeding(disk.folder / "state", tmp_path) as fed:
        feeder = fed.start(pause_s=0.005, journal=SMALL)
        feeder.until(lambda: feeder.windows_ms)
        with disk.filled():
            feeder.until(lambda: stuck(feeder))
            feeder.cut(disk)
        with disk.filled():
            again = fed.start(pause_s=0.005, journal=SMALL)
            again.until(lambda: stuck(again))
            lost = fed.lost()
        wait_s = on_again(again)
        dropped = again.status["points"]["dropped"]
    figure("start on a full disk: points dropped for a foreign file", asked="0", measured=dropped)
    figure("power cut on a full disk: accepted points lost", asked="0", measured=len(lost) * TAGS)
    figure("start on a full disk: back after space is there, s", asked="≤ 5, no manual step", measured=wait_s)
    assert not lost
    assert not dropped
    assert wait_s <= RESUME_S


def test_the_kernel_says_no_space_left(tmp_path: Path, size: Any, figure: Any) -> None:
    with feeding(tmp_path / "state", tmp_path) as fed:
        feeder = fed.start(pause_s=0.005, journal=SMALL)
        feeder.until(lambda: feeder.windows_ms)
        with injected(feeder.process.pid, f"pwrite64:error=ENOSPC:when={size(3, 20)}+"):
            feeder.until(lambda: stuck(feeder))
            full = len(fed.accepted)
            feeder.pause(0.5)
            assert len(fed.accepted) == full, "accepted while nothing can be written"
        wait_s = on_again(feeder)
        feeder.end()
        fed.look()
        assert balanced(feeder, fed)
        lost = fed.lost()
    figure("ENOSPC from the 20th pwrite on: accepted points lost", asked="0", measured=len(lost) * TAGS)
    figure("ENOSPC from the 20th pwrite on: back after it, s", asked="≤ 5", measured=wait_s)
    assert not lost
    assert wait_s <= RESUME_S
