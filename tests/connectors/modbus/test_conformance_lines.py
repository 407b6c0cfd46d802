"""The conformance suite on the lines that are not plain TCP: RTU on a serial port, RTU over TCP, UDP, TLS."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from connectors.modbus.link import ModbusLink
from tests.connectors.conformance import DEADLINE_S, ConnectorConformance
from tests.services.certificates import Authority
from tests.services.serial_line import is_free, serial_line

from .conftest import connection
from .device import Device
from .other_lines import SerialDevice, UdpDevice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from connectors.base import Connector, LinkContext
    from connectors.modbus.config import ModbusConnection

pytestmark = pytest.mark.wire

TAGS = (
    {"address": 1},
    {"address": 9, "datatype": "float64"},
    {"table": "coil", "address": 3, "datatype": "bool"},
)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - the kernel knows, and tells nobody
            await asyncio.sleep(0.01)


class _Lines(ConnectorConformance):
    kind = "modbus"

    def make(self, context: LinkContext) -> Connector:
        return ModbusLink(context)


class _Tcp(Device):
    more: dict[str, Any]

    @property
    def settings(self) -> ModbusConnection:
        return connection(self.port, *TAGS, period_s=0.02, timeout_s=2, **self.more)

    async def until_idle(self) -> None:
        await self.until(lambda: self.opened == self.closed)


class _Udp(UdpDevice):
    @property
    def settings(self) -> ModbusConnection:
        return connection(self.port, *TAGS, period_s=0.02, timeout_s=2, transport="udp")

    async def until_idle(self) -> None:
        await until(lambda: not self.clients())


class _Serial(SerialDevice):
    @property
    def settings(self) -> ModbusConnection:
        serial = {"device": str(self.line.ours), "baudrate": 115200}
        return connection(None, *TAGS, period_s=0.02, timeout_s=2, transport="rtu", serial=serial)

    async def until_idle(self) -> None:
        await until(lambda: is_free(self.line.ours))


class TestRtu(_Lines):
    @pytest.fixture
    async def device(self, tmp_path: Path) -> AsyncIterator[_Serial]:
        with serial_line(tmp_path) as line:
            async with _Serial(line) as device:
                yield device


class TestRtuOverTcp(_Lines):
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
    @pytest.fixture
    async def device(self) -> AsyncIterator[_Udp]:
        async with _Udp() as device:
            yield device


class TestTls(_Lines):
    @pytest.fixture
    async def device(self, tmp_path: Path) -> AsyncIterator[_Tcp]:
        authority = Authority(tmp_path)
        pair = authority.sign("server", "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        async with _Tcp(tls=context) as device:
            device.more = {"transport": "tls", "tls": {"ca_file": str(authority.file)}}
            yield device
