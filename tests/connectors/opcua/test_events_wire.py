"""Alarms of node-opcua and events of asyncua: every transition arrives, with its time, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from asyncua import ua

from connectors.opcua.config import OpcUaConnection
from pipelines.errors import LinkClosed
from pipelines.point import AlarmEvent

from .alarm_server import ACKNOWLEDGE, CONFIRM, AlarmServer, alarm_server
from .conftest import Consumer, Plant, connection, proxy_to, tag

pytestmark = pytest.mark.wire
LEVEL = "2:Level.TankLevelCondition"
PUMP = "2:Running.PumpStopped"


@pytest.fixture(scope="module")
def alarms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlarmServer]:
    with alarm_server(tmp_path_factory.mktemp("certificates")) as server:
        yield server


def listening(endpoint: str, *events: dict[str, Any], **more: Any) -> OpcUaConnection:
    plain = tag("plain", "nsu=urn:foreign:alarms;s=Plain")
    return connection(endpoint, plain, events=events or ({},), **more)


def told(consumer: Consumer, alarm: str) -> list[AlarmEvent]:
    return [event for event in consumer.events if event.alarm == alarm]


def fields(events: list[AlarmEvent], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(event.fields.get(name) for name in names) for event in events]


def in_turn(consumer: Consumer, steps: list[Callable[[], None]]) -> Callable[[], bool]:
    """Do the next step when the event of the one before has come; done when the last has."""
    first = len(consumer.events)
    done = 0

    def next_step() -> bool:
        nonlocal done
        come = sum("branch" not in event.fields for event in consumer.events[first:])
        if consumer.rows and done < len(steps) and come >= done:
            steps[done]()
            done += 1
        return come >= len(steps)

    return next_step


async def test_every_transition_of_a_condition_arrives(alarms: AlarmServer) -> None:
    alarms.tell(set={"Level": 50, "Running": True})
    consumer = Consumer(listening(alarms.endpoint, {"types": ["AlarmConditionType"], "severity_min": 150}))
    steps = [{"Level": 85}, {"Level": 95}, {"Level": 50}, {"Running": False}, {"Running": True}]
    before_ns = datetime.now(UTC).timestamp() * 1e9 - 2e6
    await consumer.until(in_turn(consumer, [lambda step=step: alarms.tell(set=step) for step in steps]))  # type: ignore[misc]
    level = [event for event in told(consumer, LEVEL) if "branch" not in event.fields]
    assert fields(level, "active", "acknowledged", "retain") == [
        (True, False, True),
        (True, False, True),
        (False, True, True),
    ]
    branches = [event for event in told(consumer, LEVEL) if "branch" in event.fields]
    assert fields(branches, "active", "acknowledged") == [(None, False)], "the first one still waits"
    pump = [event for event in told(consumer, PUMP) if "branch" not in event.fields]
    assert fields(pump, "active") == [(True,), (False,)]
    assert all(isinstance(event.fields["message"], str) for event in consumer.events)
    assert {event.fields["event"] for event in consumer.events} == {"ExclusiveLimitAlarmType", "OffNormalAlarmType"}
    times = [event.time_ns for event in consumer.events]
    assert times == sorted(times)
    assert times[0] >= before_ns
    assert len({event.fields["event_id"] for event in consumer.events}) == len(consumer.events)


async def test_acknowledged_and_confirmed_by_an_operator(alarms: AlarmServer) -> None:
    alarms.tell(set={"Level": 50, "Running": True})
    consumer = Consumer(listening(alarms.endpoint, {"types": ["LimitAlarmType"], "name": "tank"}))
    await consumer.until(in_turn(consumer, [lambda: alarms.tell(set={"Level": 5})]))
    active = consumer.events[-1]
    assert active.alarm == "tank.TankLevelCondition"
    await alarms.method("TankLevelCondition", ACKNOWLEDGE, str(active.fields["event_id"]), "확인했음")
    await consumer.until(lambda: consumer.events[-1].fields["acknowledged"])
    acknowledged = consumer.events[-1]
    assert acknowledged.fields["active"] is True
    assert acknowledged.fields["comment"] == "확인했음"
    await alarms.method("TankLevelCondition", CONFIRM, str(acknowledged.fields["event_id"]), "done")
    await consumer.until(lambda: consumer.events[-1].fields["confirmed"])
    await consumer.until(in_turn(consumer, [lambda: alarms.tell(set={"Level": 50})]))
    assert fields(consumer.events[-1:], "active") == [(False,)]
    assert consumer.gaps == []


async def test_what_happened_while_the_link_was_away_arrives_once(alarms: AlarmServer) -> None:
    port = urlsplit(alarms.endpoint).port
    assert port
    alarms.tell(set={"Level": 50, "Running": True})
    async with proxy_to(port) as proxy:
        consumer = Consumer(listening(f"opc.tcp://127.0.0.1:{proxy.port}/plant", {"types": ["OffNormalAlarmType"]}))
        await consumer.until(in_turn(consumer, [lambda: alarms.tell(set={"Running": False})]))
        async with asyncio.timeout(20), consumer.link() as link:
            try:
                alarms.tell(set={"Running": True})
                async for delivery in link.deliveries():
                    if delivery.events:  # given to the consumer, never committed
                        proxy.cut()
            except LinkClosed as error:
                consumer.error = error
        assert consumer.error is not None
        for running in (False, True, False):
            alarms.tell(set={"Running": running})
        await consumer.until(lambda: sum(e.fields.get("active") is True for e in consumer.events) == 3)
        await consumer.until(in_turn(consumer, [lambda: alarms.tell(set={"Running": True})]))
    changes = [event for event in consumer.events if "branch" not in event.fields]
    assert [event.fields["active"] for event in changes] == [True, False, True, False, True, False]
    assert len({event.fields["event_id"] for event in consumer.events}) == len(consumer.events)
    assert consumer.gaps == []


async def generator(plant: Plant, kind: Any = None) -> Any:
    return await plant.server.get_event_generator(kind or ua.ObjectIds.BaseEventType)


def plain(plant: Plant, *events: dict[str, Any]) -> Consumer:
    return Consumer(connection(plant.endpoint, tag("a", "nsu=urn:test:plant;s=a"), events=events or ({},)))


async def test_severity_and_type_are_chosen(plant: Plant) -> None:
    index = await plant.server.get_namespace_index("urn:test:plant")
    own = await plant.server.create_custom_event_type(index, "PressFault", ua.ObjectIds.DeviceFailureEventType)
    fault, base = await generator(plant, own), await generator(plant)
    consumer = plain(
        plant, {"types": ["DeviceFailureEventType"], "severity_min": 500}, {"severity_min": 900, "name": "all"}
    )
    sent = False

    async def send() -> None:
        for severity in (100, 600, 1000):
            for source in (fault, base):
                source.event.Severity = severity
                source.event.SourceName = "Press1"
                await source.trigger(message=f"압력 {severity}")

    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            if not sent:
                sent = True
                await send()
            if len(consumer.events) == 4:
                break
    assert [(e.source, e.alarm, e.fields["severity"], e.fields["message"]) for e in consumer.events] == [
        (0, "Press1.PressFault", 600, "압력 600"),
        (0, "Press1.PressFault", 1000, "압력 1000"),
        (1, "all.PressFault", 1000, "압력 1000"),
        (1, "all.BaseEventType", 1000, "압력 1000"),
    ]


async def test_times_are_those_of_the_server(plant: Plant) -> None:
    source = await generator(plant)
    moment = datetime(2026, 3, 4, 5, 6, 7, 123457, tzinfo=UTC)
    consumer = plain(plant)
    sent = False
    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            if not sent:
                sent = True
                for second in range(3):
                    await source.trigger(time_attr=moment + timedelta(seconds=second), message="x")
            if len(consumer.events) == 3:
                break
    first_ns = 1772600767123457000
    assert [event.time_ns for event in consumer.events] == [first_ns + second * 10**9 for second in range(3)]


async def test_events_the_server_threw_away_are_a_gap(plant: Plant) -> None:
    overflow = await generator(plant, ua.ObjectIds.EventQueueOverflowEventType)
    source = await generator(plant)
    consumer = plain(plant)
    sent = False
    async with asyncio.timeout(20), consumer.link() as link:
        async for delivery in link.deliveries():
            consumer.commit(delivery)
            if not sent:
                sent = True
                await overflow.trigger(message="overflow")
                await source.trigger(message="kept")
            if consumer.events:
                break
    assert [(gap.tag, gap.cause) for gap in consumer.gaps] == [(-1, "queue_overflow")]
    assert fields(consumer.events, "message") == [("kept",)]


async def test_lost_messages_are_a_gap_of_the_notifier_too(plant: Plant) -> None:
    consumer = plain(plant)
    await consumer.until(lambda: consumer.rows)
    (subscription,) = plant.subscriptions.values()
    subscription._notification_seq += 3
    await plant.write("a", 1)
    await consumer.until(lambda: consumer.values(0)[-1] == 1)
    assert sorted((gap.tag, gap.cause) for gap in consumer.gaps) == [(-1, "sequence_lost"), (0, "sequence_lost")]


async def test_a_notifier_that_is_none_is_a_notice_and_the_rest_goes_on(plant: Plant) -> None:
    consumer = plain(plant, {"node": "nsu=urn:test:plant;s=b"}, {"node": "i=99999"})
    await consumer.until(lambda: consumer.rows)
    assert set(consumer.stats.notices) == {"events_0", "events_1"}
    assert consumer.stats.notices["events_1"].startswith("the server refuses events of i=99999 (")
    assert consumer.values(0) == [0]
