"""Values beyond every limit: refused, told, and everybody else goes on in little memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.opcua.values.variants import BAD_LIMITS_EXCEEDED
from tests.connectors.opcua.conftest import Consumer, connection, tag
from tests.faults.conftest import Figure

from .memory import forget_peak, peak_mib

pytestmark = [pytest.mark.wire, pytest.mark.fault(37)]

MOST_MIB = 100.0
"""The 16 MB value is held three times for a moment: as frames, as a message, as a value."""
HUGE = ("array", "blob", "text", "deep")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.devices.huge_server"],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.mark.parametrize("mode", ["subscribe", "read"])
async def test_huge_values_are_refused_and_the_others_go_on(port: int, mode: str, figure: Figure) -> None:
    names = (*HUGE, "counter", "list")
    tags = [tag(name, f"ns=2;s={name}", mode=mode) for name in names]
    settings = connection(f"opc.tcp://127.0.0.1:{port}/huge", *tags, timeout_s=10, keepalive_s=3, period_s=0.5)
    consumer = Consumer(settings)
    before = forget_peak()
    await consumer.until(lambda: len(consumer.values(4)) > 3 and set(range(6)) <= {one[0] for one in consumer.rows}, 40)
    grown = peak_mib() - before
    assert consumer.error is None
    last = {row: status for row, _, _, status in consumer.rows}
    assert [last[row] for row in range(6)] == [BAD_LIMITS_EXCEEDED] * 4 + [0, 0]
    assert consumer.stats.refused == dict.fromkeys(range(4), BAD_LIMITS_EXCEEDED)
    told = [values["tag"] for event, values in consumer.notes if event == "value_refused"]
    assert sorted(map(str, told)) == sorted(HUGE)
    figure(f"huge values taken for good ({mode})", asked="0", measured=0)
    figure(f"memory while they come ({mode}), MiB", asked=f"< +{MOST_MIB:g}", measured=grown)
    assert grown < MOST_MIB
