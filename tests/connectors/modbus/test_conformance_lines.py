"""The conformance suite on the lines that are not plain TCP: RTU on a serial port, RTU over TCP, UDP, TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from tests.connectors.conformance import ConnectorConformance, until
from tests.services.certificates import Authority
from tests.services.serial_line import is_free, serial_line

from . import test_conformance
from .conftest import connection
from .device import Device
from .other_lines import SerialDevice, UdpDevice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from connectors.modbus.config import ModbusConnection

pytestmark = pytest.mark.wire

CANNOT = test_conformance.OnModbus.cannot
NO_PROXY = {
    "proxy": "a serial line and datagrams know no TCP connection",
    "requests": "nothing stands between that could count them",
}


class _Lines(test_conformance.OnModbus, ConnectorConformance):
    """On a line of its own."""


class _Tcp(test_conformance.Map, Device):
    more: dict[str, Any]

    def to(self, *tags: dict[str, Any], **more: Any) -> ModbusConnection:
        return connection(self.port, *tags, **more, **self.more)

    async def until_idle(self) -> None:
        await self.until(lambda: self.opened == self.closed)


class _Udp(test_conformance.Map, UdpDevice):
    def to(self, *tags: dict[str, Any], **more: Any) -> ModbusConnection:
        return connection(self.port, *tags, **more, transport="udp")

    async def until_idle(self) -> None:
        await until(lambda: not self.clients(), "every client gone")


class _Serial(test_conformance.Map, SerialDevice):
    def to(self, *tags: dict[str, Any], **more: Any) -> ModbusConnection:
        serial = {"device": str(self.line.ours), "baudrate": 115200}
        return connection(None, *tags, **more, transport="rtu", serial=serial)

    async def until_idle(self) -> None:
        await until(lambda: is_free(self.line.ours), "the port free")


class TestRtu(_Lines):
    most_held = 2  # the line is drained at first, so that a tick of its own may follow the held one at once
    cannot = CANNOT | NO_PROXY

    @pytest.fixture
    async def device(self, tmp_path: Path) -> AsyncIterator[_Serial]:
        with serial_line(tmp_path) as line:
            async with _Serial(line) as device:
                yield device


class TestRtuOverTcp(_Lines):
    most_held = 2  # as above

    def requests_in(self, sent: bytes) -> int:
        return len(sent) // 8

    @pytest.fixture
    async def device(self) -> AsyncIterator[_Tcp]:
        async with _Tcp(rtu=True) as device:
            device.more = {"transport": "rtu_over_tcp"}
            yield device


class TestConnectPerPoll(_Lines):
    @pytest.fixture
    async def device(self) -> AsyncIterator[_Tcp]:
        async with _Tcp() as device:
            device.more = {"connect_per_poll": True}
            yield device


class TestUdp(_Lines):
    cannot = CANNOT | NO_PROXY

    @pytest.fixture
    async def device(self) -> AsyncIterator[_Udp]:
        async with _Udp() as device:
            yield device


class TestTls(_Lines):
    cannot = CANNOT | {"requests": "what crosses a proxy is encrypted"}

    @pytest.fixture
    async def device(self, tmp_path: Path) -> AsyncIterator[_Tcp]:
        authority = Authority(tmp_path)
        pair = authority.pair("server", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        async with _Tcp(tls=context) as device:
            device.more = {"transport": "tls", "tls": {"ca_file": str(authority.file)}}
            yield device
