"""Somebody else connects with this agent's client id, again and again: it is told, and not fought over."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.supervise import keep_open
from pipelines.delivery.mqtt import MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import LinkError
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(30)]
MOST_A_MINUTE = 4


def connects(log: Path) -> list[float]:
    """Seconds at which the agent connected, by the broker's log."""
    found = re.findall(r"^(\d+): New client connected from \S+ as sf-A .* k30", log.read_text(), re.MULTILINE)
    return [float(at) for at in found]


async def other_client(broker: Mosquitto) -> None:
    """Takes the client id back 0.3 s after it lost it, for ever; it publishes no birth."""
    settings = MqttSettings(host=broker.host, port=broker.port, keepalive_s=60)
    while True:
        with suppress(LinkError):
            async with MqttSession(settings, "sf-A", lambda _: None) as session:
                await session.ended()
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("load", ["idle", "under load"])
async def test_a_foreign_client_with_the_same_id(tmp_path: Path, load: str, size: Any, figure: Any) -> None:
    """mosquitto 2.0.11 only hangs up."""
    watched_s = size(0, 180)
    store = Store()
    with Mosquitto(tmp_path / "b") as broker, capture_logs() as lines:
        agent = Agent(tmp_path, broker)
        opening = keep_open("broker", agent.uplink.run)

        async def produce() -> None:
            while True:
                await agent.put()
                await asyncio.sleep(0.02)

        parts = [produce()] if load == "under load" else []
        async with running(bridging(broker, store), opening, *parts):
            await until(lambda: agent.uplink.sessions)
            begun_s = time.time()
            async with running(other_client(broker)):
                await until(lambda: "another client uses the client id sf-A" in agent.uplink.error, 30)
                told_s = time.time() - begun_s
                await asyncio.sleep(max(0, watched_s - told_s))  # what is watched is that hardly anything happens
            seen = connects(broker.log)
        accepted, stored = agent.stats.accepted, len(set(store.lines))
        waiting = agent.journal.points_queued
        agent.journal.close()
    most = max(sum(start <= one < start + 60 for one in seen) for start in seen)
    told = [line for line in lines if "another client uses the client id sf-A" in str(line.get("reason"))]
    figure(f"connects in the worst minute, {load}", asked=f"≤ {MOST_A_MINUTE}", measured=most)
    figure(f"seconds until the alarm names the client id, {load}", asked="-", measured=told_s)
    figure(f"points neither stored nor waiting, {load}", asked="0", measured=max(0, accepted - stored - waiting))
    assert most <= MOST_A_MINUTE
    assert told
    assert accepted <= stored + waiting
