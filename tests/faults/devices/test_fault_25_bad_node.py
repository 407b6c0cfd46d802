"""One bad node of 100: the others are complete, and cyclic reads are as many as without it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.connectors.opcua.conftest import Consumer, Plant, connection, tag

from .opcua_parts import plant, supervised, write_all

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(25)]

NAMES = tuple(f"v{i}" for i in range(99))
PERIOD_S = 0.1


async def test_subscribed_tags_beside_a_bad_node(plant: Plant, size: Any, figure: Any) -> None:
    rounds = size(20, 500)
    await plant.start(NAMES)
    tags = [tag(name, f"nsu=urn:test:plant;s={name}") for name in (*NAMES, "gone")]
    consumer = Consumer(connection(plant.endpoint, *tags, queue_size=10_000))
    async with supervised(consumer) as running:
        await running.until(lambda: len({row[0] for row in consumer.rows}) == len(tags))
        for value in range(1, rounds + 1):
            await write_all(plant, NAMES, value)
        await running.until(lambda: all(consumer.values(i)[-1] == rounds for i in range(len(NAMES))), 60)
        downs = running.downs
    complete = sum(len(set(consumer.values(index))) for index in range(len(NAMES))) / (len(NAMES) * (rounds + 1))
    assert complete >= 0.999
    assert downs == []
    assert [row[0] for row in consumer.rows if row[3]] == [len(NAMES)], "the bad one is told once"
    figure("one bad node of 100, the others' changes", asked=">= 99.9 %", measured=f"{complete:.3%}")


async def test_cyclic_reads_beside_a_bad_node(plant: Plant, size: Any, figure: Any) -> None:
    for_s = size(2, 30)
    await plant.start(NAMES)
    cycles = {}
    for names in (NAMES, (*NAMES, "gone")):
        tags = [tag(name, f"nsu=urn:test:plant;s={name}", mode="read", period_s=PERIOD_S) for name in names]
        consumer = Consumer(connection(plant.endpoint, *tags))
        async with supervised(consumer) as running:
            await running.until(lambda c=consumer, n=names: len({row[0] for row in c.rows}) == len(n))  # type: ignore[misc]
            before, start = consumer.stats.requests, time.monotonic()
            value = 0
            while time.monotonic() - start < for_s:
                value += 1
                await write_all(plant, NAMES, value)
                await running.until(lambda c=consumer, v=value: all(c.values(i)[-1] == v for i in range(len(NAMES))))  # type: ignore[misc]
            cycles[len(names)] = (consumer.stats.requests - before) / (time.monotonic() - start)
    ratio = cycles[99] / cycles[100]
    assert ratio <= 1.2
    figure("one bad node of 100, length of a cycle to that without", asked="<= 1.2", measured=ratio)
