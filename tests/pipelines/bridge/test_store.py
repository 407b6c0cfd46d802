"""A store behind the bridge that refuses or is away; what no real store does on demand comes from the stand-in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pipelines.errors import LinkClosed
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.influx import InfluxV1Sink, InfluxV2Sink
from tests.pipelines.bridge.bench import EPOCH, OWN, Gate, Running, agents, later, lines, rows
from tests.pipelines.waiting import until
from tests.services.influx_v2 import Answer, InfluxV2, refusal, running_influx_v2
from tests.services.influxd import Influxd, free_port, running_influxd
from tests.services.mosquitto import Mosquitto

pytestmark = pytest.mark.wire


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Counting(InfluxV1Sink):
    """How many requests the bridge made."""

    requests = 0

    def _request(self, database: str, body: bytes) -> None:
        self.requests += 1
        super()._request(database, body)


async def test_a_field_of_a_changed_type_in_every_line_beside_good_ones(broker: Mosquitto, influxd: Influxd) -> None:
    sink = Counting(influxd.url, "column")
    await sink.write("C", OWN + b" b=0 0\n")
    sink.requests = 0
    bad = b"".join(OWN + b' a=%d,b="x",b_quality=0i,c=t %d\n' % (number, number) for number in range(1, 501))
    async with agents(broker) as one, Running(broker, sink):
        one.send(1, b"n,company=C,site=S f=1 1")
        one.send(2, bad)
        one.send(3, b"n,company=C,site=S f=2 2")
        await until(lambda: one.rejected and len(one.stored) == 2)
    (answer,) = one.rejected
    assert {each["field"] for each in answer["refused"]} == {"b"}
    assert len(answer["refused"]) == 500
    counted = rows(influxd, "column", "SELECT count(a), count(b_quality), count(c) FROM m WHERE time > 0")
    assert counted[0][1:] == [500, 500, 500]
    assert rows(influxd, "column", "SELECT count(f) FROM n")[0][1] == 2
    assert sink.requests < 60
    await sink.close()


async def test_garbage_with_a_record_id_comes_back_and_harms_no_neighbour(broker: Mosquitto, tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    async with agents(broker) as one, Running(broker, sink):
        bodies = [
            b"\x00\xff",
            b'm f="open',
            OWN + b" f=1 1",
            b"no fields",
            OWN + b' g="x\ny" 1',
            OWN + b" f=NaN 1",
            b'"""\\',
        ]
        for number, body in enumerate(bodies):
            one.send(number + 1, body)
        await until(lambda: len(one.rejected) + len(one.stored) == len(bodies))
    assert sorted(one.stored) == [f"{EPOCH}:3", f"{EPOCH}:5"]
    await sink.close()


@pytest.fixture
def store() -> Iterator[InfluxV2]:
    with running_influx_v2() as store:
        yield store


@pytest.fixture
async def v2(store: InfluxV2) -> AsyncIterator[InfluxV2Sink]:
    sink = InfluxV2Sink(store.url, "factory", "points", "secret-token")
    yield sink
    await sink.close()


async def test_too_large_is_halved_until_it_fits(broker: Mosquitto, store: InfluxV2, v2: InfluxV2Sink) -> None:
    store.max_bytes = 2000
    async with agents(broker) as one, Running(broker, v2):
        huge = f'm,company=C,site=S s="{"x" * 2000}" 1'
        one.send(1, lines(1000))
        one.send(2, lines(10, 2000) + huge.encode())
        await until(lambda: one.stored and one.rejected)
    assert len(store.points) == 1010
    (answer,) = one.rejected
    assert [each["line"] for each in answer["refused"]] == [huge]


# ── a store that is away ────────────────────────────────────────────────────────────────────────────────────────────


async def test_errors_hang_ups_and_proxies_lose_nothing(broker: Mosquitto, store: InfluxV2, v2: InfluxV2Sink) -> None:
    store.script += [Answer(500, refusal("internal error", "x")), Answer(reset=True)]
    store.script += [Answer(400, "<html>"), Answer(502, "")]
    async with agents(broker) as one, Running(broker, v2) as running:
        for number in range(10):  # fewer than are handed back
            one.send(number + 1, lines(5, number * 5 + 1))
        await until(lambda: len(one.stored) == 10)
        assert running.bridge.stats.error == ""
        assert running.bridge.stats.records == 10
    assert one.rejected == []
    assert len(store.points) == 50


async def test_started_while_the_store_is_down(broker: Mosquitto) -> None:
    port = free_port()
    sink = InfluxV1Sink(f"http://127.0.0.1:{port}", "late")
    async with agents(broker) as one, Running(broker, sink) as running:
        one.send(1, lines(5))
        await until(lambda: "Connection refused" in running.bridge.stats.error)
        with running_influxd(port=port) as server:
            await until(lambda: one.stored)
            assert rows(server, "late")[0][1] == 5
            assert running.bridge.stats.error == ""
    await sink.close()


async def test_a_long_wait_ends_with_the_session(broker: Mosquitto) -> None:
    gate = Gate(later(), opened=True)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: running.bridge.stats.error)
        broker.kill()
        before_s = time.monotonic()
        await until(lambda: running.ends)
        assert time.monotonic() - before_s < 1
        assert isinstance(running.ends[0], LinkClosed)


async def test_what_a_store_asked_for_outlives_the_session(broker: Mosquitto) -> None:
    gate = Gate(later(), opened=True)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: running.bridge.stats.store_errors)
        broker.kill()
        broker.start()
        await until(lambda: running.sessions == 2)
        gate.fault = None
        async with agents(broker) as again:
            again.send(1, OWN + b" f=1 1")
            again.send(2, lines(1, 1, "Ace"), "sf/Ace/S/A/data")
            await until(lambda: again.stored == [f"{EPOCH}:2"])
        assert gate.entered == 2
