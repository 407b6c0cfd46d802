"""Fault 11: fdatasync fails: nothing is accepted on it, the records go to another segment, and somebody is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.soak.disk import LoopDisk
from agent.soak.inject import injected
from tests.faults.delivery.feeding import Feeding, feeding
from tests.faults.delivery.numbers import TAGS

pytestmark = [pytest.mark.fault(11)]


def segments(folder: Path) -> set[str]:
    """Names of the segment files."""
    return {path.name for path in folder.glob("*.seg")}


def failed_once(disk: LoopDisk, fed: Feeding) -> float:
    """One failed sync, then a power cut; seconds from the injection until the alarm was there.

    It fails the third sync after it, so that the seconds include two that work.
    """
    feeder = fed.start(pause_s=0.005)
    feeder.until(lambda: feeder.windows_ms)
    before = segments(fed.state_dir / "journal")
    with injected(feeder.process.pid, "fdatasync:error=EIO:when=3"):
        told_s = feeder.until(lambda: any("fdatasync" in text for text in feeder.status["troubles"]))
        rolled = segments(fed.state_dir / "journal") - before
        full = len(feeder.windows_ms)
        feeder.until(lambda: len(feeder.windows_ms) > full)
    errors = feeder.status["journal"]["sync_errors"]
    feeder.cut(disk)
    assert errors == 1
    assert rolled, "the segment whose sync failed is still written"
    return told_s


def test_one_failed_sync_and_then_the_power_goes(tmp_path: Path, size: Any, figure: Any) -> None:
    """The alarm is there, and what was to be synced stands in another segment, durably."""
    lost: set[int] = set()
    told_s = []
    with LoopDisk(64) as disk, feeding(disk.folder / "state", tmp_path) as fed:
        for _ in range(size(1, 10)):
            told_s.append(failed_once(disk, fed))
            fed.look()
            lost |= set(fed.lost())
    figure("EIO of one fdatasync, then a power cut: accepted points lost", asked="0", measured=len(lost) * TAGS)
    figure("EIO of one fdatasync: segment rolled; injected until told, most, s", asked="yes; ≤ 5", measured=max(told_s))
    assert not lost
    assert max(told_s) <= 5


def test_syncs_fail_for_a_while(tmp_path: Path, size: Any, figure: Any) -> None:
    """What is accepted afterwards does not need the file whose sync failed: the kernel may have let its pages go."""
    with feeding(tmp_path / "state", tmp_path) as fed:
        feeder = fed.start(pause_s=0.005)
        feeder.until(lambda: feeder.windows_ms)
        with injected(feeder.process.pid, "fdatasync:error=EIO"):
            feeder.until(lambda: not feeder.status["journal"]["ok"])
            before, failed = set(fed.accepted), segments(fed.state_dir / "journal")
            feeder.pause(size(1, 10))
            false = len(fed.accepted - before)
        full = len(feeder.windows_ms)
        wait_s = feeder.until(lambda: len(feeder.windows_ms) > full and feeder.status["journal"]["ok"])
        feeder.kill()
        fed.look()
        assert not fed.lost()
        for name in failed:
            (fed.state_dir / "journal" / name).unlink(missing_ok=True)
        fed.look()
        lost = set(fed.lost()) - before
    figure("EIO of every fdatasync for a while: false acceptances", asked="0", measured=false * TAGS)
    figure("the same: accepted after it and only in a file whose sync failed", asked="0", measured=len(lost) * TAGS)
    figure("the same: back after it, s", asked="≤ 5", measured=wait_s)
    assert not false
    assert not lost
    assert wait_s <= 5
