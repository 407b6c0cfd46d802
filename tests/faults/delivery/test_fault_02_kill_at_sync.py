"""Fault 2: SIGKILL at each sync; nothing accepted is lost, and no more than one batch is sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.delivery.feeding import Feeding, feeding, witness
from tests.faults.delivery.numbers import TAGS
from tests.services.mosquitto import Mosquitto, binary

pytestmark = [pytest.mark.fault(2)]

ROWS = 20
BATCH = 256 << 10
"""`commit_bytes`: what was sent and is not durable yet is sent again."""
SMALL = {"segment_bytes": 64 << 10, "max_bytes": 16 << 20}
"""A segment is full after about 20 commits, so that kills hit its end and the next one's beginning as well."""


def killed_at(fed: Feeding, call: str, number: int, broker: int) -> None:
    """Feed until SIGKILL in place of the n-th call, each delivery committed by itself."""
    before = [binary("strace", "strace"), "-f", "-o", "/dev/null", "-e", f"trace={call}"]
    before += ["-e", f"inject={call}:signal=KILL:when={number}"]
    feeder = fed.start(
        before, until_open=False, rows=ROWS, pause_s=0.005, commit_each=True, broker=broker, journal=SMALL
    )
    feeder.gone()
    assert feeder.process.returncode == -9, feeder.said


@pytest.mark.parametrize(("call", "most"), [("fdatasync", 200), ("fsync", 20)])
def test_a_kill_at_any_sync_loses_nothing(call: str, most: int, tmp_path: Path, size: Any, figure: Any) -> None:
    numbers = range(size(most // 2, 1), most + 1, size(most, 1))
    with (
        Mosquitto(tmp_path / "broker") as broker,
        witness(broker.port) as seen,
        feeding(tmp_path / "state", tmp_path) as fed,
    ):
        again, sent = [], 0
        for number in numbers:
            killed_at(fed, call, number, broker.port)
            again.append(seen.bytes_again - sent)
            sent += again[-1]
        feeder = fed.start(most=1, broker=broker.port, drain_s=30.0, journal=SMALL)
        feeder.until(lambda: feeder.windows_ms)
        ended = feeder.end()
        lost = fed.accepted - seen.rows()
        again.append(seen.bytes_again - sent)
    figure(f"SIGKILLs, each at another of the first {call}", asked=str(most), measured=len(numbers))
    figure(f"accepted points lost by SIGKILL at {call}", asked="0", measured=len(lost) * TAGS)
    figure(f"points accepted over all SIGKILLs at {call}", asked="-", measured=len(fed.accepted) * TAGS)
    asked = f"≤ {BATCH}, one batch"
    name = f"payload bytes sent again after a SIGKILL at {call}, where the store answers at once, most"
    figure(name, asked=asked, measured=max(again))
    assert not lost
    assert max(again) <= BATCH
    assert ended["done"]
    assert ended["points"]["imbalance"] == 0
