"""Fifty agents lose their broker in the same moment: they come back one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.supervise import FLEET_SPREAD_S, keep_open, spread_of
from pipelines.delivery.mqtt import MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from tests.pipelines.delivery.test_uplink import running
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(31)]


def worst_second(times_s: list[float]) -> int:
    """Most of these moments within one second."""
    return max(sum(start <= one < start + 1 for one in times_s) for start in times_s)


async def test_a_fleet_comes_back(tmp_path: Path, size: Any, figure: Any) -> None:
    for away_s in (0.0, 3.0, 20.0)[: size(1, 3)]:
        share, all_s = await bounce(tmp_path / f"{away_s}", away_s, size(5, 50), size(1, int(FLEET_SPREAD_S)))
        away = f"broker away for {away_s:g} s"
        figure(f"% of 50 agents in the worst second, {away}", asked="≤ 20", measured=share)
        figure(f"seconds until all 50 agents were back, {away}", asked="≤ 60", measured=all_s)
        assert all_s <= 60
        assert share <= size(100, 20)


async def bounce(folder: Path, away_s: float, agents: int, spread_s: float) -> tuple[float, float]:
    """(percent of the agents that connect in the worst second, seconds until the last one is back)."""
    up: dict[int, float] = {}
    tried: list[float] = []

    with Mosquitto(folder) as broker:
        settings = MqttSettings(host=broker.host, port=broker.port)

        async def agent(number: int) -> None:
            async def session(opened: Callable[[], None]) -> None:
                tried.append(time.monotonic())
                async with MqttSession(settings, f"sf-fleet-{number}", lambda _: None) as one:
                    await one.subscribe([f"sf/C/S/{number}/stored"])
                    opened()
                    up[number] = time.monotonic()
                    raise await one.ended()

            await keep_open(f"agent {number}", session, spread_s=spread_s)

        async with running(*(agent(number) for number in range(agents))):
            await until(lambda: len(up) == agents, 60)
            up.clear()
            tried.clear()
            broker.kill()
            await asyncio.sleep(away_s)  # the broker is away for so long
            await asyncio.to_thread(broker.start)
            back_s = time.monotonic()
            await until(lambda: len(up) == agents, 90)
    attempts = [one for one in tried if one >= back_s]
    return 100 * worst_second(attempts) / agents, max(up.values()) - back_s


def test_who_comes_back_one_after_the_other() -> None:
    assert [spread_of(one) for one in ("127.0.0.1", "::1", "localhost")] == [0, 0, 0]
    assert [spread_of(one) for one in ("10.0.0.5", "broker.example", "fd00::1")] == [FLEET_SPREAD_S] * 3
