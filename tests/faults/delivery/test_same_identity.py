"""Two agents from one disk image: both stop and say so; nothing is lost, nothing of one is released for the other."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from agent.supervise import keep_open
from pipelines.delivery.births import Births
from pipelines.delivery.mqtt import MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.delivery.uplink import Uplink
from pipelines.errors import LinkError
from pipelines.identity import agent_id
from pipelines.topics import RecordId
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow]


class Twin(Agent):
    """An agent with the identity of its state folder, whose points bear its own mark."""

    def __init__(self, folder: Path, broker: Mosquitto, mark: str) -> None:
        super().__init__(folder, broker)
        self.mark = mark
        self.truth: set[bytes] = set()
        name = agent_id(folder)
        self.topics = type(self.topics)("C", "S", name)
        births = Births(folder, self.journal.epoch, {one.epoch for one in self.journal.segments}, {"agent": name})
        settings = MqttSettings(host=broker.host, port=broker.port)
        self.uplink = Uplink(settings, self.topics, self.outbox, self.quarantine, "stored", births)

    async def take(self, count: int) -> None:
        """Points that are accepted."""
        for _ in range(count):
            line = b"%b,company=C,site=S f=%d %d" % (self.mark.encode(), self.count + 1, self.count + 1)
            await self.put(line + b"\n")
            self.truth.add(line)

    @property
    def waiting(self) -> set[bytes]:
        """Lines in its journal that are not released."""
        journal = self.journal
        found = [one for segment in journal.segments for one in journal.walk(segment, 0, segment.size)]
        return {line for one in found for line in one.payload().splitlines()}


def connecting(agent: Agent) -> Any:
    """Its uplink, with the slow retry of an alarm cut to what a test can wait for."""

    async def run() -> None:
        async def session(opened: Callable[[], None]) -> None:
            try:
                await agent.uplink.run(opened)
            except LinkError as error:
                raise LinkError(error.endpoint, error.reason) from error

        await keep_open("broker", session, cap_s=0.3)

    return run()


async def test_two_agents_from_one_disk_image(tmp_path: Path, figure: Any) -> None:
    store = Store()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    with Mosquitto(tmp_path / "b") as broker:
        async with running(bridging(broker, store)):
            await until(lambda: store.sessions)
            original = Twin(first, broker, "original")
            async with running(connecting(original)):
                await original.take(20)
                await until(lambda: original.outbox.idle)
                store.open.clear()
                await original.take(5)  # waits in the image
                shutil.copytree(first, second)
                store.open.set()
                await original.take(20)
                copy = Twin(second, broker, "copy")
                common = copy.waiting
                assert len(common) == 5
                async with running(connecting(copy)):
                    await copy.take(20)
                    await until(lambda: original.uplink._births.rival and copy.uplink._births.rival, 20)
                    await until(lambda: "another agent" in original.uplink.error, 20)
                    await until(lambda: "another agent" in copy.uplink.error, 20)
                    assert original.journal.epoch[:8] in copy.uplink.error
                    assert copy.journal.epoch[:8] in original.uplink.error
                    published = original.stats.published, copy.stats.published
                    await original.take(20)
                    await copy.take(20)
                    await asyncio.sleep(1)  # several looks of both
                    assert published == (original.stats.published, copy.stats.published)
            agents = original, copy
            lost = [len(one.truth - set(store.lines) - one.waiting) for one in agents]
            copy.journal.close()
            original.journal.close()
            (second / "identity.json").unlink()  # the remedy
            again = Twin(first, broker, "original"), Twin(second, broker, "copy")
            assert again[0].topics == original.topics
            assert again[1].topics != original.topics
            async with running(*(connecting(one) for one in again)):
                await until(lambda: all(one.outbox.idle for one in again), 30)
                for one in again:
                    assert one.uplink.error == ""
                    one.journal.close()
    missing = len((original.truth | copy.truth) - set(store.lines))
    figure("copied disk: points neither stored nor waiting while both are stopped", asked="0", measured=sum(lost))
    figure("copied disk: points missing after the remedy", asked="0", measured=missing)
    figure("copied disk: agents that raised the alarm and name the other", asked="2", measured=2)
    assert lost == [0, 0]
    assert missing == 0


async def test_a_confirmation_for_a_record_of_another_epoch(tmp_path: Path, figure: Any) -> None:
    """It releases nothing and is counted; the same counter of an own epoch is what it would have hit."""
    store = Store()
    with Mosquitto(tmp_path / "b") as broker:
        store.open.clear()
        agent = Agent(tmp_path, broker)
        async with running(bridging(broker, store), connecting(agent)):
            await until(lambda: agent.uplink.sessions and store.sessions)
            await agent.put()
            foreign = RecordId("f" * 32, 1)
            async with MqttSession(MqttSettings(port=broker.port), "x", lambda _: None) as session:
                session.publish(agent.topics.stored, str(foreign).encode())
                refusal = {"record": str(foreign), "reason": "not yours"}
                session.publish(agent.topics.rejected, orjson.dumps(refusal))
                await until(lambda: agent.uplink.answers.foreign == 2)
            kept = agent.journal.points_queued
            store.open.set()
            await until(lambda: agent.outbox.idle)
        assert agent.imbalances == {0}
        agent.journal.close()
    figure("points released by confirmations of another epoch", asked="0", measured=1 - kept)
    figure("confirmations of another epoch that were counted", asked="all 2", measured=agent.uplink.answers.foreign)
    assert kept == 1
    assert agent.stats.stored == 1
    assert not list(agent.quarantine.entries())
