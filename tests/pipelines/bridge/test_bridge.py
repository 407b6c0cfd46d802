"""The bridge between a real mosquitto and real stores; what no real store does on demand comes from the stand-in."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from pipelines.bridge import Bridge
from pipelines.bridge.belongs import fault_of
from pipelines.bridge.lane import Lane
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.encode.line import LineEncoder
from pipelines.errors import LinkClosed, LinkError, RecordRejected, SinkUnavailable
from pipelines.place import Place
from pipelines.point import Gap
from pipelines.sinks.base import Sink
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.influx import InfluxV1Sink, InfluxV2Sink
from pipelines.source import gap_line
from tests.pipelines.waiting import until
from tests.services.influx_v2 import Answer, InfluxV2, refusal, running_influx_v2
from tests.services.influxd import Influxd, free_port, influxd, running_influxd
from tests.services.mosquitto import Mosquitto

__all__ = ["influxd"]
pytestmark = pytest.mark.wire
EPOCH = secrets.token_hex(16)
DEADLINE_S = 8.0


class Gate(Sink):
    """A store under the test's control: it waits until opened, then takes, refuses or fails as it is told."""

    name = "gate"

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.bodies: list[tuple[str, bytes]] = []
        self.fault: Exception | None = None
        self.missing: set[str] = set()

    async def write(self, company: str, body: bytes) -> None:
        self.entered += 1
        await asyncio.sleep(0)
        await self.open.wait()
        if company in self.missing:
            raise SinkUnavailable(self.name, f"no bucket {company}")
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

    def __init__(self, broker: Mosquitto, sink: Sink) -> None:
        settings = MqttSettings(host=broker.host, port=broker.port)
        self.bridge = Bridge(settings, sink, f"bridge-{secrets.token_hex(4)}")
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


def lines(count: int, start: int = 1, company: str = "C") -> bytes:
    numbers, tags = range(start, start + count), f"company={company},machine=P1,site=S".encode()
    return b"".join(b"m,%s f=%d %d\n" % (tags, number, number) for number in numbers)


OWN = b"m,company=C,site=S"


def rows(server: Influxd, database: str, text: str = "SELECT count(f) FROM m") -> Any:
    answer = json.loads(server.query(text, database))["results"][0]
    return answer["series"][0]["values"] if "series" in answer else []


# ── forwarding and confirming ───────────────────────────────────────────────────────────────────────────────────────


async def test_byte_for_byte_and_nothing_confirmed_or_acked_before_the_store_has_it(broker: Mosquitto) -> None:
    gate = Gate()
    body = b'm,company=C,site=S,x=\\ a s="\n\\"\xed\x95\x9c",f=1.0 1\n# kept\nm,company=C,site=S f=2e300 2'
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
            one.send(number + 1, OWN + b" f=1 %d" % (number + 1))
        await until(lambda: len(one.acked) == 1000)
        assert gate.entered == 1
        gate.open.set()
        await until(lambda: running.bridge.stats.records == 1000)
        await until(lambda: len(one.stored) == 1000)
    assert sorted(b"".join(body for _, body in gate.bodies).split()) == sorted(
        b"".join(OWN + b" f=1 %d\n" % (number + 1) for number in range(1000)).split()
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
        one.send(4, OWN + b" f=1 1")
        await until(lambda: len(one.stored) == 3)
        assert stats.records == 3
        assert running.ends == []


async def test_tenants_go_to_databases_of_their_own(broker: Mosquitto, influxd: Influxd) -> None:
    sink = InfluxV1Sink(influxd.url, "tenant_{company}")
    async with agents(broker) as one, Running(broker, sink):
        one.send(1, lines(3, 1, "Ace"), "sf/Ace/S/A/data")
        one.send(2, lines(5, 1, "한빛"), "sf/한빛/S/B/data")
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


# ── one agent or company does not harm another ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ahead", [20, 256])
async def test_a_company_without_a_bucket_does_not_stop_the_others(tmp_path: Path, ahead: int) -> None:
    """`ahead`: messages the broker sends ahead, mosquitto's own default among them."""
    gate = Gate()
    gate.open.set()
    gate.missing |= {"Ace", "Bad"}
    with Mosquitto(tmp_path / "b", lines=[f"max_inflight_messages {ahead}"]) as broker:
        async with agents(broker) as one, Running(broker, gate) as running:
            stats = running.bridge.stats
            for number in range(600):
                company = ("Ace", "Bad")[number % 2]
                one.send(number + 1, lines(1, number + 1, company), f"sf/{company}/S/A/data")
            for number in range(600, 700):
                one.send(number + 1, lines(1, number + 1))
            await until(lambda: len(one.stored) == 100)
            assert {company for company, _ in gate.bodies} == {"C"}
            await until(lambda: stats.handed_back >= 600 - 12)
            assert stats.error.startswith("no bucket")
            gate.missing.clear()  # what is held is tried again by itself; the agents send the others again
            await until(lambda: stats.error == "" and len(one.stored) == 700 - stats.handed_back)
            assert len(one.stored) >= 102
            for number in range(600):
                if f"{EPOCH}:{number + 1}" not in one.stored:
                    company = ("Ace", "Bad")[number % 2]
                    one.send(number + 1, lines(1, number + 1, company), f"sf/{company}/S/A/data")
            await until(lambda: len(set(one.stored)) == 700)
            assert running.ends == []
    assert one.rejected == []


async def test_one_company_waits_at_the_store_and_another_does_not(broker: Mosquitto) -> None:
    gate = Gate()
    gate.open.set()
    gate.missing.add("Ace")
    async with agents(broker) as one, Running(broker, gate):
        one.send(1, lines(1, 1, "Ace"), "sf/Ace/S/A/data")
        one.send(2, lines(1))
        await until(lambda: one.stored == [f"{EPOCH}:2"])
        gate.missing.clear()
        await until(lambda: len(one.stored) == 2)


@pytest.mark.parametrize(
    "body",
    [
        OWN + b' f="',
        OWN + b' f="x" 1\n' + OWN + b' f="\\"',
        OWN + b" f=1 1\\",
        OWN + b' f=1,,,,g="\nm,company=D f="" 1',
        OWN + b',x=" f=1 1',
        b'# "',
        b'#m f="\nm,company=D,site=S f=1 1\n" 1',
        OWN + b" f=1 1\nm,company=D,site=S f=1 1",
        OWN + b" f=1 1\nm,company=C,site=T f=1 1",
        OWN + b" f=1 1\nm f=1 1",
        OWN + b" f=1 1\n " + OWN + b" f=1 1",
        b"m,company=C,company=D,site=S f=1 1",
        b"m,x=\\,company=C,site=S f=1 1",
        b"no fields",
    ],
)
async def test_an_agent_cannot_swallow_or_write_what_is_not_its_own(broker: Mosquitto, body: bytes) -> None:
    gate = Gate()
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: gate.entered)  # the next three are one batch
        one.send(2, OWN + b" f=2 2")
        bad = one.send(3, body, "sf/C/S/B/data")
        one.send(4, OWN + b" f=4 4")
        await until(lambda: len(one.acked) == 4 and one.rejected)
        gate.open.set()
        await until(lambda: len(one.stored) == 3)
        assert running.bridge.stats.strangers == 1
    assert sorted(one.stored) == [f"{EPOCH}:{number}" for number in (1, 2, 4)]
    assert [(answer["record"], bool(answer["reason"])) for answer in one.rejected] == [(bad, True)]
    assert b"".join(each for _, each in gate.bodies).count(b"\n") == 3


async def test_what_an_agent_sends_is_its_own(broker: Mosquitto) -> None:
    place = Place("press", "C", "S", "L 1", "P,1")
    gap = gap_line(place, "t=1", Gap(0, 'lost "x"'.replace('"', ""), 5, 6, 7))
    encoder = LineEncoder([(place.series(), "f"), (place.series("other"), "s g")])
    numbers, times = np.arange(2, dtype=np.int32), np.array([1, 1], dtype=np.int64)
    texts = np.array(['a "quoted" \\ one\nin two lines\\', "="], dtype=object)
    bodies = [gap, encoder.lines([encoder.values(numbers, times, texts)]), gap + lines(3)]
    for body in bodies:
        assert fault_of(body.rstrip(b"\n"), "C", "S") == ""
    gate = Gate()
    gate.open.set()
    async with agents(broker) as one, Running(broker, gate):
        for number, body in enumerate(bodies):
            one.send(number, body)
        await until(lambda: len(one.stored) == len(bodies))
    assert one.rejected == []


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
    gate = Gate()
    gate.open.set()
    gate.fault = SinkUnavailable("gate", "later", 3600)
    async with agents(broker) as one, Running(broker, gate) as running:
        one.send(1, OWN + b" f=1 1")
        await until(lambda: running.bridge.stats.error)
        broker.kill()
        before_s = time.monotonic()
        await until(lambda: running.ends)
        assert time.monotonic() - before_s < 1
        assert isinstance(running.ends[0], LinkClosed)


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
    gate = Gate()
    gate.open.set()
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
    gate = Gate()
    gate.open.set()
    gate.fault = SinkUnavailable("gate", "later", 3600)
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


async def test_what_a_store_asked_for_outlives_the_session(broker: Mosquitto) -> None:
    gate = Gate()
    gate.open.set()
    gate.fault = SinkUnavailable("gate", "later", 3600)
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
