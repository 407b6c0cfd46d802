"""Fault 5: transaction id 0, other function, short, long, other unit: every one is refused and counted by reason."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import LinkContext
from connectors.modbus.link import ModbusLink
from pipelines.clock import SystemClock
from pipelines.errors import LinkError
from pipelines.stats import LinkStats
from tests.connectors.modbus.conftest import collect, connection
from tests.connectors.modbus.device import Device, rtu
from tests.connectors.modbus.other_lines import UdpDevice
from tests.connectors.modbus.test_lies import LIES

if TYPE_CHECKING:
    from connectors.modbus.config import ModbusConnection
    from pipelines.point import Delivery
    from tests.connectors.modbus.device import Lie
    from tests.faults.conftest import Figure, Size

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(5)]

TAGS = ({"address": 10}, {"address": 11})
RTU_LIES: dict[str, tuple[str, Lie]] = {
    "other function": ("function", lambda _d, _t, _q, good: [rtu(1, b"\4" + good[2:-2])]),
    "exception of another function": ("function", lambda _d, _t, _q, _good: [rtu(1, b"\x84\2")]),
    "other unit": ("unit", lambda _d, _t, _q, good: [rtu(2, good[1:-2])]),
    "unit 0": ("unit", lambda _d, _t, _q, good: [rtu(0, good[1:-2])]),
    "short": ("byte_count", lambda _d, _t, _q, good: [rtu(1, b"\3\2" + good[3:5])]),
    "long": ("byte_count", lambda _d, _t, _q, good: [rtu(1, bytes((3, good[2] + 2)) + good[3:-2] + b"\0\1")]),
    "altered": ("crc", lambda _d, _t, _q, good: [good[:4] + bytes((good[4] ^ 0x10,)) + good[5:]]),
    "long behind the right count": ("crc", lambda _d, _t, _q, good: [rtu(1, good[1:-2] + b"\0\1")]),
}


async def _lie_to(settings: ModbusConnection, times: int) -> tuple[LinkStats, int]:
    """A fresh link each time; what was counted, and readings believed."""
    stats, believed = LinkStats(), 0
    for _ in range(times):
        seen: list[Delivery] = []
        with suppress(LinkError):
            await collect(ModbusLink(LinkContext(settings, None, SystemClock(), stats)), seen)
        believed += sum(int((scan.status == 0).sum()) for delivery in seen for scan in delivery.scans)
    return stats, believed


async def _all(lies: dict[str, tuple[str, Lie]], times: int, **line: Any) -> tuple[int, int, int, int]:
    """Lies told, lies refused, those of them under their own reason, readings believed.

    Each lie meets a line of its own: one that remembers lost replies asks for less, and "short" is then the truth.
    """
    told = refused = named = believed = 0
    for reason, lie in lies.values():
        for _ in range(times):
            async with Device(lie=lie, rtu="transport" in line) as device:
                stats, taken = await _lie_to(connection(device.port, *TAGS, **line), 1)
                told += len(device.requests)
                refused += stats.rejected.total()
                named += stats.rejected[reason]
                believed += taken
    return told, refused, named, believed


@pytest.mark.parametrize(
    ("name", "lies", "line"), [("TCP", LIES, {}), ("RTU over TCP", RTU_LIES, {"transport": "rtu_over_tcp"})]
)
async def test_every_lie_is_refused(
    name: str, lies: dict[str, tuple[str, Lie]], line: dict[str, Any], size: Size, figure: Figure
) -> None:
    told, refused, named, believed = await _all(lies, size(2, 200), **line)
    figure(f"lies refused ({name})", asked="100 %", measured=f"{refused} of {told}, {named} under their own reason")
    figure(f"readings believed ({name})", asked="0", measured=believed)
    assert told > 0
    assert (refused, believed) == (told, 0)
    assert named >= 0.99 * told, "a port that is used again has a memory: one lie of many is then called late"


async def test_every_lie_in_a_datagram_is_refused(size: Size, figure: Figure) -> None:
    """A datagram that is cut is of a wrong length; one with a strange id is dropped, and the reply waited for."""
    told = refused = believed = 0
    for name, (_, lie) in LIES.items():
        if "byte by byte" in name:
            continue
        async with UdpDevice(lie=lie) as device:
            settings = connection(device.port, *TAGS, transport="udp", timeout_s=0.4)
            stats, taken = await _lie_to(settings, size(1, 50))
            told += len(device.requests)
            refused += stats.rejected.total()
            believed += taken
    figure("lies refused (UDP)", asked="100 %", measured=f"{refused} of {told}")
    figure("readings believed (UDP)", asked="0", measured=believed)
    assert refused >= told > 0
    assert believed == 0
