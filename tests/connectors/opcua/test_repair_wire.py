"""Links that end in the middle of a repair: what is durable, what is lost, and in which order it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asyncua import ua

from connectors.opcua.resume import ResumeState
from pipelines.errors import LinkClosed
from pipelines.point import Delivery
from tests.pipelines.waiting import until

from .conftest import Consumer, Plant, connection, tag

pytestmark = pytest.mark.wire


@pytest.fixture
def consumer(plant: Plant) -> Consumer:
    return Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a")))


async def uncommitted(plant: Plant, consumer: Consumer, last: int) -> None:
    """One link that commits the first reading, 0, and takes those up to `last` in a message each without committing."""
    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            value = max((int(scan.value[-1]) for scan in delivery.scans), default=-1)
            if value == 0:
                consumer.commit(delivery)
            if value == last:
                return
            if value >= 0:
                await plant.write("a", value + 1)


def keeping(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Any:
    """asyncua's server forgets a message with its first Republish; this one keeps it until it is acknowledged."""
    (subscription,) = plant.subscriptions.values()
    held = subscription._not_acknowledged_results

    def republish(number: int) -> Any:
        return held[number].NotificationMessage if number in held else ua.NotificationMessage()

    monkeypatch.setattr(subscription, "republish", republish)
    return held


async def test_what_was_asked_for_again_is_acknowledged_only_when_it_is_durable(
    plant: Plant, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await uncommitted(plant, consumer, 3)
    held = keeping(plant, monkeypatch)
    numbers = set(sorted(held)[-3:])
    waiting: list[Delivery] = []
    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            waiting.append(delivery)
            values = [int(value) for one in waiting for scan in one.scans for value in scan.value]
            if values == [1, 2, 3]:
                await plant.write("a", 4)
            if len(waiting) > 6:  # acknowledgements went out by now, with every PublishRequest between
                break
        assert numbers <= set(held), "nothing of it was committed"
    await consumer.until(lambda: consumer.values(0)[-1:] == [4])
    assert consumer.values(0) == [0, 1, 2, 3, 4]
    assert consumer.gaps == []


async def test_a_gap_stands_before_the_readings_that_end_it(plant: Plant, consumer: Consumer) -> None:
    """The server dropped the oldest message and still has the later ones."""
    await uncommitted(plant, consumer, 3)
    (subscription,) = plant.subscriptions.values()
    held = subscription._not_acknowledged_results
    del held[sorted(held)[-3]]
    await plant.write("a", 4)
    order: list[Any] = []
    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            order += [gap.cause for gap in delivery.gaps]
            order += [int(value) for scan in delivery.scans for value in scan.value]
            consumer.commit(delivery)
            if order[-1:] == [4]:
                break
    assert order == ["sequence_lost", 2, 3, 4]
    (lost,) = consumer.noted("notifications_lost")
    assert lost["count"] == 1


async def test_a_gap_survives_the_end_of_the_link_that_found_it(
    plant: Plant, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends when the first of three messages is known to be gone and the others still have to come."""
    await uncommitted(plant, consumer, 4)
    (subscription,) = plant.subscriptions.values()
    held = subscription._not_acknowledged_results
    del held[sorted(held)[-4]]
    asked: list[int] = []
    republish = subscription.republish

    def broken(number: int) -> Any:
        asked.append(number)
        if len(asked) > 2:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadSubscriptionIdInvalid)
        return republish(number)

    monkeypatch.setattr(subscription, "republish", broken)
    await plant.write("a", 5)
    await consumer.until(lambda: False)
    assert isinstance(consumer.error, LinkClosed)
    monkeypatch.setattr(subscription, "republish", republish)
    await consumer.until(lambda: consumer.values(0)[-1:] == [5])
    assert [gap.cause for gap in consumer.gaps] == ["sequence_lost"]
    assert consumer.values(0) == [0, 2, 3, 4, 5]


async def test_a_server_without_republish_is_read_on_and_the_loss_is_a_gap(
    plant: Plant, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await uncommitted(plant, consumer, 2)
    (subscription,) = plant.subscriptions.values()

    def unsupported(_: int) -> Any:
        raise ua.UaStatusCodeError(ua.StatusCodes.BadServiceUnsupported)

    monkeypatch.setattr(subscription, "republish", unsupported)
    await plant.write("a", 3)
    await consumer.until(lambda: consumer.values(0)[-1:] == [3])
    assert consumer.error is None
    assert consumer.values(0) == [0, 3]
    assert [gap.cause for gap in consumer.gaps] == ["sequence_lost"]


async def test_a_refused_notifier_is_remembered_by_the_next_link(plant: Plant) -> None:
    settings = connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a"), events=({}, {"node": "i=99999"}))
    consumer = Consumer(settings)
    await consumer.until(lambda: consumer.rows)
    await plant.write("a", 1)
    await consumer.until(lambda: consumer.values(0)[-1:] == [1])
    assert len(consumer.noted("subscription_taken_over")) == 1
    state = ResumeState.from_bytes(consumer.resume)
    assert state is not None
    assert state.refused == (-2,)


async def test_a_server_that_refuses_every_publish_request_ends_the_link(
    plant: Plant, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = plant.server.iserver.subscription_service
    asked: list[None] = []

    def refuse(_: Any) -> Any:
        asked.append(None)
        raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyPublishRequests)

    monkeypatch.setattr(service, "publish", refuse)
    await consumer.until(lambda: False)
    assert consumer.error is not None
    assert "BadTooManyPublishRequests" in consumer.error.reason
    assert len(asked) < 30


@pytest.mark.parametrize("back_to", [1, 950], ids=["far back", "a little back"])
async def test_a_server_that_counts_anew_is_not_passed_over_for_ever(
    plant: Plant, consumer: Consumer, back_to: int
) -> None:
    async with asyncio.timeout(30):
        ended = asyncio.ensure_future(consumer.until(lambda: len(consumer.values(0)) > 200))
        await until(lambda: consumer.values(0))
        (subscription,) = plant.subscriptions.values()
        subscription._notification_seq = 1000
        value = 0
        while not ended.done():
            value += 1
            await plant.write("a", value)
            if value == 40:
                subscription._notification_seq = back_to
            await asyncio.sleep(0.11)
        await ended
    assert isinstance(consumer.error, LinkClosed)
    assert "counts its messages anew" in str(consumer.error)
    before = len(consumer.values(0))
    await consumer.until(lambda: len(consumer.values(0)) > before)
    assert consumer.gaps[-1].cause == "no_communication"
    assert consumer.values(0)[-1] == value
