"""What a line does when it is refused, cut, noisy, late or shared."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import serial

from connectors.modbus.lines.bus import BusWire, Timing
from connectors.modbus.lines.late import Late
from connectors.modbus.lines.open import silence_s
from connectors.modbus.lines.rtu import RtuFramer
from connectors.modbus.plan import plan
from connectors.modbus.wire import question
from pipelines.clock import SystemClock
from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout, LinkUntrusted
from pipelines.point import BAD_CONFIGURATION_ERROR
from pipelines.stats import LinkStats
from tests.services.certificates import Authority
from tests.services.serial_line import serial_line

from .conftest import collect, connection, link_to, read, table
from .device import Device, rtu, value_of
from .other_lines import SerialDevice, UdpDevice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.point import Delivery
    from tests.services.serial_line import Line

pytestmark = pytest.mark.wire

TAGS = ({"address": 10}, {"address": 11})
GATEWAY = {"transport": "rtu_over_tcp"}


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with serial_line(tmp_path) as made:
        yield made


def on(line: Line, **more: Any) -> dict[str, Any]:
    return {"transport": "rtu", "serial": {"device": str(line.ours), "baudrate": 115200, **more}}


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def server_of(folder: Path, authority: Authority, *, clients: bool = False, **days: int) -> ssl.SSLContext:
    pair = authority.pair("server", "127.0.0.1", **days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
    assert folder.is_dir()
    return context


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("another authority", "the device's certificate is refused: .*(self-signed|unable to get local issuer)"),
        ("expired", "the device's certificate is refused: certificate has expired"),
        ("not yet", "the device's certificate is refused: certificate is not yet valid"),
        ("another name", "the device's certificate is refused: Hostname mismatch"),
        ("we have none", "it may not take our certificate"),
        ("no such file", "cannot be used .No such file"),
        ("no TLS there", "no TLS with the device"),
    ],
)
async def test_a_refused_certificate_names_the_reason(case: str, reason: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    days = {"expired": {"first_day": -9, "last_day": -1}, "not yet": {"first_day": 2}}.get(case, {})
    context = server_of(tmp_path, authority, clients=case == "we have none", **days)
    tls = {"ca_file": str(authority.file)}
    if case == "another authority":
        tls = {"ca_file": str(Authority(tmp_path, "stranger").file)}
    elif case == "another name":
        tls["server_name"] = "plc.example"
    elif case == "no such file":
        tls["ca_file"] = str(tmp_path / "gone.pem")
    async with Device(tls=None if case == "no TLS there" else context) as device:
        settings = connection(device.port, *TAGS, transport="tls", tls=tls, timeout_s=5)
        if case == "no TLS there":
            device.hang_up = True
            with pytest.raises(LinkError):
                await read(link_to(settings))
            return
        kind = LinkClosed if case == "we have none" else LinkUntrusted  # this server says no alert
        with pytest.raises(kind, match=reason):
            await read(link_to(settings))
        assert not device.requests, "nothing was asked of it"


async def test_both_certificates_are_right(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.pair("client")
    files = {"cert_file": str(client.certificate), "key_file": str(client.key)}
    tls = {"ca_file": str(authority.file), **files}
    async with Device(tls=server_of(tmp_path, authority, clients=True)) as device:
        (delivery,) = await read(link_to(connection(device.port, *TAGS, transport="tls", tls=tls, timeout_s=5)))
    assert table(delivery)[0][0][1:] == (value_of(1, 3, 10), 0)


# ── serial ports ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_port_belongs_to_one_program(line: Line) -> None:
    with serial.Serial(str(line.ours), exclusive=True), pytest.raises(LinkRefused, match="another program has it"):
        await read(link_to(connection(None, *TAGS, **on(line))))


async def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    settings = connection(None, *TAGS, transport="rtu", serial={"device": str(tmp_path / "ttyUSB9")})
    with pytest.raises(LinkRefused, match=r"modbus\+rtu:///.*/ttyUSB9 unit 1: .* be opened \(No such file.*sandbox"):
        await read(link_to(settings))


async def test_an_adapter_that_is_pulled_out(line: Line) -> None:
    async with SerialDevice(line) as device:
        link = link_to(connection(None, *TAGS, **on(line)))
        async with link:
            deliveries = link.deliveries()
            await anext(deliveries)
            await device.stop()
            with pytest.raises(LinkClosed, match="the port is gone"):
                while True:
                    await anext(deliveries)


def test_silence_before_a_request() -> None:
    """3.5 characters of 11 bits; above 19200 bit/s 1.75 ms; more where it is asked for."""
    for baudrate, asked_s, expected_s in ((9600, 0, 3.5 * 11 / 9600), (115200, 0, 0.00175), (9600, 0.02, 0.02)):
        one = {"device": "/dev/ttyUSB0", "baudrate": baudrate}
        settings = connection(None, *TAGS, transport="rtu", serial=one, request_delay_s=asked_s)
        assert silence_s(settings) == pytest.approx(expected_s)
    assert silence_s(connection(1, *TAGS, **GATEWAY)) == 0


# ── late, noisy, lost ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("late_s", [0.09, 0.099, 0.1, 0.101, 0.11, 0.15, 0.25])
async def test_a_reply_around_the_timeout_is_that_of_its_own_request(late_s: float) -> None:
    """Each tag is another address of the same unit, table and length; the first reply of each is late."""
    slow: set[bytes] = set()

    def lie(_d: Device, _t: int, query: bytes, good: bytes) -> list[bytes | float]:
        place = query[2:4]
        if place in slow:
            return [good]
        slow.add(place)
        return [late_s, good]

    tags = [{"address": 200 * i} for i in range(4)]
    async with Device(rtu=True, lie=lie) as device:
        settings = connection(device.port, *tags, period_s=0.01, timeout_s=0.4, **GATEWAY)
        seen: list[Delivery] = []
        async with asyncio.timeout(20):
            while len(seen) < 4 or len(table(*seen)) < 4:
                with contextlib.suppress(LinkError):
                    async with link_to(settings) as link:
                        async for delivery in link.deliveries():
                            seen.append(delivery)
                            if len(table(*seen)) == 4:
                                break
    for tag, rows in table(*seen).items():
        assert {value for _, value, status in rows if not status} <= {value_of(1, 3, 200 * tag)}


async def test_after_a_timeout_another_shape_is_asked() -> None:
    """The late reply meets a request for one register more, and is known by its length."""

    def lie(owner: Device, _t: int, _q: bytes, good: bytes) -> list[bytes | float]:
        return [0.35, good] if len(owner.requests) == 2 else [good]

    async with Device(rtu=True, lie=lie) as device:
        settings = connection(device.port, {"address": 5}, period_s=0.05, timeout_s=0.2, **GATEWAY)
        deliveries = await read(link := link_to(settings), 4)
    counts = [int.from_bytes(pdu[3:5], "big") for _, pdu in device.requests]
    assert counts[:3] == [1, 1, 2]
    assert link.context.stats.rejected == {"late": 1}
    assert [row[1:] for row in table(*deliveries)[0]] == [(value_of(1, 3, 5), 0)] * 4


async def test_the_other_shape_may_be_refused() -> None:
    """A device with nothing behind or before the register: the request waits until no late reply can come."""

    def lie(owner: Device, _t: int, _q: bytes, good: bytes) -> list[bytes | float]:
        return [] if len(owner.requests) == 2 else [good]

    refused = {(1, 3, address) for address in range(20) if address != 5}
    async with Device(rtu=True, lie=lie, refused=refused) as device:
        settings = connection(device.port, {"address": 5}, period_s=0.05, timeout_s=0.4, **GATEWAY)
        seen: list[Delivery] = []
        with pytest.raises(LinkTimeout, match="a reply may still come"):
            await collect(link_to(settings), seen)
        assert {row[1:] for row in table(*seen)[0]} == {(value_of(1, 3, 5), 0)}, "never Bad for what was not asked"


async def test_an_exception_after_a_timeout_is_asked_for_again() -> None:
    """It may belong to the request before; what the second answer says holds."""

    def lie(owner: Device, _t: int, query: bytes, good: bytes) -> list[bytes | float]:
        late = query[2:4] == b"\0\1" and len(owner.requests) < 4
        return [0.12, rtu(1, b"\x83\2")] if late else [good]

    tags = ({"address": 1}, {"address": 100, "datatype": "uint32"})
    async with Device(rtu=True, lie=lie) as device:
        settings = connection(device.port, *tags, period_s=0.02, timeout_s=0.4, **GATEWAY)
        seen: list[Delivery] = []
        async with asyncio.timeout(20):
            while 1 not in table(*seen):
                with contextlib.suppress(LinkError):
                    seen += await read(link_to(settings), 1)
    assert BAD_CONFIGURATION_ERROR not in {row[2] for row in table(*seen)[1]}


async def test_a_request_that_is_as_long_as_it_can_be_is_asked_in_two_parts() -> None:
    """A lost reply costs one request more, not ten timeouts."""

    def lie(owner: Device, _t: int, _q: bytes, good: bytes) -> list[bytes | float]:
        return [0.35, good] if len(owner.requests) == 2 else [good]

    tags = ({"address": 5, "datatype": "uint32"}, {"address": 7, "datatype": "uint32"}, {"address": 9})
    async with Device(rtu=True, lie=lie) as device:
        settings = connection(device.port, *tags, max_registers=5, period_s=0.05, timeout_s=0.2, **GATEWAY)
        deliveries = await read(link := link_to(settings), 4)
    asked = [(int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")) for _, pdu in device.requests]
    assert asked[:4] == [(5, 5), (5, 5), (5, 2), (7, 3)]
    assert link.context.stats.rejected == {"late": 1}
    for tag, address in enumerate((5, 7)):
        long = value_of(1, 3, address) << 16 | value_of(1, 3, address + 1)
        assert [row[1:] for row in table(*deliveries)[tag]] == [(long, 0)] * 4
    assert [row[1:] for row in table(*deliveries)[2]] == [(value_of(1, 3, 9), 0)] * 4


class Queue:
    """A gateway that holds answers back: `answers` says which of the requests so far each new one releases."""

    def __init__(self, wire: BusWire, *answers: tuple[int, ...]) -> None:
        self._wire, self._answers = wire, list(answers)
        self._device = Device()
        self.asked: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.asked.append(data)
        for number in self._answers.pop(0):
            unit, pdu = self.asked[number][0], self.asked[number][1:6]
            good = rtu(unit, b"\x83\6") if number == 0 else rtu(unit, self._device.answer(unit, pdu))
            asyncio.get_running_loop().call_soon(self._wire.received, good)

    def abort(self) -> None:
        """There is nothing to close."""

    async def closed(self) -> None:
        """There is nothing to close."""


async def test_the_second_answer_to_a_request_put_twice_is_no_other_tags() -> None:
    """A late exception shifts every answer by one; the registers 100 and 200 have replies of one length."""
    stats = LinkStats()
    wire = BusWire(SystemClock(), stats, RtuFramer(), Timing(0.05, 0.0, 0.0), Late(0.05))
    wire.pipe = gateway = Queue(wire, (), (0,), (1,), (2, 3))
    settings = connection(1, {"address": 0, "datatype": "uint64"}, {"address": 100}, {"address": 200}, **GATEWAY)
    first, second, third = (question(one, "here") for one in plan(settings))
    with pytest.raises(LinkTimeout):
        await wire.ask(first)
    for asked, address in ((second, 100), (third, 200)):
        reply = await wire.ask(asked)
        assert int.from_bytes(reply.data, "big") == value_of(1, 3, address)
    assert stats.rejected == {"late": 1}
    assert [int.from_bytes(one[4:6], "big") for one in gateway.asked] == [4, 1, 1, 2]


@pytest.mark.parametrize("noise", [b"\xff", b"\1\3\2", b"\1\3", bytes(range(40))])
async def test_noise_around_replies(noise: bytes, line: Line) -> None:
    async with SerialDevice(line, lie=lambda _d, _t, _q, good: [noise, good, noise]) as device:
        deliveries = await read(link_to(connection(None, *TAGS, **on(line))), 3)
        assert len(device.requests) == 3
    assert [row[1] for row in table(*deliveries)[1]] == [value_of(1, 3, 11)] * 3


@pytest.mark.parametrize("transport", ["udp", "rtu"])
async def test_one_lost_frame_is_asked_for_again(transport: str, line: Line) -> None:
    def lie(owner: Device, _t: int, _q: bytes, good: bytes) -> list[bytes | float]:
        return [] if len(owner.requests) == 2 else [good]

    made = UdpDevice(lie=lie) if transport == "udp" else SerialDevice(line, lie=lie)
    async with made as device:
        more = {"transport": "udp"} if transport == "udp" else on(line)
        deliveries = await read(link_to(connection(device.port or None, *TAGS, timeout_s=0.4, **more)), 3)
    assert [row[1:] for row in table(*deliveries)[0]] == [(value_of(1, 3, 10), 0)] * 3


async def test_a_doubled_datagram_is_dropped() -> None:
    async with UdpDevice(lie=lambda _d, _t, _q, good: [good, good]) as device:
        deliveries = await read(link := link_to(connection(device.port, *TAGS, transport="udp")), 3)
    assert [row[1:] for row in table(*deliveries)[0]] == [(value_of(1, 3, 10), 0)] * 3
    assert link.context.stats.rejected["transaction"] >= 2


async def test_connect_per_poll() -> None:
    async with Device() as device:
        settings = connection(device.port, *TAGS, {"address": 900}, connect_per_poll=True)
        await read(link_to(settings), 3)
        await device.until(lambda: device.closed == device.opened == 3)
        assert len(device.requests) == 6


async def test_a_line_that_is_never_silent(line: Line) -> None:
    """Somebody else sends on it all the time: with each turn of the loop, so that none is without a byte."""
    fd = os.open(line.theirs, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:

        async def babble() -> None:
            while True:
                with contextlib.suppress(BlockingIOError):
                    os.write(fd, b"\x55")
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(babble())
            with pytest.raises(LinkTimeout, match="never silent"):
                await read(link_to(connection(None, *TAGS, **on(line))))
            task.cancel()
    finally:
        os.close(fd)


# ── nothing but reads ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", ["tcp", "udp", "rtu_over_tcp", "rtu"])
async def test_nothing_but_reads_goes_out(transport: str, line: Line) -> None:
    """Every table, a lost reply and a refused address included."""
    tags = [
        {"table": table, "address": 4, "datatype": "bool" if table in {"coil", "discrete"} else "uint16"}
        for table in ("coil", "discrete", "input", "holding")
    ]

    def lie(owner: Device, _t: int, _q: bytes, good: bytes) -> list[bytes | float]:
        return [] if len(owner.requests) == 6 else [good]

    made: Device = {"udp": UdpDevice, "tcp": Device}.get(transport, Device)(lie=lie, refused={(1, 3, 5)})
    if transport == "rtu":
        made = SerialDevice(line, lie=lie, refused={(1, 3, 5)})
    made.rtu = transport.startswith("rtu")
    async with made as device:
        more = on(line) if transport == "rtu" else {"transport": transport}
        settings = connection(device.port or None, *tags, timeout_s=0.4, **more)
        with contextlib.suppress(LinkError):
            await read(link_to(settings), 4)
        assert set(device.functions) == {1, 2, 3, 4}
