"""The broker does not take what is published: denied by its ACL, over a quota, too large. Nothing is let go."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.supervise import keep_open
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.fault(15)]
DENIED = "topic read #\ntopic write sf/C/S/A/birth\ntopic write sf/C/S/A/stored\n"
OPEN = "topic readwrite #\n"
ALARM_S = 5.0


def trouble(agent: Agent) -> str:
    """What `agent status` shows of the broker, and what makes it unhealthy."""
    return agent.uplink.error or agent.outbox.deaf


async def test_denied_by_the_acl(tmp_path: Path, size: Any, figure: Any) -> None:
    records, store = size(50, 2_000), Store()
    with Mosquitto(tmp_path / "b", acl=DENIED) as broker:
        agent = Agent(tmp_path, broker)
        async with running(bridging(broker, store), keep_open("broker", agent.uplink.run)):
            await until(lambda: agent.uplink.sessions and store.sessions)
            begun_s = time.monotonic()
            await agent.put()
            await until(lambda: trouble(agent) == "Not authorized", ALARM_S)
            alarm_s = time.monotonic() - begun_s
            for _ in range(records - 1):
                agent.append()
                agent.flow._try_append()
            await agent.flow.flush()
            published = agent.stats.published
            await until(lambda: agent.stats.published > published + 1)  # it asks again, with one record
            kept = agent.journal.points_queued
            assert (agent.stats.stored, kept, store.lines) == (0, records, [])
            (broker.folder / "acl").write_text(OPEN)
            assert broker.process is not None
            broker.process.send_signal(signal.SIGHUP)  # mosquitto reads its ACL again
            await until(lambda: agent.outbox.idle, 60)
            assert trouble(agent) == ""
        agent.journal.close()
    figure("seconds until the alarm", asked="≤ 5", measured=alarm_s)
    figure("points removed while denied", asked="0", measured=records - kept)
    figure("points lost once the ACL was right", asked="0", measured=records - len(set(store.lines)))
    assert len(set(store.lines)) == agent.stats.stored == records


async def test_over_a_quota(tmp_path: Path, figure: Any) -> None:
    """No mosquitto says 0x97 to a publish, so this end speaks just enough MQTT 5 to say it."""
    async with quota() as port:
        agent = Agent(tmp_path, Mosquitto(tmp_path / "unused"), port=port)
        async with running(keep_open("broker", agent.uplink.run)):
            await until(lambda: agent.uplink.sessions)
            begun_s = time.monotonic()
            for _ in range(20):
                await agent.put()
            await until(lambda: trouble(agent) == "Quota exceeded", ALARM_S)
            alarm_s = time.monotonic() - begun_s
            assert agent.journal.points_queued == 20
        agent.journal.close()
    figure("seconds until the alarm, quota (0x97)", asked="≤ 5", measured=alarm_s)
    figure("points removed, quota (0x97)", asked="0", measured=20 - agent.journal.points_queued)


@asynccontextmanager
async def quota() -> AsyncIterator[int]:
    """Takes every connection and subscription, and answers each publish with 0x97."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while kind := await reader.readexactly(1):
                length = await remaining(reader)
                body = await reader.readexactly(length)
                if kind[0] >> 4 == 1:
                    writer.write(bytes.fromhex("2003000000"))
                elif kind[0] >> 4 == 8:
                    topics = body.count(b"sf/")
                    writer.write(bytes([0x90, 3 + topics]) + body[:2] + bytes([0]) + bytes([1] * topics))
                elif kind[0] >> 4 == 3:
                    name = int.from_bytes(body[:2], "big")
                    writer.write(bytes([0x40, 3]) + body[2 + name : 4 + name] + bytes([0x97]))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def remaining(reader: asyncio.StreamReader) -> int:
    """A Variable Byte Integer (MQTT 5 §1.5.5)."""
    value = shift = 0
    while True:
        (one,) = await reader.readexactly(1)
        value |= (one & 0x7F) << shift
        shift += 7
        if one < 0x80:
            return value


@pytest.mark.parametrize("limit", ["message_size_limit 20000", "max_packet_size 20000"])
async def test_too_large_for_the_broker(tmp_path: Path, limit: str, size: Any, figure: Any) -> None:
    """Its lines wait in quarantine, and it stops no other; one of the two is told by hanging up only."""
    store = Store()
    large = b"".join(b"m,company=C,site=S g=%d %d\n" % (number, number) for number in range(2_000))
    with Mosquitto(tmp_path / "b", lines=[limit]) as broker:
        agent = Agent(tmp_path, broker)
        async with running(bridging(broker, store), keep_open("broker", agent.uplink.run, cap_s=size(1, 120) / 4)):
            await until(lambda: agent.uplink.sessions and store.sessions)
            begun_s = time.monotonic()
            await agent.put(large)
            for _ in range(20):
                await agent.put()
            await until(lambda: agent.stats.quarantined, 60)
            told_s = time.monotonic() - begun_s
            await until(lambda: agent.outbox.idle, 60)
        assert agent.imbalances == {0}
        agent.journal.close()
    kept = sum(entry.points for entry in agent.quarantine.entries())
    figure(f"seconds until quarantine and alarm, {limit.split(maxsplit=1)[0]}", asked="-", measured=told_s)
    figure(
        f"points neither stored nor in quarantine, {limit.split(maxsplit=1)[0]}",
        asked="0",
        measured=2_020 - kept - agent.stats.stored,
    )
    assert (agent.stats.stored, agent.stats.quarantined, kept) == (20, 2_000, 2_000)
