"""What the broker kept for an agent that was away is heard before anything is sent again, by whom it is for only."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.delivery import uplink
from pipelines.delivery.backlog import Backlog
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import LinkError
from pipelines.journal.stored import Stored
from pipelines.quarantine import kept
from pipelines.topics import RecordId
from tests.pipelines.delivery.test_uplink import Agent, Store, agent_of, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = pytest.mark.wire
UNREADABLE = (
    "topic write sf/C/S/+/#\ntopic read sf/C/S/+/stored\ntopic read sf/C/S/+/rejected\ntopic read sf/+/+/+/data\n"
)
"""An ACL under which an agent does not hear its own birth."""


@asynccontextmanager
async def listening(broker: Mosquitto, agent: Agent) -> AsyncIterator[list[Message]]:
    """What is told to an agent."""
    heard = list[Message]()
    async with MqttSession(MqttSettings(port=broker.port), "listener", heard.append) as session:
        await session.subscribe([agent.topics.stored, agent.topics.rejected])
        yield heard


async def left(folder: Path, broker: Mosquitto, store: Store, *bodies: bytes | None) -> Agent:
    """An agent that ended while the store was busy with all the broker had taken; now the store has answered."""
    store.open.clear()
    async with agent_of(folder, broker) as agent:
        for body in bodies:
            await agent.put(body)
        flights = agent.outbox._flights.values()
        await until(lambda: len(bodies) == sum(flight.heard_s > 0 for flight in flights))
    async with listening(broker, agent) as heard:
        store.open.set()
        await until(lambda: sum(len(message.payload.split(b"\n")) for message in heard) >= len(bodies))
    return agent


async def test_what_was_confirmed_meanwhile_is_not_sent_again(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)):
        await until(lambda: store.sessions)
        await left(tmp_path, broker, store, *[None] * 300)  # more than are handed out at once
        async with agent_of(tmp_path, broker) as agent:
            await until(lambda: agent.outbox.idle)
            assert (agent.stats.published, agent.stats.stored, agent.journal.points_queued) == (0, 300, 0)
            await agent.put()
            await until(lambda: agent.outbox.idle)
            assert (agent.stats.published, agent.stats.stored) == (1, 301)


async def test_what_was_refused_meanwhile_is_kept_and_not_sent_again(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)):
        await until(lambda: store.sessions)
        await left(tmp_path, broker, store, b'm,company=C,site=S b="bad" 2\n', None)
        async with agent_of(tmp_path, broker) as agent:
            await until(lambda: agent.outbox.idle)
            assert (agent.stats.published, agent.stats.stored, agent.stats.quarantined) == (0, 1, 1)
    ((_, lines),) = kept(tmp_path)
    assert [one["field"] for one in lines] == ["b"]


async def test_a_broker_that_kept_nothing_gets_all_of_it_again(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)):
        await until(lambda: store.sessions)
        await left(tmp_path, broker, store, None, None)
        broker.kill()
        broker.start()
        await until(lambda: store.sessions == 2)
        async with agent_of(tmp_path, broker) as agent:
            await until(lambda: agent.outbox.idle)
            assert (agent.stats.published, agent.stats.stored) == (2, 2)
    assert store.lines[:2] == store.lines[2:]


async def test_what_is_live_does_not_wait_for_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not read births never hears where the past ends: it waits for the past as long as it may."""
    store, order = Store(), list[bool]()
    monkeypatch.setattr(uplink, "PAST_S", 0.2)
    with Mosquitto(tmp_path / "b", acl=UNREADABLE) as broker:
        async with running(bridging(broker, store)):
            await until(lambda: store.sessions)
            store.open.clear()
            async with agent_of(tmp_path, broker) as agent:
                await agent.put()
                await until(lambda: any(flight.heard_s for flight in agent.outbox._flights.values()))

            def look(message: Message) -> None:
                order.append("historical" in message.properties)

            async with MqttSession(MqttSettings(port=broker.port), "looker", look) as session:
                await session.subscribe([agent.topics.data])
                async with agent_of(tmp_path, broker) as agent:
                    assert agent.outbox.waits
                    await agent.put()
                    await until(lambda: len(order) == 2)
                    assert not agent.outbox.waits
                    store.open.set()
                    await until(lambda: agent.outbox.idle)
    assert order == [False, True]


@pytest.mark.parametrize("count", [1, 150])
async def test_what_is_for_a_predecessor_is_told_once(tmp_path: Path, broker: Mosquitto, count: int) -> None:
    """A PC that was replaced: the same name, another state folder; more was kept than is handed out at once."""
    store = Store()
    async with running(bridging(broker, store)):
        await until(lambda: store.sessions)
        await left(tmp_path / "old", broker, store, *[None] * count)
        for foreign in (count, 0):
            async with agent_of(tmp_path / "new", broker) as agent:
                await until(lambda: agent.uplink._told)
                await agent.put()
                await until(lambda: agent.outbox.idle)
                assert agent.uplink.answers.foreign == foreign
                assert agent.uplink.error == ""


@pytest.mark.parametrize("count", [5, 150])
async def test_what_a_copy_takes_is_sent_again_by_the_original(tmp_path: Path, broker: Mosquitto, count: int) -> None:
    store = Store()
    first, second = tmp_path / "first", tmp_path / "second"
    async with running(bridging(broker, store)):
        await until(lambda: store.sessions)
        async with agent_of(first, broker):
            pass
        shutil.copytree(first, second)
        original = await left(first, broker, store, *[None] * count)
        copy = Agent(second, broker)
        for _ in range(2):  # takes the session and the alarm, then looks and protests under an id of its own
            with pytest.raises(LinkError, match="another agent runs under the same identity"):
                await copy.uplink.run(copy.opened)
        assert original.journal.epoch[:8] in copy.uplink.error
        assert copy.uplink.answers.foreign
        copy.journal.close()
        async with agent_of(first, broker) as again:
            await until(lambda: again.outbox.idle)
            assert (again.stats.published, again.stats.stored, again.uplink.error) == (count, count, "")


async def test_a_segment_that_cannot_be_read_ends_the_session_and_not_the_answers(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More answers than a broker hands out unacknowledged: they come again with the next session."""
    store, find, failed = Store(), Backlog.find, list[RecordId]()

    def failing(self: Backlog, record: RecordId) -> Stored | None:
        if len(failed) < 3:
            failed.append(record)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return find(self, record)

    monkeypatch.setattr(Backlog, "find", failing)
    async with running(bridging(broker, store)):
        await until(lambda: store.sessions)
        await left(tmp_path, broker, store, *[None] * 150)
        async with agent_of(tmp_path, broker) as agent:
            await until(lambda: agent.outbox.idle)
            assert (agent.stats.stored, agent.journal.points_queued) == (150, 0)
    assert len(failed) == 3


async def test_a_record_that_waits_elsewhere_is_not_claimed(tmp_path: Path) -> None:
    """Of this process only what is on its way; of an earlier one neither what is parked nor what is to be told lost."""
    nobody: Any = MqttSettings(port=1)
    agent = Agent(tmp_path, nobody)
    for _ in range(3):
        await agent.put()
    assert not agent.outbox.confirm(RecordId(agent.journal.epoch, 1), 0.0)
    agent.journal.close()
    again = Agent(tmp_path, nobody)
    one, two, three = (RecordId(agent.journal.epoch, counter) for counter in (1, 2, 3))
    assert not again.outbox.confirm(RecordId(agent.journal.epoch, 4), 0.0)
    assert again.outbox.claim(one)
    again.outbox.connected()
    sent = again.outbox.next(1.0)  # whoever claimed it may not have understood what was said of it
    assert sent
    assert sent.stored.id == one
    again.outbox.disconnected()
    again.outbox.park(one)
    assert not again.outbox.confirm(one, 0.0)
    assert again.outbox.confirm(two, 0.0)
    assert not again.outbox.confirm(two, 0.0)
    assert again.outbox.claim(three)
    again.outbox.give_up(three)
    assert not again.outbox.confirm(three, 0.0)
    assert (again.stats.stored, again.journal.points_queued) == (1, 2)
    again.journal.close()
