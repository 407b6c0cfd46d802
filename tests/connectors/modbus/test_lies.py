"""A device that lies: nothing it says is ever believed under the wrong tag."""

from __future__ import annotations

import asyncio
import random
import struct
from typing import TYPE_CHECKING

import pytest

from connectors.base import LinkContext
from connectors.modbus.link import ModbusLink
from pipelines.clock import SystemClock
from pipelines.errors import LinkClosed, LinkError, LinkTimeout
from pipelines.stats import LinkStats

from .conftest import collect, connection, link_to, read, table
from .device import Device, value_of

if TYPE_CHECKING:
    from pipelines.point import Delivery

    from .device import Lie

pytestmark = pytest.mark.wire

TAGS = ({"address": 10}, {"address": 11})


def header(good: bytes, transaction: int | None = None, protocol: int = 0, length: int | None = None) -> bytes:
    own, _, size = struct.unpack(">HHH", good[:6])
    return struct.pack(
        ">HHH", own if transaction is None else transaction, protocol, size if length is None else length
    )


def reframed(good: bytes, pdu: bytes) -> bytes:
    return header(good, length=len(pdu) + 1) + good[6:7] + pdu


LIES: dict[str, tuple[str, Lie]] = {
    "transaction 0": ("transaction", lambda _d, _t, _q, good: [header(good, transaction=0) + good[6:]]),
    "next transaction": ("transaction", lambda _d, t, _q, good: [header(good, transaction=t % 65535 + 1) + good[6:]]),
    "protocol": ("protocol", lambda _d, _t, _q, good: [header(good, protocol=1) + good[6:]]),
    "other function": ("function", lambda _d, _t, _q, good: [good[:7] + b"\4" + good[8:]]),
    "a write function": ("function", lambda _d, _t, _q, good: [good[:7] + b"\x10" + good[8:]]),
    "exception of another function": ("function", lambda _d, _t, _q, good: [reframed(good, b"\x84\2")]),
    "other unit": ("unit", lambda _d, _t, _q, good: [good[:6] + b"\2" + good[7:]]),
    "unit 0": ("unit", lambda _d, _t, _q, good: [good[:6] + b"\0" + good[7:]]),
    "short": ("byte_count", lambda _d, _t, _q, good: [reframed(good, b"\3\2" + good[9:11])]),
    "long": ("byte_count", lambda _d, _t, _q, good: [reframed(good, b"\3\6" + good[9:] + b"\0\1")]),
    "short behind the right count": ("byte_count", lambda _d, _t, _q, good: [reframed(good, b"\3\4" + good[9:11])]),
    "long behind the right count": ("byte_count", lambda _d, _t, _q, good: [reframed(good, good[7:] + b"\0\1")]),
    "odd": ("byte_count", lambda _d, _t, _q, good: [reframed(good, b"\3\3" + good[9:12])]),
    "length 0": ("length", lambda _d, _t, _q, good: [header(good, length=0) + good[6:]]),
    "length 2": ("length", lambda _d, _t, _q, good: [header(good, length=2) + good[6:]]),
    "length 65535": ("length", lambda _d, _t, _q, good: [header(good, length=65535) + good[6:]]),
    "long exception": ("length", lambda _d, _t, _q, good: [reframed(good, b"\x83\2\2")]),
    "stale and good at once": (
        "transaction",
        lambda _d, t, _q, good: [header(good, transaction=(t - 2) % 65535 + 1) + good[6:9] + b"\xff" * 4 + good],
    ),
    "a wrong unit byte by byte": (
        "unit",
        lambda _d, _t, _q, good: [bytes([byte]) for byte in good[:6] + b"\7" + good[7:]],
    ),
}


@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("name", LIES)
async def test_every_lie_is_refused_and_counted(name: str, in_flight: int) -> None:
    reason, lie = LIES[name]
    async with Device(lie=lie) as device:
        link = link_to(connection(device.port, *TAGS, in_flight=in_flight))
        with pytest.raises(LinkClosed, match=rf"modbus://127.0.0.1:{device.port} unit 1: a reply with a wrong"):
            await read(link)
        assert link.context.stats.rejected == {reason: 1}
        await device.until(lambda: device.opened == device.closed == 1)


async def test_the_header_alone_is_refused_before_the_rest_arrives() -> None:
    def lie(_d: Device, _t: int, _q: bytes, good: bytes) -> list[bytes | float]:
        return [header(good, transaction=0) + good[6:8]]

    async with Device(lie=lie) as device:
        with pytest.raises(LinkClosed):
            await read(link_to(connection(device.port, *TAGS, timeout_s=60)))


@pytest.mark.parametrize("cut", [1, 6, 8, 12])
async def test_a_reply_that_stops_in_the_middle_is_a_timeout(cut: int) -> None:
    async with Device(lie=lambda _d, _t, _q, good: [good[:cut]]) as device:
        with pytest.raises(LinkTimeout, match=r"unit 1: no reply within 0.05 s"):
            await read(link_to(connection(device.port, *TAGS, timeout_s=0.05)))


async def test_a_reply_byte_by_byte_is_good() -> None:
    async with Device(lie=lambda _d, _t, _q, good: [bytes([byte]) for byte in good]) as device:
        deliveries = await read(link_to(connection(device.port, *TAGS, timeout_s=2)), 3)
    assert [value for _, value, _ in table(*deliveries)[1]] == [value_of(1, 3, 11)] * 3


async def test_what_follows_a_good_reply_ends_the_link_but_not_the_reply() -> None:
    async with Device(lie=lambda _d, _t, _q, good: [good + good[:9] + b"\xff" * 4]) as device:
        link = link_to(connection(device.port, *TAGS))
        seen: list[Delivery] = []
        with pytest.raises(LinkClosed):
            await collect(link, seen)
        assert [row[0][1] for row in table(*seen).values()] == [value_of(1, 3, 10), value_of(1, 3, 11)]
        assert link.context.stats.rejected == {"transaction": 1}


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, 4])
async def test_late_replies_never_reach_another_tag(in_flight: int) -> None:
    """Fault 4: one reply in 20 comes after the timeout, one in 20 lies; the link is reopened each time."""
    chance = random.Random(4)
    lies = [lie for _, lie in LIES.values()]

    def lie(device: Device, transaction: int, query: bytes, good: bytes) -> list[bytes | float]:
        dice = chance.random()
        if dice < 0.05:
            return [0.03, good]
        if dice < 0.1:
            return chance.choice(lies)(device, transaction, query, good)
        return [good]

    stats = LinkStats()
    seen: list[Delivery] = []
    async with Device(lie=lie) as device:
        tags = [{"address": 200 * i, "unit": 1} for i in range(20)]
        settings = connection(device.port, *tags, timeout_s=0.02, period_s=0.001, in_flight=in_flight)
        async with asyncio.timeout(60):
            while stats.requests < 1200:
                with pytest.raises(LinkError):
                    await collect(ModbusLink(LinkContext(settings, None, SystemClock(), stats)), seen)
    got = table(*seen)
    readings = [(tag, int(value)) for tag, rows in got.items() for _, value, status in rows if not status]
    wrong = [(tag, value) for tag, value in readings if value != value_of(1, 3, 200 * tag)]
    assert len(readings) > 600
    assert wrong == []
    assert stats.rejected.total() > 20
    for rows in got.values():
        times = [time_ns for time_ns, _, _ in rows]
        assert times == sorted(set(times))


async def test_cancelled_at_any_point_the_socket_is_closed() -> None:
    async with Device(delay_s=0.005) as device:
        settings = connection(device.port, *TAGS, period_s=0.01, timeout_s=2)
        for after in range(8):
            task = asyncio.ensure_future(collect(link_to(settings), []))
            asked = len(device.requests)
            await device.until(lambda asked=asked, after=after: len(device.requests) >= asked + after // 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await device.until(lambda: device.opened == device.closed)
