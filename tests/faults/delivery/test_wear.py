"""What a steady day costs the disk: bytes written per point and syncs a second, at 100 points a second."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from agent.soak.disk import LoopDisk
from tests.faults.delivery.feeding import feeding, witness
from tests.faults.delivery.numbers import TAGS
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire]


@pytest.mark.parametrize("commit_s", [0.5, 5.0])
def test_bytes_and_syncs_at_100_points_a_second(commit_s: float, tmp_path: Path, size: Any, figure: Any) -> None:
    """Ten tags in one row, ten times a second; what the store confirmed is deleted meanwhile."""
    seconds = size(0, 120)
    if not seconds and commit_s > 1:
        return
    with (
        Mosquitto(tmp_path / "broker") as broker,
        witness(broker.port),
        LoopDisk(256) as disk,
        feeding(disk.folder / "state", tmp_path) as fed,
    ):
        feeder = fed.start(rows=1, pause_s=0.1, broker=broker.port, journal={"commit_s": commit_s})
        feeder.until(lambda: feeder.status["points"]["stored"] > 0)
        before, started_s, first = feeder.status, time.monotonic(), disk.written_bytes
        feeder.pause(max(1, seconds))
        took_s, after, written = time.monotonic() - started_s, feeder.status, disk.written_bytes - first
        feeder.end()
    points = after["points"]["accepted"] - before["points"]["accepted"]
    syncs = after["journal"]["fsyncs"] - before["journal"]["fsyncs"]
    assert points >= TAGS
    assert written
    assert syncs <= 2 * took_s + 1  # one may lie on each edge
    name = f"100 points/s, commit_s {commit_s:g}:"
    figure(f"{name} points/s", asked="100", measured=points / took_s)
    figure(f"{name} bytes written to the device per point", asked="-", measured=written / points)
    figure(f"{name} GB written a year", asked="-", measured=written / took_s * 365.25 * 86_400 / 1e9)
    figure(f"{name} fdatasync/s", asked="≤ 2", measured=syncs / took_s)
