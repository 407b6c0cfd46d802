"""A link of 10 kB/s, and one that carries a byte at a time: memory stays flat, and nobody takes it for dead."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from agent.soak.proxy import Proxy
from agent.supervise import keep_open
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(35)]
KEEPALIVE_S = 5
"""The shortest there is: twice that is the longest silence of a session."""


def rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") >> 10)


def lines_of(first: int, count: int) -> bytes:
    return b"".join(b"m,company=C,site=S f=%d %d\n" % (one, one) for one in range(first, first + count))


@pytest.mark.parametrize(
    ("bytes_per_s", "slice_bytes"), [(10_000, 500), (0, 1)], ids=["10 kB a second", "a byte at a time"]
)
async def test_a_slow_link_is_not_dead(
    tmp_path: Path, bytes_per_s: int, slice_bytes: int, size: Any, figure: Any, request: Any
) -> None:
    """More is read than the link carries, in records of 0.5 kB, and behind them lies one of 150 kB."""
    slow_s, store = size(2, 150), Store()
    name = request.node.callspec.id
    with Mosquitto(tmp_path / "b") as broker:
        async with Proxy(broker.port) as proxy:
            agent = Agent(tmp_path, broker, port=proxy.port, keepalive_s=KEEPALIVE_S)
            await agent.put(lines_of(1, 5_000))  # an earlier outage left it
            number = 5_001
            async with running(bridging(broker, store), keep_open("broker", agent.uplink.run)):
                await until(lambda: agent.uplink.sessions and store.sessions)
                proxy.bytes_per_s, proxy.slice_bytes = bytes_per_s, slice_bytes
                begun_s, rss = time.monotonic(), list[int]()
                while time.monotonic() - begun_s < slow_s:
                    agent.append(lines_of(number, 20))
                    agent.flow._try_append()
                    number += 20
                    rss.append(rss_kib())
                    await agent.flow.flush()
                    await asyncio.sleep(0.015)
                sessions, stored = agent.uplink.sessions, agent.stats.stored
                proxy.bytes_per_s = proxy.slice_bytes = 0
                await until(lambda: agent.outbox.idle, 60)
            assert agent.imbalances == {0}
            agent.journal.close()
    growth_mib = (max(rss) - max(rss[: len(rss) // 10])) / 1024
    lost = number - 1 - len(set(store.lines))
    figure(f"sessions that were given up, {name}", asked="0", measured=sessions - 1)
    figure(f"growth of memory over {slow_s} s, MiB, {name}", asked="flat: ≤ 20", measured=growth_mib)
    figure(f"points stored meanwhile, of {number - 1}, {name}", asked="-", measured=stored)
    figure(f"points lost, {name}", asked="0", measured=lost)
    figure(f"lines written twice, {name}", asked="0", measured=len(store.lines) - len(set(store.lines)))
    assert sessions == 1
    assert lost == 0
    assert growth_mib <= 20
