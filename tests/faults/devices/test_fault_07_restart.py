"""An OPC UA server restarts again and again, now and then with its namespaces in another order."""

from __future__ import annotations

import time
from itertools import permutations
from typing import Any

import pytest

from tests.connectors.opcua.conftest import Consumer, Plant, connection, tag

from .opcua_parts import FALSE, OTHERS, plant, restart, supervised, write_all

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(7)]

NAMES = tuple(f"v{i}" for i in range(20))
ORDERS = list(permutations(OTHERS))
REORDERED = 5


async def test_every_tag_is_back_by_namespace(plant: Plant, size: Any, figure: Any) -> None:
    restarts = size(2, 20)
    await restart(plant, NAMES, ORDERS[0])
    tags = [tag(name, f"nsu=urn:test:plant;s={name}") for name in NAMES]
    cyclic = tag("cyclic", "nsu=urn:test:plant;s=v0", mode="read", period_s=0.2)
    consumer = Consumer(connection(plant.endpoint, *tags, cyclic, keepalive_s=1.0))
    back_s = []
    async with supervised(consumer) as running:
        await running.until(lambda: len({row[0] for row in consumer.rows}) == len(tags) + 1)
        for number in range(1, restarts + 1):
            stopped_ns = time.time_ns()
            await plant.stop()
            await restart(plant, NAMES, ORDERS[number % len(ORDERS) if number <= REORDERED else 0])
            started_ns = time.time_ns()
            await write_all(plant, NAMES, number)
            known = len(consumer.gaps)

            def back(number: int = number) -> bool:
                newest = {row[0]: row[2] for row in consumer.rows if row[3] == 0}
                return all(newest[index] == number for index in range(len(tags) + 1))

            back_s.append(await running.until(back))
            gaps = {gap.tag: gap for gap in consumer.gaps[known:] if gap.cause == "no_communication"}
            for index in range(len(tags)):
                assert gaps[index].start_ns <= stopped_ns
                assert gaps[index].end_ns is not None
                assert gaps[index].end_ns >= started_ns
        assert running.gap_points("no_communication") >= restarts * len(tags)
    assert FALSE not in {row[2] for row in consumer.rows}
    figure("restarts, all tags back, worst", asked="<= 15 s", measured=max(back_s))
    figure("restarts, namespaces reordered", asked="20, 5", measured=f"{restarts}, {min(restarts, REORDERED)}")
