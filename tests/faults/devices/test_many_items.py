"""Tens of thousands of monitored items on servers that are not ours subscribe and deliver, every one of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.connectors.opcua.conftest import Consumer, connection, run_foreign, tag
from tests.connectors.opcua.test_freeopcua_wire import run_python_opcua

pytestmark = pytest.mark.wire

ROUNDS = 3


async def take(endpoint: str, namespace: str, items: int, rounds: int) -> tuple[float, float, Consumer]:
    """(seconds until the link is open, seconds until every item has changed `rounds` times, the consumer)."""
    tags = [tag(f"c{i}", f"nsu={namespace};s=Counter{i}") for i in range(items)]
    more: dict[str, Any] = {"sampling_interval_s": 0.0, "queue_size": 100, "keepalive_s": 5.0, "timeout_s": 20.0}
    consumer = Consumer(connection(endpoint, *tags, publishing_interval_s=0.5, **more))
    seen = np.zeros(items, np.int64)
    start = time.monotonic()
    async with asyncio.timeout(300), consumer.link() as link:
        open_s = time.monotonic() - start
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            for scan in delivery.scans:
                np.add.at(seen, scan.tag, 1)
            if seen.min() > rounds:
                break
    return open_s, time.monotonic() - start, consumer


def steps(consumer: Consumer) -> Counter[int]:
    """How far apart two readings of a tag that follow each other are."""
    found: Counter[int] = Counter()
    last: dict[int, int] = {}
    for index, _, value, status in consumer.rows:
        if status == 0 and index in last:
            found[value - last[index]] += 1
        last[index] = value
    return found


@pytest.mark.parametrize("server", ["node-opcua", "python-opcua"])
async def test_every_item_delivers_every_change(server: str, tmp_path: Path, size: Any, figure: Any) -> None:
    items = size(2_000, 20_000)
    period_ms = str(items // 2)
    if server == "node-opcua":
        with run_foreign(tmp_path, COUNTERS=str(items), PERIOD_MS=period_ms) as foreign:
            open_s, all_s, consumer = await take(foreign.endpoint, foreign.namespace, items, ROUNDS)
    else:
        with run_python_opcua(COUNTERS=str(items), PERIOD_MS=period_ms) as found:
            open_s, all_s, consumer = await take(found["endpoint"], found["namespace"], items, ROUNDS)
    assert consumer.stats.refused == {}
    assert consumer.gaps == []
    assert set(steps(consumer)) == {1}, "no change is missing or comes twice"
    figure(f"{server}: monitored items that deliver every change", asked="20000", measured=items)
    figure(f"{server}: seconds to subscribe", asked="–", measured=open_s)
    figure(f"{server}: seconds to {ROUNDS} changes of each", asked="–", measured=all_s)
    figure(f"{server}: subscriptions used", asked="–", measured=len(consumer.noted("subscription_created")))
