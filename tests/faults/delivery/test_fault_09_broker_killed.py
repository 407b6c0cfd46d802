"""mosquitto is killed under load, again and again: what it had acknowledged and not delivered is sent again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.supervise import keep_open
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.fault(9)]
LINES = 20


async def test_everything_is_in_the_store(tmp_path: Path, size: Any, figure: Any) -> None:
    kills, store = size(2, 12), Store()
    with Mosquitto(tmp_path / "b") as broker:
        agent = Agent(tmp_path, broker)
        truth: set[bytes] = set()

        async def produce() -> None:
            number = 0
            while True:
                body = [b"m,company=C,site=S f=%d %d" % (one, one) for one in range(number, number + LINES)]
                number += LINES
                await agent.put(b"\n".join(body) + b"\n")
                truth.update(body)  # accepted
                await asyncio.sleep(0.01)

        parts = [bridging(broker, store), keep_open("broker", agent.uplink.run)]
        async with running(*parts):
            await until(lambda: agent.uplink.sessions and store.sessions)
            async with running(produce()):
                for _ in range(kills):
                    sessions, stored = agent.uplink.sessions, agent.stats.stored
                    await until(lambda: agent.stats.stored > stored + size(40, 400), 60)  # noqa: B023
                    broker.kill()
                    await asyncio.to_thread(broker.start)
                    await until(lambda: agent.uplink.sessions > sessions, 60)  # noqa: B023
            await agent.flow.flush()
            await until(lambda: agent.outbox.idle, 300)
        assert agent.imbalances == {0}
        agent.journal.close()
    lines = store.lines
    figure("kills of the broker under load", asked="several", measured=kills)
    figure("accepted points that are not in the store", asked="0", measured=len(truth - set(lines)))
    figure("stored lines that nobody produced", asked="0", measured=agent.stats.stored - agent.stats.accepted)
    figure("lines written twice, of all", asked="-", measured=f"{len(lines) - len(set(lines))} of {len(lines)}")
    assert truth <= set(lines)
    assert agent.stats.stored == agent.stats.accepted
