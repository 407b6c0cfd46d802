"""A bridge that stands still, stops, or dies, and sessions that die under it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pipelines.bridge.lane import Lane
from pipelines.errors import LinkClosed, RecordRejected
from pipelines.sinks.influx import InfluxV1Sink
from tests.pipelines.bridge.bench import DEADLINE_S, EPOCH, OWN, Gate, Running, agents, later, lines, rows
from tests.pipelines.waiting import until
from tests.services.influxd import Influxd
from tests.services.mosquitto import Mosquitto

pytestmark = pytest.mark.wire


# ── is it alive, and does it end well ───────────────────────────────────────────────────────────────────────────────


async def test_a_write_that_hangs_is_noticed_and_a_bridge_without_work_is_well(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.bridge.lane._WRITE_STUCK_S", 0.1)
    gate = Gate()
    async with agents(broker) as one, Running(broker, gate) as running:
        assert running.bridge.alive()
        one.send(1, OWN + b" f=1 1")
        await until(lambda: gate.entered)
        assert running.bridge.alive()
        await until(lambda: not running.bridge.alive())
        gate.open.set()
        await until(lambda: one.stored)
        assert running.bridge.alive()


async def test_a_lane_that_stands_still_is_noticed(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.bridge.lane._STUCK_S", 0.1)
    go_on = asyncio.Event()
    batch = Lane.batch

    async def stuck(lane: Lane) -> list[Any]:
        await go_on.wait()
        return await batch(lane)

    monkeypatch.setattr(Lane, "batch", stuck)
    gate = Gate(opened=True)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: not running.bridge.alive())
        go_on.set()
        await until(lambda: one.stored)
        assert running.bridge.alive()


async def test_a_store_or_broker_that_is_away_does_not_count(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.bridge.lane._STUCK_S", 0.2)
    monkeypatch.setattr("pipelines.bridge.lane._WRITE_STUCK_S", 0.2)
    gate = Gate(later(), opened=True)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: running.bridge.stats.store_errors)
        before_s = time.monotonic()
        while time.monotonic() - before_s < 0.5:
            assert running.bridge.alive()
            await asyncio.sleep(0.02)
        assert running.bridge.lanes == {"C": (1, "later")}
        broker.kill()
        await until(lambda: running.ends)
        before_s = time.monotonic()
        while time.monotonic() - before_s < 0.5:
            assert running.bridge.alive()
            await asyncio.sleep(0.02)


async def test_a_bridge_that_stops_stores_what_it_has_and_takes_nothing_new(broker: Mosquitto) -> None:
    first, second = Gate(), Gate()
    second.open.set()
    async with agents(broker) as one, Running(broker, first) as running:
        for number in range(20):
            one.send(number + 1, OWN + b" f=1 %d" % (number + 1))
        await until(lambda: first.entered and len(one.acked) == 20)
        draining = asyncio.create_task(running.bridge.drain(DEADLINE_S))
        async with Running(broker, second):
            await until(lambda: second.entered or one.send(99, OWN + b" f=1 99"))
            await until(lambda: f"{EPOCH}:99" in one.stored)
            assert not draining.done()
            first.open.set()
            await draining
            await until(lambda: {f"{EPOCH}:{number + 1}" for number in range(20)} <= set(one.stored))
    assert sorted(b"".join(body for _, body in first.bodies).splitlines()) == sorted(
        OWN + b" f=1 %d" % (number + 1) for number in range(20)
    )


# ── sessions and bridges that die ───────────────────────────────────────────────────────────────────────────────────


async def test_the_session_dies_while_the_store_is_slow(broker: Mosquitto) -> None:
    gate = Gate()
    async with Running(broker, gate) as running:
        async with agents(broker) as one:
            one.send(1, OWN + b" f=1 1")
            await until(lambda: gate.entered)
            broker.kill()
            await until(lambda: one.session.over)
        gate.open.set()
        await until(lambda: running.ends)
        assert running.bridge.stats.records == 0
        assert isinstance(running.ends[0], LinkClosed)
        broker.start()
        await until(lambda: running.sessions == 2)
        async with agents(broker) as one:
            one.send(1, OWN + b" f=1 1")
            await until(lambda: one.stored)
        assert running.bridge.stats.records == 1
    assert gate.bodies == [("C", OWN + b" f=1 1\n")] * 2


async def test_the_session_dies_while_refusals_are_sought(broker: Mosquitto) -> None:
    gate = Gate(RecordRejected("gate", "no"), opened=True)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, lines(100_000))
        await until(lambda: gate.entered > 10)
        broker.kill()
        await until(lambda: running.ends)
        assert running.bridge.stats.rejected == 0


@pytest.mark.slow
async def test_two_bridges_share_and_one_dies_midway(broker: Mosquitto, influxd: Influxd) -> None:
    sink = InfluxV1Sink(influxd.url, "shared")
    doomed_gate = Gate()
    async with agents(broker) as one, Running(broker, sink) as left:
        doomed = Running(broker, doomed_gate)
        await doomed.__aenter__()
        for number in range(200):
            one.send(number + 1, lines(5, number * 5 + 1))
        await until(lambda: doomed_gate.entered and left.bridge.stats.records)
        await until(lambda: len(one.acked) == 200)
        await doomed.__aexit__()
        # mosquitto drops what a bridge had not acknowledged: agents send again what is not confirmed
        for number in range(200):
            if f"{EPOCH}:{number + 1}" not in one.stored:
                one.send(number + 1, lines(5, number * 5 + 1))
        await until(lambda: len(set(one.stored)) == 200)
        assert doomed.bridge.stats.records == 0
    assert rows(influxd, "shared")[0][1] == 1000
    await sink.close()
