"""Servers that take little at once: found out, worked around, remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession
from asyncua.server.subscription_service import SubscriptionService

from pipelines.errors import LinkClosed

from .conftest import Consumer, Foreign, Plant, connection, run_foreign, tag

pytestmark = pytest.mark.wire

NAMES = tuple(f"v{i}" for i in range(30))


@pytest.fixture
async def many() -> AsyncIterator[Plant]:
    plant = Plant()
    await plant.start(NAMES)
    try:
        yield plant
    finally:
        await plant.stop()


def consumer_of(plant: Plant, folder: Path | None = None, **more: Any) -> Consumer:
    tags = [tag(name, f"nsu=urn:test:plant;s={name}", **more) for name in NAMES]
    return Consumer(connection(plant.endpoint, *tags), state_dir=folder)


def learnt(folder: Path) -> dict[str, int]:
    (server,) = orjson.loads((folder / "servers.json").read_bytes())["servers"].values()
    return {name: most for name, most in server.items() if name != "learnt_ns"}


class Refusing:
    """Counts calls, and refuses those with more operations than the server is to take."""

    def __init__(self, service: Any, most: int, count: Any, code: int) -> None:
        self.service = service
        self.most = most
        self.count = count
        self.code = code
        self.refused = 0

    async def __call__(self, params: Any) -> Any:
        if self.count(params) > self.most:
            self.refused += 1
            raise ServiceError(self.code)
        return await self.service(params)


def refuse(monkeypatch: pytest.MonkeyPatch, service: str, most: int, count: Any, code: int) -> Refusing:
    original = getattr(InternalSession, service)
    holder: list[Refusing] = []

    async def call(self: Any, params: Any) -> Any:
        refusing = holder[0]
        refusing.service = lambda p: original(self, p)
        return await refusing(params)

    holder.append(Refusing(None, most, count, code))
    monkeypatch.setattr(InternalSession, service, call)
    return holder[0]


@pytest.mark.parametrize(
    "code", ["BadTooManyOperations", "BadRequestTooLarge", "BadResponseTooLarge", "BadEncodingLimitsExceeded"]
)
async def test_items_in_smaller_calls_remembered(
    many: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    server = refuse(
        monkeypatch, "create_monitored_items", 4, lambda p: len(p.ItemsToCreate), getattr(ua.StatusCodes, code)
    )
    first = consumer_of(many, tmp_path)
    await first.until(lambda: len({row[0] for row in first.rows}) == len(NAMES))
    assert first.stats.refused == {}
    assert server.refused == 3, "30, 15 and 7 were too many, 3 were not"
    assert learnt(tmp_path) == {"items": 3}
    again = consumer_of(many, tmp_path)
    await again.until(lambda: len({row[0] for row in again.rows}) == len(NAMES))
    assert server.refused == 3, "the next start knows"


async def test_reads_in_smaller_calls_remembered(many: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = ua.StatusCodes.BadTooManyOperations
    server = refuse(monkeypatch, "read", 8, lambda p: len(p.NodesToRead), count)
    refused = []
    for _ in range(2):
        consumer = consumer_of(many, tmp_path, mode="read", period_s=0.05)
        await consumer.until(lambda c=consumer: len({row[0] for row in c.rows}) == len(NAMES))  # type: ignore[misc]
        assert len(consumer.rows) == len(NAMES), "nothing was told twice"
        refused.append(server.refused)
    assert refused[0] >= 2, "30 and 15 were too many, 7 were not"
    assert refused[1] == refused[0], "the next start knows"
    assert learnt(tmp_path) == {"reads": 7}


async def test_a_connection_that_ends_under_a_call_is_opened_again_with_half(
    many: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = InternalSession.create_monitored_items

    async def create(self: Any, params: Any) -> Any:
        if len(params.ItemsToCreate) > 10:
            for transport in tuple(many.server.iserver.asyncio_transports):
                transport.abort()
        return await original(self, params)

    monkeypatch.setattr(InternalSession, "create_monitored_items", create)
    consumer = consumer_of(many, tmp_path)
    for most in (15, 7):
        with pytest.raises(LinkClosed):
            await consumer.until(lambda: True)
        assert learnt(tmp_path) == {"items": most}
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(NAMES))


async def test_several_subscriptions_where_one_takes_too_few(
    many: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SubscriptionService.create_monitored_items

    async def create(self: Any, params: Any) -> Any:
        room = 12 - len(self.subscriptions[params.SubscriptionId].monitored_item_srv._monitored_items)
        beyond = max(0, len(params.ItemsToCreate) - room)
        params.ItemsToCreate = params.ItemsToCreate[: max(0, room)]
        results = await original(self, params)
        full = ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems))
        return [*results, *[full] * beyond]

    monkeypatch.setattr(SubscriptionService, "create_monitored_items", create)
    consumer = consumer_of(many, tmp_path)
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(NAMES))
    assert learnt(tmp_path) == {"items_per_subscription": 12}
    assert len(many.subscriptions) == 3, "the first, too large one is gone"
    for value in range(1, 4):  # a restart in between: all three are taken over
        for name in NAMES:
            await many.write(name, value)
        await consumer.until(lambda v=value: all(consumer.values(i)[-1] == v for i in range(len(NAMES))))  # type: ignore[misc]
    assert len(consumer.noted("subscription_taken_over")) == 9
    assert all(consumer.values(index) == [0, 1, 2, 3] for index in range(len(NAMES)))
    assert consumer.gaps == []
    assert len(many.subscriptions) == 3


async def test_a_server_without_room_refuses_single_tags(many: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    original = SubscriptionService.create_monitored_items

    async def create(self: Any, params: Any) -> Any:
        held = sum(len(one.monitored_item_srv._monitored_items) for one in self.subscriptions.values())
        beyond = max(0, len(params.ItemsToCreate) - (20 - held))
        params.ItemsToCreate = params.ItemsToCreate[: 20 - held]
        results = await original(self, params)
        full = ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems))
        return [*results, *[full] * beyond]

    monkeypatch.setattr(SubscriptionService, "create_monitored_items", create)
    consumer = consumer_of(many)
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(NAMES))
    assert sorted(consumer.stats.refused.values()) == [ua.StatusCodes.BadTooManyMonitoredItems] * 10
    assert sum(row[3] == 0 for row in consumer.rows) == 20


@pytest.fixture
def small(tmp_path: Path) -> Any:
    capabilities = '{"operationLimits": {"maxMonitoredItemsPerCall": 9, "maxNodesPerRead": 5}}'
    with run_foreign(tmp_path, COUNTERS="40", CAPABILITIES=capabilities) as server:
        yield server


async def test_operation_limits_are_kept_from_the_start(small: Foreign, tmp_path: Path) -> None:
    subscribed = [tag(f"s{i}", f"ns=2;s=Counter{i}") for i in range(20)]
    read = [tag(f"r{i}", f"ns=2;s=Counter{i}", mode="read", period_s=0.1) for i in range(20, 40)]
    consumer = Consumer(connection(small.endpoint, *subscribed, *read), state_dir=tmp_path)
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == 40)
    assert all(row[3] == 0 for row in consumer.rows)
    assert consumer.noted("server_limit_learnt") == [], "nothing was refused"


async def test_a_broken_file_is_found_out_again(many: Plant, tmp_path: Path) -> None:
    (tmp_path / "servers.json").write_bytes(b"{")
    consumer = consumer_of(many, tmp_path)
    await consumer.until(lambda: len({row[0] for row in consumer.rows}) == len(NAMES))
