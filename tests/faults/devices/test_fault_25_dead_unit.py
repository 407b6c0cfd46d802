"""Fault 25, the part of Modbus units: one of ten does not answer; the others are complete and as fast as before."""

from __future__ import annotations

import asyncio
import statistics
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import LinkContext
from connectors.modbus.link import ModbusLink
from pipelines.clock import SystemClock
from pipelines.point import BAD_NO_COMMUNICATION
from pipelines.stats import LinkStats
from tests.connectors.modbus.conftest import connection
from tests.connectors.modbus.device import Device
from tests.connectors.modbus.other_lines import SerialDevice, UdpDevice
from tests.services.serial_line import serial_line

if TYPE_CHECKING:
    from pathlib import Path

    from connectors.modbus.config import ModbusConnection
    from tests.faults.conftest import Figure, Size

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(25)]

UNITS = 10
DEAD = 4
PERIOD_S = 0.6
TIMEOUT_S = 0.15


def settings_of(port: int | None, **line: Any) -> ModbusConnection:
    tags = [{"address": 10 * unit, "unit": unit} for unit in range(1, UNITS + 1)]
    return connection(port, *tags, period_s=PERIOD_S, timeout_s=TIMEOUT_S, **line)


async def watch(settings: ModbusConnection, device: Device, rounds: int) -> tuple[float, float, float]:
    """Completeness of the living units, stretch of the cycle, share of the time spent on the dead unit."""
    got = [0] * UNITS
    stamps: list[int] = []
    clock = SystemClock()
    stats = LinkStats()
    asked = 0
    async with ModbusLink(LinkContext(settings, None, clock, stats)) as link, asyncio.timeout(rounds * PERIOD_S + 60):
        begun_s = clock.monotonic_s()
        async for delivery in link.deliveries():
            for scan in delivery.scans:
                for tag, time_ns, status in zip(
                    scan.tag.tolist(), scan.time_ns.tolist(), scan.status.tolist(), strict=True
                ):
                    if status == 0:
                        got[tag] += 1
                        if tag == 0:
                            stamps.append(time_ns)
                    else:
                        assert (tag, status) == (DEAD - 1, BAD_NO_COMMUNICATION)
            if clock.monotonic_s() - begun_s >= rounds * PERIOD_S:
                break
        spent_s = clock.monotonic_s() - begun_s
        asked = sum(unit == DEAD for unit, _ in device.requests)
    assert got[DEAD - 1] == 0
    living = [count for unit, count in enumerate(got, 1) if unit != DEAD]
    expected = 1 + int((stamps[-1] - stamps[0]) / 1e9 / PERIOD_S + 0.5)
    cycle = statistics.mean(b - a for a, b in pairwise(stamps)) / 1e9 / PERIOD_S
    return min(living) / expected, cycle, asked * TIMEOUT_S / spent_s


@pytest.mark.parametrize("transport", ["tcp", "udp", "rtu_over_tcp", "rtu"])
async def test_one_dead_unit_of_ten(transport: str, tmp_path: Path, size: Size, figure: Figure) -> None:
    rounds = size(8, 300)
    if transport == "rtu":
        with serial_line(tmp_path) as line:
            async with SerialDevice(line, mute={DEAD}) as device:
                serial = {"device": str(line.ours), "baudrate": 115200}
                complete, cycle, share = await watch(settings_of(None, transport="rtu", serial=serial), device, rounds)
    else:
        made = UdpDevice(mute={DEAD}) if transport == "udp" else Device(mute={DEAD}, rtu=transport != "tcp")
        async with made as device:
            complete, cycle, share = await watch(settings_of(device.port, transport=transport), device, rounds)
    figure(f"completeness of the nine others ({transport})", asked="≥ 99.9 %", measured=f"{complete:.2%}")
    figure(f"stretch of the cycle ({transport})", asked="≤ 1.2", measured=cycle)
    figure(f"time of the line spent on the dead unit ({transport})", asked="≤ 20 %", measured=f"{share:.1%}")
    assert complete >= 0.999
    assert cycle <= 1.2
    assert share <= 0.2
