from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.base import Connector, LinkContext
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.link import OpcUaLink
from tests.connectors.conformance import DEADLINE_S, ConnectorConformance

from .conftest import Plant, connection, tag

pytestmark = pytest.mark.wire


class Counting:
    """An asyncua server whose first variable counts."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.settings: OpcUaConnection = connection(
            plant.endpoint,
            tag("a", "nsu=urn:test:plant;s=a"),
            tag("b", "nsu=urn:test:plant;s=b", mode="read", period_s=0.05),
        )

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

    def make(self, context: LinkContext) -> Connector:
        return OpcUaLink(context)

    @pytest.fixture
    async def device(self, plant: Plant) -> AsyncIterator[Counting]:
        device = Counting(plant)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(device.count())
            yield device
            task.cancel()
