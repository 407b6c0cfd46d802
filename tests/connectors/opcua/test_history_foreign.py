"""History of node-opcua: what its queue threw away, and what passed while nobody was there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from .alarm_server import AlarmServer, alarm_server
from .conftest import Consumer, connection, proxy_to, tag

pytestmark = pytest.mark.wire
URI = "nsu=urn:foreign:alarms;s="


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlarmServer]:
    with alarm_server(tmp_path_factory.mktemp("certificates")) as found:
        yield found


def burst(first: int, last: int, end_ms: int) -> list[list[int]]:
    """Values a millisecond apart up to `end_ms`: [time in ms, value]."""
    return [[end_ms - last + value, value] for value in range(first, last + 1)]


async def test_what_the_queue_threw_away_comes_back(server: AlarmServer) -> None:
    settings = connection(
        server.endpoint,
        tag("a", URI + "History0", sampling_interval_s=0, queue_size=5),
        tag("plain", URI + "Plain", sampling_interval_s=0, queue_size=5),
        publishing_interval_s=0.5,
        keepalive_s=2,
    )
    consumer = Consumer(settings)
    fed = False

    def done() -> bool:
        nonlocal fed
        if consumer.rows and not fed:
            fed = True
            for name in ("History0", "Plain"):
                server.tell(history={"name": name, "values": burst(1, 200, time.time_ns() // 1_000_000 + 200)})
        return any(gap.filled for gap in consumer.gaps) and len({gap.tag for gap in consumer.gaps}) == 2

    await consumer.until(done)
    rows = sorted({row[:3] for row in [*consumer.rows, *consumer.history] if row[0] == 0})
    assert [row[2] for row in rows] == [float(value) for value in range(201)]
    assert not set(consumer.rows) & set(consumer.history)
    count = {gap.tag: gap.count for gap in consumer.gaps if gap.filled}
    assert count == {0: len(consumer.history)}
    assert len(consumer.history) >= 190


async def test_what_passed_while_nobody_was_there_comes_back(server: AlarmServer) -> None:
    names = ("History1", "History2")
    tags = [tag(name.lower(), URI + name) for name in names]
    port = int(server.endpoint.split(":")[2].split("/")[0])
    async with proxy_to(port) as proxy:
        endpoint = f"opc.tcp://127.0.0.1:{proxy.port}/plant"
        before = Consumer(connection(endpoint, *tags, lifetime_s=1.5, session_timeout_s=1))
        await before.until(lambda: len(before.rows) >= 2)
        started_ms = time.time_ns() // 1_000_000
        fed: dict[str, Any] = {name: [[started_ms + 10 * (n + 1), n + 1] for n in range(300)] for name in names}
        before.settings = connection(endpoint, *tags, sampling_interval_s=0.02)  # other items: a new subscription
        for name in names:
            server.tell(history={"name": name, "values": fed[name]})
        await before.until(lambda: sum(gap.filled for gap in before.gaps) == 2)
    for index, _ in enumerate(names):
        points = sorted({row[:3] for row in [*before.rows, *before.history] if row[0] == index})
        assert [point[2] for point in points] == [float(value) for value in range(301)]
        assert [point[1] for point in points[1:]] == [ms * 1_000_000 for ms, _ in fed[names[index]]]
    assert len(before.history) == len(set(before.history))
