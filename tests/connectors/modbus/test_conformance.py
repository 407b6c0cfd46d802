from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import pytest

from connectors.modbus.link import ModbusLink
from connectors.modbus.plan import plan
from pipelines.point import BAD_SENSOR_FAILURE
from tests.connectors.conformance import ConnectorConformance, Expected, Truth

from .conftest import connection
from .device import Device

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.base import Connector, LinkContext
    from connectors.modbus.config import ModbusConnection

pytestmark = pytest.mark.wire

HOLDING = 3
OPEN = -32768
"""Raw value that means an open sensor."""
VALUES: dict[str, tuple[str, Any]] = {
    "int16": (">h", -12_345),
    "uint16": (">H", 54_321),
    "float16": (">e", -1.5),
    "int32": (">i", -1_234_567_890),
    "uint32": (">I", 3_456_789_012),
    "float32": (">f", -0.15625),
    "int64": (">q", -1_234_567_890_123_456_789),
    "uint64": (">Q", 12_345_678_901_234_567_890),
    "float64": (">d", -0.1),
}
BCD = {"bcd16": 1234, "bcd32": 12_345_678, "bcd64": 1_234_567_890_123_456}
ORDERS = {
    2: {"ABCD": "AB", "CDAB": "AB", "BADC": "BA", "DCBA": "BA"},
    4: {order: order for order in ("ABCD", "CDAB", "BADC", "DCBA")},
    8: {"ABCD": "ABCDEFGH", "CDAB": "GHEFCDAB", "BADC": "BADCFEHG", "DCBA": "HGFEDCBA"}
    | {order: order for order in ("EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE")},
}
"""By width in bytes: order -> where its bytes A (most significant) ... lie on the wire."""


class Map(ABC):
    """What a device of the suite holds, whatever line it is on."""

    registers: dict[tuple[int, int, int], int]
    refused: set[tuple[int, int, int]]

    @abstractmethod
    def to(self, *tags: dict[str, Any], **more: Any) -> ModbusConnection:
        """Settings of a connection to it."""

    @property
    def settings(self) -> ModbusConnection:
        tags = (
            {"address": 1},
            {"address": 9, "datatype": "float64"},
            {"table": "coil", "address": 3, "datatype": "bool"},
        )
        return self.to(*tags, period_s=0.02, timeout_s=1)

    @property
    def truth(self) -> Truth:
        tags: list[dict[str, Any]] = []
        expected: list[Expected] = []
        at = 1000

        def put(wire: bytes, value: Any, status: int = 0, **tag: Any) -> None:
            nonlocal at
            expected.append(Expected(f"t{len(tags)}", value, status))
            tags.append({"address": at, **tag})
            for offset in range(0, len(wire), 2):
                self.registers[1, HOLDING, at + offset // 2] = int.from_bytes(wire[offset : offset + 2], "big")
            at += len(wire) // 2

        plain = {name: (struct.pack(form, value), value) for name, (form, value) in VALUES.items()}
        plain |= {name: (bytes.fromhex(str(value)), value) for name, value in BCD.items()}
        for datatype, (data, value) in plain.items():
            for order, places in ORDERS[len(data)].items():
                wire = bytes(data["ABCDEFGH".index(letter)] for letter in places)
                put(wire, value, datatype=datatype, byte_order=order)
        put("압력 A1".encode().ljust(12, b"\0"), "압력 A1", datatype="string", length=6)
        for bit in (4, 5):
            put(b"\x00\x20", bit == 5, datatype="bool", bit=bit)
        put(struct.pack(">h", OPEN), 0, BAD_SENSOR_FAILURE, datatype="int16", sentinels={OPEN: "sensor_open"})
        for table, function in (("coil", 1), ("discrete", 2)):
            for value in (0, 1):
                self.registers[1, function, 40 + value] = value
                expected.append(Expected(f"t{len(tags)}", bool(value)))
                tags.append({"table": table, "address": 40 + value, "datatype": "bool"})
        return Truth(self.to(*tags, period_s=0.05, timeout_s=2), tuple(expected))

    @property
    def unknown(self) -> ModbusConnection:
        self.refused.add((1, HOLDING, 12))
        tags = ({"address": 11}, {"address": 13}, {"address": 12})
        return self.to(*tags, period_s=0.02, timeout_s=2)


class _Plc(Map, Device):
    def to(self, *tags: dict[str, Any], **more: Any) -> ModbusConnection:
        return connection(self.port, *tags, **more)

    async def until_idle(self) -> None:
        await self.until(lambda: self.opened == self.closed)


class OnModbus:
    """What every suite on a Modbus line has."""

    kind = "modbus"
    cannot = {  # noqa: RUF012 - declared as a ClassVar of the suite
        "uncertain": "a Modbus reply is a value or an exception, nothing between",
        "secret": "Modbus has no login; the key of a TLS line is a file that is never read as text",
    }
    most_held = 1

    def make(self, context: LinkContext) -> Connector:
        return ModbusLink(context)

    def requests_in(self, sent: bytes) -> int:
        count = 0
        while len(sent) >= 6:
            count, sent = count + 1, sent[6 + int.from_bytes(sent[4:6], "big") :]
        return count

    def requests_per_s(self, settings: Any) -> float:
        return sum(1 / request.period_s for request in plan(settings))


class TestModbusConformance(OnModbus, ConnectorConformance):
    @pytest.fixture
    async def device(self) -> AsyncIterator[_Plc]:
        async with _Plc() as plc:
            yield plc
