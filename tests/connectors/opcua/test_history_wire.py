"""What a link missed comes back from the server's history: exactly that, once, at its own times, and not too fast."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua

from pipelines.errors import LinkClosed

from .conftest import Consumer, Plant, connection, proxy_to, tag

pytestmark = pytest.mark.wire
A = tag("a", "nsu=urn:test:plant;s=a")
B = tag("b", "nsu=urn:test:plant;s=b")


async def with_history(plant: Plant, *names: str) -> None:
    """asyncua's own historian, fed by `feed`: its internal subscription has a queue of one and loses bursts."""
    for name in names:
        await storage(plant).new_historized_node(plant.nodes[name].nodeid, None, 0)
        node = plant.nodes[name]
        for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
            await node.set_attr_bit(attribute, ua.AccessLevel.HistoryRead)
        await feed(plant, name, 0, 0, ago_s=30)


def storage(plant: Plant) -> Any:
    return plant.server.iserver.history_manager.storage


async def feed(plant: Plant, name: str, first: int, last: int, ago_s: float = 0) -> dict[int, int]:
    """Write values, now or as if some time ago, each at a later microsecond; value → time in ns."""
    out = {}
    for value in range(first, last + 1):
        moment = datetime.now(UTC) - timedelta(seconds=ago_s)
        while out and out[value - 1] >= round(moment.timestamp() * 1e6) * 1000:
            moment += timedelta(microseconds=1)
        node = plant.nodes[name].nodeid
        data = ua.DataValue(ua.Variant(value, ua.VariantType.Int64), SourceTimestamp=moment)
        await plant.server.write_attribute_value(node, data)
        if node in storage(plant)._datachanges:
            await storage(plant).save_node_value(node, data)
        out[value] = round(moment.timestamp() * 1e6) * 1000
    return out


async def lose_subscription(plant: Plant) -> None:
    await plant.server.iserver.subscription_service.delete_subscriptions(list(plant.subscriptions))


async def live_until_cut(consumer: Consumer, plant: Plant, proxy: Any, first: int, last: int) -> dict[int, int]:
    """A link that takes these values live and ends by its connection, as a network does."""
    fed: dict[int, int] = {}
    async with asyncio.timeout(20), consumer.link() as link:
        try:
            fed = await feed(plant, "a", first, last)
            async for delivery in link.deliveries():
                consumer.commit(delivery)
                if last in consumer.values(0):
                    proxy.cut()
        except LinkClosed as error:
            consumer.error = error
    return fed


def filled(consumer: Consumer) -> list[Any]:
    return [gap for gap in consumer.gaps if gap.filled]


async def test_exactly_what_was_missed_comes_back(plant: Plant) -> None:
    await with_history(plant, "a", "b")
    async with proxy_to(plant.port) as proxy:
        consumer = Consumer(connection(f"opc.tcp://127.0.0.1:{proxy.port}/plant", A, B))
        await consumer.until(lambda: len(consumer.rows) == 2)
        before = await live_until_cut(consumer, plant, proxy, 1, 20)
        await lose_subscription(plant)
        lost = await feed(plant, "a", 21, 240)
        await consumer.until(lambda: len(filled(consumer)) == 2)
        await feed(plant, "a", 241, 250)
        await consumer.until(lambda: consumer.values(0)[-1] == 250)
    assert [row[2] for row in consumer.history] == list(range(21, 240)), "240 came live"
    assert [row[1] for row in consumer.history] == [lost[value] for value in range(21, 240)]
    assert {row[0] for row in consumer.history} == {0}
    live = [row for row in dict.fromkeys(consumer.rows) if row[0] == 0]
    assert [row[2] for row in live] == [*range(21), *range(240, 251)]
    assert before[20] in [row[1] for row in live]
    open_, closed = [g for g in consumer.gaps if not g.filled], filled(consumer)
    assert {(g.tag, g.cause, g.start_ns, g.end_ns) for g in open_} == {
        (g.tag, g.cause, g.start_ns, g.end_ns) for g in closed
    }
    assert {g.tag: g.count for g in closed} == {0: 219, 1: 0}


def stored(consumer: Consumer, index: int) -> list[Any]:
    """Values of a tag as a store has them: equal time and value are one point."""
    points = sorted({row[:3] for row in [*consumer.rows, *consumer.history] if row[0] == index})
    assert len({point[1] for point in points}) == len(points)
    return [point[2] for point in points]


async def test_after_a_crash_it_comes_back_too(plant: Plant) -> None:
    await with_history(plant, "a")
    consumer = Consumer(connection(plant.endpoint, A), absence="agent_down")
    await feed(plant, "a", 1, 9, ago_s=9)
    await consumer.until(lambda: consumer.values(0)[-1:] == [9])  # nobody says last words
    await lose_subscription(plant)
    await feed(plant, "a", 10, 60)
    await consumer.until(lambda: filled(consumer))
    assert stored(consumer, 0) == list(range(9, 61))
    assert [(gap.cause, gap.filled) for gap in consumer.gaps] == [("agent_down", False), ("agent_down", True)]


@pytest.mark.parametrize("most", [7, 10_000])
async def test_history_comes_in_pieces(plant: Plant, most: int) -> None:
    """By continuation points, and where a server leaves them out, by asking for what follows."""
    storage(plant).max_history_data_response_size = most
    await with_history(plant, "a", "b")
    consumer = Consumer(connection(plant.endpoint, A, B, history_values_per_s=200))
    await feed(plant, "a", 1, 2, ago_s=9)
    await feed(plant, "b", 1, 2, ago_s=9)
    await consumer.until(lambda: [consumer.values(index)[-1:] for index in (0, 1)] == [[2], [2]])
    await lose_subscription(plant)
    await feed(plant, "a", 3, 260)
    await feed(plant, "b", 3, 120)
    loop = asyncio.get_running_loop()
    came: list[tuple[float, int]] = []

    def done() -> bool:
        came.append((loop.time(), len(consumer.history)))
        return len(filled(consumer)) == 2

    await consumer.until(done)
    assert stored(consumer, 0) == list(range(2, 261))
    assert stored(consumer, 1) == list(range(2, 121))
    assert len(consumer.history) == len(set(consumer.history))
    assert {gap.tag: gap.count for gap in filled(consumer)} == {0: 257, 1: 117}
    first_s = next(at for at, count in came if count)
    assert came[-1][0] - first_s >= (257 + 117 - 200) / 200 * 0.9, "no more than 200 values a second"


async def test_it_goes_on_where_a_crash_left_it(plant: Plant) -> None:
    await with_history(plant, "a", "b")
    consumer = Consumer(connection(plant.endpoint, A, B, history_values_per_s=400))
    await consumer.until(lambda: len(consumer.rows) == 2)
    await lose_subscription(plant)
    await feed(plant, "a", 1, 900)
    await feed(plant, "b", 1, 90)
    for crash_at in (100, 300, 500):
        async with asyncio.timeout(20), consumer.link() as link:
            async for delivery in link.deliveries():
                if len(consumer.history) >= crash_at:
                    break  # taken, not committed
                consumer.commit(delivery)
    await consumer.until(lambda: len(filled(consumer)) == 2)
    assert stored(consumer, 0) == list(range(901))
    assert stored(consumer, 1) == list(range(91))
    assert len(consumer.history) == len(set(consumer.history)), "none was committed twice"
    assert {gap.tag: gap.count for gap in filled(consumer)} == {0: 899, 1: 89}


async def test_messages_the_server_threw_away_come_back(plant: Plant) -> None:
    await with_history(plant, "a")
    consumer = Consumer(connection(plant.endpoint, A, publishing_interval_s=0.3))
    await consumer.until(lambda: consumer.rows)
    step = 0

    async with asyncio.timeout(20), consumer.link() as link:
        await feed(plant, "a", 1, 5)
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            (subscription,) = plant.subscriptions.values()
            if step == 0 and consumer.values(0)[-1] == 5:
                await feed(plant, "a", 6, 25)
                subscription._triggered_datachanges.clear()
                subscription._notification_seq += 1
                await feed(plant, "a", 26, 30)
                step = 1
            if filled(consumer):
                break
    assert [row[2] for row in consumer.history] == list(range(6, 26))
    assert stored(consumer, 0) == list(range(31))
    (gap,) = filled(consumer)
    assert (gap.cause, gap.count) == ("sequence_lost", 20)


async def test_cyclic_reads_are_filled_too(plant: Plant) -> None:
    await with_history(plant, "a")
    cyclic = tag("a", "nsu=urn:test:plant;s=a", mode="read", period_s=0.1)
    consumer = Consumer(connection(plant.endpoint, cyclic, tag("b", "nsu=urn:test:plant;s=b")))
    await consumer.until(lambda: len(consumer.rows) == 2)
    await asyncio.sleep(0.3)  # two periods: the reads that did not happen
    await feed(plant, "a", 1, 40)
    await consumer.until(lambda: filled(consumer))
    assert stored(consumer, 0) == list(range(41))


@pytest.mark.parametrize("says", ["none", "yes"])
async def test_a_server_without_history_is_left_alone(plant: Plant, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    asked = 0
    manager = plant.server.iserver.history_manager

    async def refuse(_: Any) -> Any:
        nonlocal asked
        asked += 1
        return [ua.HistoryReadResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadHistoryOperationUnsupported))]

    monkeypatch.setattr(manager, "read_history", refuse)
    if says == "yes":
        await with_history(plant, "a")
    consumer = Consumer(connection(plant.endpoint, A))
    await consumer.until(lambda: consumer.rows)
    clock = asyncio.get_running_loop().time
    for _ in range(2):
        await lose_subscription(plant)
        start = consumer.stats.requests
        until_s = clock() + 2.5
        await feed(plant, "a", 5, 9)
        await consumer.until(lambda until_s=until_s: clock() > until_s)  # type: ignore[misc]
        assert consumer.stats.requests - start < 60
    assert asked == (2 if says == "yes" else 0), "once for each link"
    assert [gap.filled for gap in consumer.gaps] == [False, False]
    assert consumer.history == []
    assert consumer.error is None


async def test_history_can_be_off(plant: Plant) -> None:
    await with_history(plant, "a")
    consumer = Consumer(connection(plant.endpoint, A, history="off"))
    await consumer.until(lambda: consumer.rows)
    assert consumer.resume
    assert b"\n" not in consumer.resume
