"""A subscription publishes no more while its session lives: found within three keep-alives, made anew, named."""

from __future__ import annotations

import time
from itertools import cycle, permutations
from typing import Any

import pytest

from tests.connectors.opcua.conftest import Consumer, Plant, connection, tag

from .opcua_parts import FALSE, OTHERS, mute, plant, restart, supervised, write_all

__all__ = ["plant"]
pytestmark = [pytest.mark.wire, pytest.mark.fault(8)]

NAMES = tuple(f"v{i}" for i in range(20))
KEEPALIVE_S = 0.5


async def test_restarts_and_silence_heal_by_themselves(plant: Plant, size: Any, figure: Any) -> None:
    """Restarts with namespaces reordered, and after each of them a server that is mute and keeps its session."""
    times = size(2, 10)
    orders = cycle(permutations(OTHERS))
    await restart(plant, NAMES, next(orders))
    tags = [tag(name, f"nsu=urn:test:plant;s={name}") for name in NAMES]
    consumer = Consumer(connection(plant.endpoint, *tags, keepalive_s=KEEPALIVE_S))
    back_s, found_s = [], []
    value = 0

    def back() -> bool:
        newest = {row[0]: row[2] for row in consumer.rows if row[3] == 0}
        return all(newest.get(index) == value for index in range(len(tags)))

    async with supervised(consumer) as running:
        await running.until(back)
        for number in range(1, times + 1):
            await plant.stop()
            await restart(plant, NAMES, next(orders))
            value += 1
            await write_all(plant, NAMES, value)
            back_s.append(await running.until(back))

            known, downs = len(consumer.gaps), len(running.downs)
            mute(plant)
            silent_s, silent_ns = time.monotonic(), time.time_ns()
            value += 1
            await write_all(plant, NAMES, value)
            back_s.append(await running.until(back))
            found_s.append(time.monotonic() - silent_s)
            assert len(consumer.noted("subscription_silent")) == number
            assert len(running.downs) == downs, "the session lived: nothing went down"
            gaps = {gap.tag: gap for gap in consumer.gaps[known:]}
            assert {gap.cause for gap in gaps.values()} == {"subscription_silent"}
            assert set(gaps) == set(range(len(tags)))
            assert all(gap.start_ns <= silent_ns and (gap.end_ns or 0) >= silent_ns for gap in gaps.values())
            assert len(plant.subscriptions) == 1, "the silent one is deleted"
        assert running.gap_points("subscription_silent") == times * len(tags)
        assert running.gap_points("no_communication") >= times * len(tags)
    assert FALSE not in {row[2] for row in consumer.rows}
    assert max(found_s) <= 3 * KEEPALIVE_S + 1.0, "made anew and delivered within a second of being found"
    figure(
        "silence, from the last word to every tag's reading",
        asked="3 keep-alives (1.5 s) and 1 s",
        measured=max(found_s),
    )
    figure("all tags back, worst of restarts and silences", asked="<= 15 s", measured=max(back_s))
    figure("restarts, silences, restarts by hand", asked="10, 10, 0", measured=f"{times}, {times}, 0")
