from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from connectors.base import Connector, LinkContext
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.link import OpcUaLink
from pipelines.point import BAD_SENSOR_FAILURE, UNCERTAIN_LAST_USABLE
from tests.connectors.conformance import DEADLINE_S, ConnectorConformance, Expected, Truth

from .conftest import Plant, connection, tag

pytestmark = pytest.mark.wire


TYPES: dict[str, tuple[str, Any, int]] = {
    "boolean": ("Boolean", True, 0),
    "sbyte": ("SByte", -128, 0),
    "byte": ("Byte", 255, 0),
    "int16": ("Int16", -32_768, 0),
    "uint16": ("UInt16", 65_535, 0),
    "int32": ("Int32", -(2**31), 0),
    "uint32": ("UInt32", 2**32 - 1, 0),
    "int64": ("Int64", -(2**63), 0),
    "uint64": ("UInt64", 2**64 - 1, 0),
    "float": ("Float", -0.15625, 0),
    "double": ("Double", -0.1, 0),
    "string": ("String", "압력 A1", 0),
    "uncertain": ("Double", 1.5, UNCERTAIN_LAST_USABLE),
    "bad": ("Double", 2.5, BAD_SENSOR_FAILURE),
}


class Counting:
    """An asyncua server whose first variable counts."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.settings: OpcUaConnection = connection(
            plant.endpoint,
            tag("a", "nsu=urn:test:plant;s=a"),
            tag("b", "nsu=urn:test:plant;s=b", mode="read", period_s=0.05),
        )

    @property
    def port(self) -> int:
        return self.plant.port

    @property
    def truth(self) -> Truth:
        tags, expected = [], []
        for mode in ("subscribe", "read"):
            for name, (_, value, status) in TYPES.items():
                expected.append(Expected(f"{name}_{mode}", value, status))
                tags.append(tag(f"{name}_{mode}", f"nsu=urn:test:plant;s={name}", mode=mode))
        return Truth(connection(self.plant.endpoint, *tags, period_s=0.1), tuple(expected))

    @property
    def unknown(self) -> OpcUaConnection:
        known = [tag(name, f"nsu=urn:test:plant;s={name}") for name in ("a", "b")]
        return connection(self.plant.endpoint, *known, tag("x", "nsu=urn:test:plant;s=nowhere"))

    async def fill(self) -> None:
        """A variable of every type, and some of every quality."""
        index = self.plant.nodes["a"].nodeid.NamespaceIndex
        for name, (kind, value, status) in TYPES.items():
            node = await self.plant.server.nodes.objects.add_variable(
                ua.NodeId(name, index), name, value, ua.VariantType[kind]
            )
            data = ua.DataValue(
                ua.Variant(value, ua.VariantType[kind]), ua.StatusCode(status), SourceTimestamp=datetime.now(UTC)
            )
            await self.plant.server.write_attribute_value(node.nodeid, data)

    async def count(self) -> None:
        value = 0
        while self.plant.server is not None:
            value += 1
            await self.plant.write("a", value)
            await asyncio.sleep(0.03)

    async def stop(self) -> None:
        await self.plant.stop()

    async def until_idle(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.plant.server.bserver.clients:  # noqa: ASYNC110 (asyncua's server has no event for it)
                await asyncio.sleep(0.02)


class TestOpcUa(ConnectorConformance):
    kind = "opcua"
    server_code = "asyncua/server"

    def requests_in(self, sent: bytes) -> int:
        """Service requests: `MSG` chunks (OPC 10000-6 §6.7.2.2)."""
        count = 0
        while len(sent) >= 8:
            count += sent[:3] == b"MSG"
            sent = sent[int.from_bytes(sent[4:8], "little") :]
        return count

    def requests_per_s(self, settings: Any) -> float:
        """A Publish for each publishing interval, and the cyclic reads."""
        return float(1 / settings.publishing_interval_s + 1 / 0.05)

    def secret(self, settings: Any, password_file: Path) -> OpcUaConnection:
        copy: OpcUaConnection = settings.model_copy(update={"user": "operator", "password_file": password_file})
        return copy

    def make(self, context: LinkContext) -> Connector:
        return OpcUaLink(context)

    @pytest.fixture
    async def device(self, plant: Plant) -> AsyncIterator[Counting]:
        device = Counting(plant)
        await device.fill()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(device.count())
            yield device
            task.cancel()
