"""The bridge between a real mosquitto and real stores; what no real store does on demand comes from the stand-in."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from pipelines.bridge import Bridge
from pipelines.errors import LinkClosed, LinkError, RecordRejected, SinkUnavailable
from pipelines.mqtt import Message, MqttSession, MqttSettings
from pipelines.sinks.base import Sink
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.influx import InfluxV1Sink, InfluxV2Sink
from tests.services.influx_v2 import Answer, InfluxV2, refusal, running_influx_v2
from tests.services.influxd import Influxd, free_port, influxd, running_influxd
from tests.services.mosquitto import Mosquitto

__all__ = ["influxd"]
pytestmark = pytest.mark.wire
EPOCH = secrets.token_hex(16)
DEADLINE_S = 8.0


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not met():  # noqa: ASYNC110 - what is watched are no events of ours
            await asyncio.sleep(0.005)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


class Gate(Sink):
    """A store under the test's control: it waits until opened, then takes, refuses or fails as it is told."""

    name = "gate"

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.bodies: list[tuple[str, bytes]] = []
        self.fault: Exception | None = None

    async def write(self, company: str, body: bytes) -> None:
        self.entered += 1
        await asyncio.sleep(0)
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        self.bodies.append((company, body))


class Agents:
    """Publishes records as agents do and keeps what comes back."""

    def __init__(self, session: MqttSession) -> None:
        self.session = session
        self.stored: list[str] = []
        self.rejected: list[dict[str, Any]] = []
        self.acked: dict[str, int] = {}

    def take(self, message: Message) -> None:
        if message.topic.endswith("/stored"):
            self.stored += message.payload.decode().split("\n")
        else:
            self.rejected.append(json.loads(message.payload))

    def send(self, number: int, body: bytes, topic: str = "sf/C/S/A/data") -> str:
        record = f"{EPOCH}:{number}"
        properties = {"agent": "A", "record": record}
        self.session.publish(topic, body, properties, heard=lambda code, _: self._ack(record, code))
        return record

    def _ack(self, record: str, code: int) -> None:
        self.acked[record] = code


@asynccontextmanager
async def agents(broker: Mosquitto) -> AsyncIterator[Agents]:
    settings = MqttSettings(host=broker.host, port=broker.port)
    holder: list[Agents] = []
    async with MqttSession(settings, "agents", lambda message: holder[0].take(message)) as session:
        holder.append(Agents(session))
        await session.subscribe(["sf/+/+/+/stored", "sf/+/+/+/rejected"])
        yield holder[0]


class Running:
    """A bridge in a task, run again and again as the supervisor does."""

    def __init__(self, broker: Mosquitto, sink: Sink, *, shared: bool = True) -> None:
        settings = MqttSettings(host=broker.host, port=broker.port)
        self.bridge = Bridge(settings, sink, f"bridge-{secrets.token_hex(4)}", shared)
        self.ends: list[LinkError] = []
        self.sessions = 0
        self.task: asyncio.Task[None] | None = None

    async def _run(self) -> None:
        while True:
            try:
                await self.bridge.run(self._opened)
            except LinkError as error:
                self.ends.append(error)
                await asyncio.sleep(0.05)

    def _opened(self) -> None:
        self.sessions += 1

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._run())
        await until(lambda: self.sessions or self.task is None or self.task.done())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


def lines(count: int, start: int = 1, field: str = "f") -> bytes:
    numbers = range(start, start + count)
    return b"".join(b"m,machine=P1 %s=%d %d\n" % (field.encode(), number, number) for number in numbers)


def rows(server: Influxd, database: str, text: str = "SELECT count(f) FROM m") -> Any:
    answer = json.loads(server.query(text, database))["results"][0]
    return answer["series"][0]["values"] if "series" in answer else []


# ── forwarding and confirming ───────────────────────────────────────────────────────────────────────────────────────


async def test_byte_for_byte_and_nothing_confirmed_or_acked_before_the_store_has_it(broker: Mosquitto) -> None:
    gate = Gate()
    body = b'm,x=\\ a s="\n\\"\xed\x95\x9c",f=1.0 1\n# kept\nm f=2e300 2'
    async with agents(broker) as one:
        async with Running(broker, gate) as running:
            one.send(1, body)
            await until(lambda: gate.entered)
            assert one.stored == []
            assert running.bridge.stats.records == 0
        gate.open.set()  # that bridge is gone: what it did not acknowledge, the broker has to give to the next
        assert gate.bodies == []
        async with Running(broker, gate) as running:
            one.send(1, body)
            await until(lambda: one.stored)
            assert running.bridge.stats.bytes == len(body)
    assert one.stored == [f"{EPOCH}:1"]
    assert gate.bodies == [("C", body + b"\n")]


async def test_back_pressure_ends_at_receive_maximum(broker: Mosquitto) -> None:
    gate = Gate()
    async with agents(broker) as one, Running(broker, gate) as running:
        for number in range(1000):
            one.send(number + 1, b"m f=1 %d" % (number + 1))
        await until(lambda: len(one.acked) == 1000)
        assert gate.entered == 1
        gate.open.set()
        await until(lambda: running.bridge.stats.records == 1000)
        await until(lambda: len(one.stored) == 1000)
    assert sorted(b"".join(body for _, body in gate.bodies).split()) == sorted(
        b"".join(b"m f=1 %d\n" % (number + 1) for number in range(1000)).split()
    )


async def test_strangers_and_garbage_are_acked_counted_and_never_crash(broker: Mosquitto) -> None:
    gate = Gate()
    gate.open.set()
    good = {"agent": "A", "record": f"{EPOCH}:1"}
    async with agents(broker) as one, Running(broker, gate) as running:
        stats = running.bridge.stats
        bad: list[tuple[str, bytes, dict[str, str]]] = [
            ("sf/C/S/A/data", b"x", {}),
            ("sf/C/S/A/data", b"x", {"record": "nonsense"}),
            ("sf/C/S/A/data", b"x", {"record": "x" * 32 + ":²"}),
            ("sf//S/A/data", b"m f=1 1", good),
            ('sf/x"; DROP DATABASE "C/S/A/data', b"m f=1 1", good),
        ]
        for topic, body, properties in bad:
            one.session.publish(topic, body, properties)
        await until(lambda: stats.strangers == len(bad))
        for _ in range(1000):  # a publisher with QoS 0, which no Receive Maximum bounds
            one.session._client.publish("sf/C/S/A/data", b"x", 0)
        one.send(2, b"")
        one.send(3, b"\n\n")
        one.send(4, b"m f=1 1")
        await until(lambda: len(one.stored) == 3)
        assert stats.records == 3
        assert running.ends == []


async def test_tenants_go_to_databases_of_their_own(broker: Mosquitto, influxd: Influxd) -> None:
    sink = InfluxV1Sink(influxd.url, "tenant_{company}")
    async with agents(broker) as one, Running(broker, sink):
        one.send(1, lines(3), "sf/Ace/S/A/data")
        one.send(2, lines(5), "sf/한빛/S/B/data")
        await until(lambda: len(one.stored) == 2)
    assert rows(influxd, "tenant_Ace")[0][1] == 3
    assert rows(influxd, "tenant_한빛")[0][1] == 5
    await sink.close()


async def test_a_record_delivered_again_changes_nothing(broker: Mosquitto, influxd: Influxd, tmp_path: Path) -> None:
    duck = DuckDbSink(tmp_path / "a.duckdb")
    influx = InfluxV1Sink(influxd.url, "again")
    for sink in (duck, influx):
        async with agents(broker) as one, Running(broker, sink):
            for _ in range(3):
                one.send(1, lines(100))
            await until(lambda one=one: len(one.stored) == 3)  # type: ignore[misc]
    assert duck.cursor().execute("SELECT count(*), sum(value) FROM points_float").fetchone() == (100, 5050.0)
    assert rows(influxd, "again", "SELECT count(f), sum(f) FROM m")[0][1:] == [100, 5050]
    await duck.close()
    await influx.close()


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Counting(InfluxV1Sink):
    """How many requests the bridge made."""

    requests = 0

    def _request(self, database: str, body: bytes) -> None:
        self.requests += 1
        super()._request(database, body)


@pytest.mark.parametrize("poisoned", [1, 2500, 5000])
async def test_one_poisoned_point_of_5000(broker: Mosquitto, influxd: Influxd, poisoned: int) -> None:
    sink = Counting(influxd.url, f"poison{poisoned}")
    await sink.write("C", b"m,machine=P1 f=0 0\n")
    sink.requests = 0
    line = b'm,machine=P1 f="bad" %d' % poisoned
    body = lines(5000).replace(b"m,machine=P1 f=%d %d\n" % (poisoned, poisoned), line + b"\n")
    async with agents(broker) as one, Running(broker, sink) as running:
        record = one.send(1, body)
        await until(lambda: one.rejected)
        assert running.bridge.stats.rejected == 1
    (answer,) = one.rejected
    (refused,) = answer["refused"]
    assert (answer["record"], refused["line"], refused["field"], refused["points"]) == (record, line.decode(), "f", 1)
    assert 'input field "f" on measurement "m" is type string, already exists as type float' in refused["reason"]
    assert one.stored == []
    assert rows(influxd, f"poison{poisoned}", "SELECT count(f) FROM m WHERE time > 0")[0][1] == 4999
    assert sink.requests <= math.log2(5000) + 4
    await sink.close()


async def test_a_field_of_a_changed_type_in_every_line_beside_good_ones(broker: Mosquitto, influxd: Influxd) -> None:
    sink = Counting(influxd.url, "column")
    await sink.write("C", b"m,machine=P1 b=0 0\n")
    sink.requests = 0
    bad = b"".join(b'm,machine=P1 a=%d,b="x",b_quality=0i,c=t %d\n' % (number, number) for number in range(1, 501))
    async with agents(broker) as one, Running(broker, sink):
        one.send(1, b"n f=1 1")
        one.send(2, bad)
        one.send(3, b"n f=2 2")
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
        bodies = [b"\x00\xff", b'm f="open', b"m f=1 1", b"no fields", b'm g="x\ny" 1', b"m f=NaN 1", b'"""\\']
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
        huge = f'm s="{"x" * 2000}" 1'
        one.send(1, lines(1000))
        one.send(2, lines(10, 2000) + huge.encode())
        await until(lambda: one.stored and one.rejected)
    assert len(store.points) == 1010
    (answer,) = one.rejected
    assert [each["line"] for each in answer["refused"]] == [huge]


# ── a store that is away ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [429, 503])
async def test_no_request_before_retry_after(broker: Mosquitto, store: InfluxV2, v2: InfluxV2Sink, status: int) -> None:
    store.script += [Answer(status, refusal("unavailable", "later"), {"Retry-After": "1"})] * 2
    async with agents(broker) as one, Running(broker, v2):
        one.send(1, lines(3))
        await until(lambda: one.stored)
    first, second, third = (came_s for came_s, _, _ in store.requests)
    assert second - first >= 1
    assert third - second >= 1
    assert len(store.points) == 3


async def test_errors_hang_ups_and_proxies_lose_nothing(broker: Mosquitto, store: InfluxV2, v2: InfluxV2Sink) -> None:
    store.script += [Answer(500, refusal("internal error", "x")), Answer(reset=True)]
    store.script += [Answer(400, "<html>"), Answer(502, "")]
    async with agents(broker) as one, Running(broker, v2) as running:
        for number in range(20):
            one.send(number + 1, lines(5, number * 5 + 1))
        await until(lambda: len(one.stored) == 20)
        assert running.bridge.stats.error == ""
        assert running.bridge.stats.records == 20
    assert one.rejected == []
    assert len(store.points) == 100


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
    gate = Gate()
    gate.open.set()
    gate.fault = SinkUnavailable("gate", "later", 3600)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, b"m f=1 1")
        await until(lambda: running.bridge.stats.error)
        broker.kill()
        before_s = time.monotonic()
        await until(lambda: running.ends)
        assert time.monotonic() - before_s < 1
        assert isinstance(running.ends[0], LinkClosed)


# ── sessions and bridges that die ───────────────────────────────────────────────────────────────────────────────────


async def test_the_session_dies_while_the_store_is_slow(broker: Mosquitto) -> None:
    gate = Gate()
    async with Running(broker, gate) as running:
        async with agents(broker) as one:
            one.send(1, b"m f=1 1")
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
            one.send(1, b"m f=1 1")
            await until(lambda: one.stored)
        assert running.bridge.stats.records == 1
    assert gate.bodies == [("C", b"m f=1 1\n")] * 2


async def test_the_session_dies_while_refusals_are_sought(broker: Mosquitto) -> None:
    gate = Gate()
    gate.open.set()
    gate.fault = RecordRejected("gate", "no")
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


async def test_a_broker_without_shared_subscriptions(broker: Mosquitto) -> None:
    gate = Gate()
    gate.open.set()
    async with agents(broker) as one, Running(broker, gate, shared=False):
        one.send(1, b"m f=1 1")
        await until(lambda: one.stored)
