"""A broker that is there and says nothing: a black hole, a process that stands still, a pulled cable. It is noticed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.soak.namespace import Namespace, switch, unavailable
from agent.soak.proxy import Proxy
from agent.supervise import keep_open
from pipelines.delivery.mqtt_settings import MqttSettings
from tests.pipelines.delivery.test_uplink import Agent, Store, bridging, running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(32)]


@dataclass
class Line:
    """A way to the broker that can fall silent."""

    host: str
    port: int
    silence: Callable[[], None]
    heal: Callable[[], None]


@asynccontextmanager
async def black_hole(broker: Mosquitto) -> AsyncIterator[Line]:
    async with Proxy(broker.port) as proxy:

        def swallow(on: bool) -> Callable[[], None]:
            return lambda: setattr(proxy, "black_hole", on)

        yield Line(proxy.host, proxy.port, swallow(on=True), swallow(on=False))


@asynccontextmanager
async def stands_still(broker: Mosquitto) -> AsyncIterator[Line]:
    process = broker.process
    assert process is not None
    yield Line(
        broker.host,
        broker.port,
        lambda: process.send_signal(signal.SIGSTOP),
        lambda: process.send_signal(signal.SIGCONT),
    )


@asynccontextmanager
async def pulled_cable(broker: Mosquitto) -> AsyncIterator[Line]:
    assert unavailable() == "", unavailable()
    with Namespace(["broker"]) as beyond:
        async with Proxy(broker.port, listener=beyond.listener("broker")) as proxy:
            near = beyond.interfaces["broker"]
            yield Line(proxy.host, proxy.port, lambda: switch(near, up=False), lambda: switch(near, up=True))


WAYS = (black_hole, stands_still, pulled_cable)
LOADS = ("under load", "idle")


async def test_silence_ends_the_session(tmp_path: Path, size: Any, figure: Any) -> None:
    runs = [(way, load) for load in LOADS for way in WAYS][: size(1, 6)]
    for number, (way, load) in enumerate(runs):
        await one_silence(tmp_path / str(number), way, load, size(1, 5), figure)


async def one_silence(folder: Path, way: Any, load: str, keepalive_s: float, figure: Any) -> None:
    store = Store()
    with Mosquitto(folder / "b") as broker:
        async with way(broker) as line:
            agent = Agent(folder, broker)
            given = agent.uplink._settings.model_dump() | {"host": line.host, "port": line.port}
            agent.uplink._settings = MqttSettings.model_construct(
                **given | {"keepalive_s": keepalive_s, "timeout_s": 1.0}
            )

            async def produce() -> None:
                while True:
                    await agent.put()
                    await asyncio.sleep(0.01)

            parts = [produce()] if load == "under load" else []
            async with running(bridging(broker, store), keep_open("broker", agent.uplink.run)):
                await until(lambda: agent.uplink.sessions and store.sessions)
                async with running(*parts):
                    begun_s = time.monotonic()
                    line.silence()
                    try:
                        await until(lambda: "no byte for" in agent.uplink.error, 4 * keepalive_s + 5)
                        noticed_s = time.monotonic() - begun_s
                    finally:
                        line.heal()
                    await until(lambda: not agent.uplink.error, 60)
                    back_s = time.monotonic() - begun_s
                await agent.flow.flush()
                await until(lambda: agent.outbox.idle, 60)
            assert agent.stats.stored == agent.stats.accepted == len(set(store.lines))
            agent.journal.close()
    name = f"{way.__name__.replace('_', ' ')}, {load}"
    figure(
        f"keepalives until silence was noticed, {name}", asked="≤ 2 (and a second)", measured=noticed_s / keepalive_s
    )
    figure(f"seconds until the session was back, {name}", asked="-", measured=back_s)
    assert noticed_s <= 2 * keepalive_s + 1.5
