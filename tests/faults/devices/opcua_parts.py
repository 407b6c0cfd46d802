"""A link under the product's own supervisor and pipeline, next to an asyncua server that restarts and falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncua import ua

from agent.supervise import DEVICE_CAP_S, keep_open
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION
from pipelines.source import Source
from tests.connectors.opcua.conftest import Consumer, Plant

OTHERS = ("urn:test:first", "urn:test:second", "urn:test:third")
"""Namespaces that stand before the plant's own in one order or another, with variables of the same names."""
FALSE = -999
"""What the variables of the same names say."""


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    """A server that the test starts."""
    plant = Plant()
    try:
        yield plant
    finally:
        await plant.stop()


@dataclass
class Supervised:
    """A consumer whose links the supervisor opens, and the points that its deliveries become."""

    consumer: Consumer
    points: list[bytes] = field(default_factory=list)
    downs: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        settings = self.consumer.settings
        source = Source(settings, [Place("press", "", "", "", "P1")] * len(settings.tags), {})

        async def session(opened: Callable[[], None]) -> None:
            async with self.consumer.link() as link:
                opened()
                async for delivery in link.deliveries():
                    for lines in source.encode(delivery, time.time_ns()):
                        self.points += lines.body.splitlines()
                    self.consumer.commit(delivery)
                    self.changed.set()

        def lost(reason: str) -> None:
            self.downs.append(reason)
            self.points += source.lost(BAD_NO_COMMUNICATION, time.time_ns()).body.splitlines()

        await keep_open("plc", session, lost, DEVICE_CAP_S)

    async def until(self, done: Callable[[], bool], seconds: float = 15.0) -> float:
        """Seconds until `done()`, which is asked after each delivery."""
        start = time.monotonic()
        async with asyncio.timeout(seconds):
            while not done():
                self.changed.clear()
                await self.changed.wait()
        return time.monotonic() - start

    def gap_points(self, cause: str) -> int:
        return sum(line.startswith(b"gap,") and f"cause={cause}".encode() in line for line in self.points)


@contextlib.asynccontextmanager
async def supervised(consumer: Consumer) -> AsyncIterator[Supervised]:
    running = Supervised(consumer)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.run())
        try:
            yield running
        finally:
            task.cancel()


async def restart(plant: Plant, names: tuple[str, ...], before: tuple[str, ...]) -> None:
    """The server again on its port, with other namespaces before its own and variables of the same names in them."""
    await plant.start(names, before)
    for uri in before:
        index = await plant.server.get_namespace_index(uri)
        for name in names:
            node = ua.NodeId(name, index)
            await plant.server.nodes.objects.add_variable(node, f"{index}:{name}", FALSE, ua.VariantType.Int64)


async def write_all(plant: Plant, names: tuple[str, ...], value: int) -> None:
    for name in names:
        await plant.write(name, value)


def mute(plant: Plant) -> None:
    """Every subscription there is now publishes no more; sessions live on, new subscriptions work."""

    async def nothing(*_: Any) -> bool:
        return False

    for subscription in plant.subscriptions.values():
        subscription.publish_results = nothing
