"""Journal, flow, outbox and uplink against a real mosquitto and a bridge whose store the test controls."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from agent.broker import Broker, Kind, local_broker
from pipelines.bridge import Bridge
from pipelines.clock import SystemClock
from pipelines.delivery.births import Births
from pipelines.delivery.compress import GZIP, UNPACKED_BYTES, ZSTD, pack
from pipelines.delivery.later import Later
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.delivery.outbox import Outbox
from pipelines.delivery.uplink import Confirm, Uplink
from pipelines.errors import LinkError, RecordRejected
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.journal.segment import Segment
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.quarantine import Quarantine, kept
from pipelines.sinks.base import Sink
from pipelines.stats import FlowStats
from pipelines.topics import AgentTopics, RecordId
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

pytestmark = pytest.mark.wire


class Store(Sink):
    """Keeps lines; refuses those that hold `bad`."""

    name = "store"

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.open = asyncio.Event()
        self.open.set()
        self.sessions = 0

    def opened(self) -> None:
        """A bridge of this store is there."""
        self.sessions += 1

    async def write(self, company: str, body: bytes) -> None:  # noqa: ARG002 - one for all
        await self.open.wait()
        if b"bad" in body:
            raise RecordRejected(self.name, "it says bad")
        self.bodies.append(body)

    @property
    def lines(self) -> list[bytes]:
        return [line for body in self.bodies for line in body.splitlines()]


class Agent:
    """Everything of an agent behind its sources; conservation is looked at on every change."""

    def __init__(
        self,
        folder: Path,
        broker: Mosquitto | Broker,
        confirm: Confirm = "stored",
        names: tuple[str, str] = ("C", "A"),
        **more: Any,
    ) -> None:
        company, name = names
        self.stats = FlowStats()
        self.journal = Journal(folder / "journal", JournalSettings(min_free_bytes=0, commit_s=0.01))
        self.journal.open()
        self.flow = Flow(self.journal, SystemClock(), self.stats, Place("agent", company, "S", "", name))
        self.outbox = Outbox(self.journal, self.stats, self.flow.is_durable)
        self.quarantine = Quarantine(folder)
        self.topics = AgentTopics(company, "S", name)
        settings = MqttSettings(**{"host": broker.host, "port": broker.port} | more)
        births = Births(folder, self.journal.epoch, {one.epoch for one in self.journal.segments}, {"agent": "A"})
        self.uplink = Uplink(settings, self.topics, self.outbox, self.quarantine, confirm, births)
        self.flow.on_record, self.flow.on_moved = self.outbox.add, self.outbox.moved
        self.flow.on_change = self.changed
        self.imbalances: set[int] = set()
        self.sessions = 0
        self.allowed = asyncio.Event()
        self.allowed.set()
        self.count = 0

    def changed(self) -> None:
        self.outbox.settle()
        self.imbalances.add(self.flow.imbalance)
        self.uplink.wake()

    async def put(self, body: bytes | None = None) -> None:
        """One record of one point, durable when this returns."""
        self.append(body)
        await self.flow.flush()

    def append(self, body: bytes | None = None) -> None:
        self.count += 1
        line = body or b"m,company=C,site=S f=%d %d\n" % (self.count, self.count)
        self.flow.put(Lines(line, line.count(b"\n"), (self.count, self.count), {}))

    async def keep_open(self) -> None:
        while True:
            await self.allowed.wait()
            try:
                await self.uplink.run(self.opened)
            except LinkError:
                await asyncio.sleep(0.02)

    def opened(self) -> None:
        self.sessions += 1


async def bridging(broker: Mosquitto | Broker, store: Store, **more: Any) -> None:
    while True:
        try:
            name = f"bridge-{secrets.token_hex(4)}"
            await Bridge(MqttSettings(host=broker.host, port=broker.port, **more), store, name).run(store.opened)
        except LinkError:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        yield
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def agent_of(
    folder: Path, broker: Mosquitto | Broker, confirm: Confirm = "stored", **more: Any
) -> AsyncIterator[Agent]:
    agent = Agent(folder, broker, confirm, **more)
    async with running(agent.keep_open()):
        await until(lambda: agent.sessions)
        yield agent
    assert agent.imbalances <= {0}
    assert agent.flow.imbalance == 0
    agent.journal.close()


async def test_a_confirmation_before_the_commit_waits_for_it(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        agent.append()
        agent.flow._try_append()
        await until(lambda: store.lines and not agent.outbox.in_flight)
        assert agent.stats.stored == 0
        assert not agent.outbox.idle
        await agent.flow.flush()
        assert (agent.stats.accepted, agent.stats.stored) == (1, 1)
        assert agent.outbox.idle


async def test_a_sync_that_fails_once_stores_everything_once(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, failures = Journal.sync, [OSError(5, "Input/output error")]

    def failing(journal: Journal, segment: Segment) -> None:
        if failures:
            raise failures.pop()
        sync(journal, segment)

    store = Store()
    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        agent.append()
        agent.flow._try_append()
        await until(lambda: store.lines and not agent.outbox.in_flight)  # confirmed, and then the commit fails
        monkeypatch.setattr(Journal, "sync", failing)
        await agent.put()
        await until(lambda: agent.outbox.idle)
        assert not failures
        assert agent.stats.stored == agent.stats.accepted == 2
        assert agent.journal.points_queued == 0
    assert store.lines == [b"m,company=C,site=S f=1 1", b"m,company=C,site=S f=2 2"]


async def test_a_broker_that_goes_and_comes_back(tmp_path: Path, broker: Mosquitto) -> None:
    seen: list[tuple[bytes, bool]] = []
    store = Store()

    def look(message: Message) -> None:
        seen.append((message.payload, "historical" in message.properties))

    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        await agent.put()
        await until(lambda: agent.outbox.idle)
        agent.allowed.clear()
        broker.kill()
        await until(lambda: agent.uplink.error)
        for _ in range(20):
            await agent.put()
        store.open.clear()
        broker.start()
        async with MqttSession(MqttSettings(host=broker.host, port=broker.port), "looker", look) as session:
            await session.subscribe([agent.topics.data])
            await until(lambda: store.sessions == 2)
            before = agent.stats.published
            agent.allowed.set()
            await until(lambda: agent.stats.published > before)
            await agent.put()
            store.open.set()
            await until(lambda: agent.outbox.idle)
        await agent.put()
        await until(lambda: agent.outbox.idle)
        assert agent.stats.stored == 23
    assert sorted(set(store.lines)) == sorted(
        b"m,company=C,site=S f=%d %d" % (number, number) for number in range(1, 24)
    )
    backlog = [int(body.split()[-1]) for body, historical in seen if historical]
    first = list(dict.fromkeys(backlog))
    assert first[:20] == list(range(2, 22))  # the live one may follow once more when its confirmation was late
    assert (b"m,company=C,site=S f=22 22\n", False) in seen


async def test_a_bridge_that_comes_late(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with agent_of(tmp_path, broker) as agent:
        for _ in range(20):
            await agent.put()
        await until(lambda: agent.outbox.deaf)
        assert agent.outbox.deaf == "No matching subscribers"
        assert agent.stats.stored == 0
        async with running(bridging(broker, store)):
            await until(lambda: agent.outbox.idle, 8)
        assert agent.outbox.deaf == ""
        assert agent.stats.stored == 20


async def test_refused_lines_are_kept_and_counted(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        await agent.put(b"".join(b"m,company=C,site=S a=%s\n" % one for one in (b"1 1", b'"bad" 2', b"3 3")))
        await until(lambda: agent.outbox.idle)
        assert (agent.stats.stored, agent.stats.quarantined) == (2, 1)
        ((_, lines),) = kept(tmp_path)
    refused = {"line": 'm,company=C,site=S a="bad" 2', "field": "a", "points": 1, "reason": "it says bad"}
    assert lines == [refused]


async def test_confirmations_twice_unknown_and_senseless_break_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    store.open.clear()
    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        await agent.put(b"m,company=C,site=S f=1 1\n")
        await until(lambda: agent.stats.published)
        (record,) = agent.outbox._flights
        answers: list[tuple[str, bytes]] = [
            (agent.topics.stored, str(RecordId("0" * 32, 7)).encode()),
            (agent.topics.stored, b"\xff nonsense"),
            (agent.topics.rejected, b"[]"),
            (agent.topics.rejected, b"{"),
            (agent.topics.rejected, orjson.dumps({"record": str(record), "refused": ["x"]})),
            (agent.topics.rejected, orjson.dumps({"record": str(record), "refused": [{"line": "x"}]})),
            (agent.topics.stored, f"{record}\n{record}".encode()),
            (agent.topics.stored, str(record).encode()),
        ]
        async with MqttSession(MqttSettings(host=broker.host, port=broker.port), "b", lambda _: None) as session:
            for topic, body in answers:
                session.publish(topic, body)
            await until(lambda: agent.outbox.idle)
            assert not list(agent.quarantine.entries())
            store.open.set()
            await agent.put()
            await until(lambda: agent.outbox.idle)
        assert agent.stats.stored == 2


async def test_confirmed_by_the_broker_alone(tmp_path: Path, broker: Mosquitto) -> None:
    async with agent_of(tmp_path, broker, "broker") as agent:
        await agent.put()
        await until(lambda: agent.outbox.deaf)
        assert agent.stats.stored == 0
        async with MqttSession(MqttSettings(host=broker.host, port=broker.port), "any", lambda _: None) as session:
            await session.subscribe([agent.topics.data])
            await until(lambda: agent.outbox.idle)
        assert agent.stats.stored == 1


BIG = b"".join(b"m,company=C,site=S f=%d %d\n" % (number, number) for number in range(1, 201))


@pytest.mark.parametrize("limit", ["message_size_limit 2000", "max_packet_size 2000"])
@pytest.mark.parametrize("among", [0, 5])
async def test_a_record_the_broker_does_not_take_stops_no_other(tmp_path: Path, limit: str, among: int) -> None:
    """The first is not told by mosquitto, which hangs up; the second stands in its CONNACK."""
    store = Store()
    with Mosquitto(tmp_path / "b", lines=[limit]) as broker:
        async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
            for _ in range(among):
                agent.append()
                agent.flow._try_append()
            agent.append(BIG)
            agent.flow._try_append()
            for _ in range(among):
                agent.append()
                agent.flow._try_append()
            await agent.flow.flush()
            await until(lambda: agent.stats.quarantined == 200)
            await agent.put()
            await until(lambda: agent.outbox.idle)
            assert agent.stats.stored == 2 * among + 1
            assert agent.sessions <= 6
    ((entry, lines),) = kept(tmp_path)
    assert [one["line"] for one in lines] == BIG.decode().splitlines()
    assert entry.points == 200
    assert "message_size_limit" in entry.reason
    assert BIG.splitlines()[-1] not in store.lines


async def test_a_record_that_is_not_our_own_is_kept_and_not_sent_for_ever(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        await agent.put(b"m,company=D,site=S f=1 1\n")
        await agent.put()
        await until(lambda: agent.outbox.idle)
        assert (agent.stats.stored, agent.stats.quarantined) == (1, 1)
    ((entry, _),) = kept(tmp_path)
    assert "without the tags company=C and site=S" in entry.reason


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
@pytest.mark.parametrize(("method", "content_type"), [("gzip", GZIP), ("zstd", ZSTD)])
async def test_packed_on_the_wire_and_plain_in_the_store(
    tmp_path: Path, kind: Kind, method: str, content_type: str
) -> None:
    store, seen = Store(), list[Message]()
    async with (
        local_broker(tmp_path, kind=kind) as broker,
        running(bridging(broker, store)),
        MqttSession(MqttSettings(host=broker.host, port=broker.port), "looker", seen.append) as session,
    ):
        await session.subscribe([AgentTopics("C", "S", "A").data])
        async with agent_of(tmp_path, broker, compression=method) as agent:
            await agent.put(BIG)
            await until(lambda: agent.outbox.idle and seen)
    assert store.lines == BIG.splitlines()
    assert seen[0].content_type == content_type
    assert len(seen[0].payload) < len(BIG) / 4


async def test_what_cannot_be_unpacked_goes_back_to_its_agent(tmp_path: Path, broker: Mosquitto) -> None:
    """A bomb, an unknown content type and a torn body: strangers, each told with the record it claims to be."""
    store, told = Store(), list[Message]()
    bomb, _ = pack(b"m,company=C,site=S f=1 1\n" * (UNPACKED_BYTES // 20), "none")
    bodies = {
        GZIP: zlib.compress(bomb, 9, 31),
        "application/x-lz4": b"?",
        ZSTD: pack(BIG, "zstd")[0][:-4],
    }
    reasons = {GZIP: "more than 8388608 bytes", "application/x-lz4": "is not known here", ZSTD: "cut off"}
    topics = AgentTopics("C", "S", "A")
    bridge = Bridge(MqttSettings(host=broker.host, port=broker.port), store, "bridge")
    settings = MqttSettings(host=broker.host, port=broker.port)
    async with running(bridge_once(bridge, store)), MqttSession(settings, "x", told.append) as session:
        await session.subscribe([topics.rejected])
        await until(lambda: store.sessions)
        for number, (kind, body) in enumerate(bodies.items(), 1):
            properties = {"agent": "A", "record": str(RecordId("0" * 32, number))}
            session.publish(topics.data, body, properties, content_type=kind)
        await until(lambda: len(told) == len(bodies))
    assert bridge.stats.strangers == len(bodies)
    assert store.bodies == []
    for message, reason in zip(told, reasons.values(), strict=True):
        assert reason in orjson.loads(message.payload)["reason"]


async def bridge_once(bridge: Bridge, store: Store) -> None:
    with suppress(LinkError):
        await bridge.run(store.opened)


async def test_what_a_clock_stamped_days_ahead_is_kept_and_never_sent(tmp_path: Path, broker: Mosquitto) -> None:
    store = Store()
    async with running(bridging(broker, store)), agent_of(tmp_path, broker) as agent:
        agent.outbox.later = Later(lambda: -2 * 86_400 * 10**9)
        await agent.put()
        await until(lambda: agent.stats.quarantined)
        agent.outbox.later = Later(lambda: 0)
        await agent.put()
        await until(lambda: agent.stats.stored)
        assert (agent.stats.quarantined, agent.stats.stored) == (1, 1)
    assert len(store.lines) == 1
    (kept,) = agent.quarantine.entries()
    assert kept.reason == "stamped 48 h ahead by a wrong clock"
