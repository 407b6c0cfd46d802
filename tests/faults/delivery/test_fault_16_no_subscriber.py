"""Nobody subscribes to what is published: it is kept, and the agent says so."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from agent.supervise import keep_open
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.fault(16)]


async def test_it_waits_for_its_bridge(tmp_path: Path, size: Any, figure: Any) -> None:
    records, store = size(50, 2_000), Store()
    with Mosquitto(tmp_path / "b") as broker:
        agent = Agent(tmp_path, broker)
        async with running(keep_open("broker", agent.uplink.run)):
            await until(lambda: agent.uplink.sessions)
            begun_s = time.monotonic()
            for _ in range(records):
                agent.append()
                agent.flow._try_append()
            await agent.flow.flush()
            await until(lambda: agent.outbox.deaf == "No matching subscribers", 5)
            told_s = time.monotonic() - begun_s
            published = agent.stats.published
            await until(lambda: agent.stats.published > published)
            assert agent.stats.published == published + 1  # one record asks, now and then
            kept = agent.journal.points_queued
            assert (agent.stats.stored, kept) == (0, records)
            begun_s = time.monotonic()
            async with running(bridging(broker, store)):
                await until(lambda: agent.outbox.idle, 60)
            drained_s = time.monotonic() - begun_s
            assert agent.outbox.deaf == ""
        agent.journal.close()
    figure("seconds until health is degraded", asked="≤ 5", measured=told_s)
    figure("points removed without a subscriber", asked="0", measured=records - kept)
    figure("points lost once there was one", asked="0", measured=records - len(set(store.lines)))
    figure("seconds from the bridge's start to everything stored", asked="-", measured=drained_s)
    assert len(set(store.lines)) == records
