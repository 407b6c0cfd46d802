"""A destination gets what it is shared, all of it, once, and nothing else."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.collector import Collector
from agent.config import load_site
from agent.destination import Destination
from pipelines.bridge import Bridge
from pipelines.clock import ScaledClock, SystemClock
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.minute import MINUTE_NS
from pipelines.derive.rule import Ref
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.place import Place
from pipelines.point import GOOD, Delivery, scan_of
from pipelines.share.rule import Share
from pipelines.share.settings import ShareSettings
from pipelines.sinks.base import Sink
from pipelines.topics import AgentTopics, shared_filter
from tests.pipelines.waiting import until
from tests.services.mosquitto import Mosquitto

SITE = """
company: demo
site: gyeongsan
machines:
  PRS-01: {{class: press}}
connections:
  - name: press
    type: modbus
    host: 127.0.0.1
    port: 1
    machine: PRS-01
    tags:
      - {{name: recipe, table: input, address: 0, datatype: float32}}
      - {{name: kw, table: input, address: 2, datatype: float32}}
      - {{name: spm, table: input, address: 4, datatype: float32}}
      - {{name: state, table: input, address: 6, datatype: uint16}}
share:
  technopark:
    tags: {{PRS-01/kw: aggregate, PRS-01/spm: raw, PRS-01/state: kpi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
journal: {{max_bytes: 16777216, min_free_bytes: 0, commit_s: 0.01}}
"""
SECRET, INSIDE = 4242.125, 17.171875
"""A value that is shared with nobody, and one that is neither least, greatest nor last of its minute."""


class Store(Sink):
    """Takes everything."""

    name = "store"

    async def write(self, company: str, body: bytes) -> None: ...


@dataclass
class Wire:
    """What a broker carried."""

    messages: list[Message] = field(default_factory=list)

    def lines(self, topic: str) -> list[str]:
        bodies = [one.payload.decode() for one in self.messages if re.fullmatch(topic, one.topic)]
        return [line for body in bodies for line in body.splitlines()]


@asynccontextmanager
async def watched(broker: Mosquitto) -> AsyncIterator[Wire]:
    """Everything that passes the broker, with a bridge for the own store and one for the destination's."""
    wire, settings = Wire(), MqttSettings(host=broker.host, port=broker.port)
    bridges = [Bridge(settings, Store(), "own"), Bridge(settings, Store(), "theirs", shared_filter("technopark"))]
    async with MqttSession(settings, "watch", wire.messages.append) as session, asyncio.TaskGroup() as group:
        await session.subscribe(["sf/#"])
        ready = [asyncio.Event() for _ in bridges]
        tasks = [group.create_task(one.run(event.set)) for one, event in zip(bridges, ready, strict=True)]
        for event in ready:
            await event.wait()
        yield wire
        for task in tasks:
            task.cancel()


def fast() -> ScaledClock:
    """A minute in three seconds."""
    return ScaledClock(SystemClock().now_ns(), 20.0)


async def minute_of(collector: Collector, values: list[float]) -> list[Delivery]:
    """Readings of one minute, every tag at once; the clock must run fast."""
    await until(lambda: collector.clock.now_ns() % MINUTE_NS < MINUTE_NS // 3)
    start_ns = collector.clock.now_ns()
    found = []
    for index, value in enumerate(values):
        floats = scan_of([0, 1, 2], start_ns + index, [SECRET, value, value + 0.5])
        found.append(Delivery((floats, scan_of([3], start_ns + index, [1], dtype="int64"))))
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.mark.wire
async def test_what_is_not_shared_never_leaves_towards_a_destination(broker: Mosquitto, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(port=broker.port))
    stop = asyncio.Event()
    async with watched(broker) as wire, asyncio.TaskGroup() as group:
        collector = Collector(load_site(path), tmp_path / "state", fast())
        (there,) = collector.destinations
        running = group.create_task(collector.run(stop, 5.0))
        await until(lambda: collector.readings[0].tried.is_set())
        for delivery in await minute_of(collector, [10.0, INSIDE, 30.0, 20.0]):
            await collector.flow.take(collector.readings[0].source, delivery)
        await until(lambda: any("kw_mean" in line for line in wire.lines(".*/shared/technopark")))
        await until(lambda: there.stats.stored == there.stats.accepted >= 5 and there.outbox.idle)
        assert not there.troubles
        assert collector.status()["share"]["technopark"]["stored"] == there.stats.stored
        stop.set()
        await running
    own = wire.lines("sf/demo/gyeongsan/[^/]+/data")
    assert any(str(SECRET) in line for line in own)
    assert any(line.startswith("shared,") and "destination=technopark" in line for line in own)
    towards = [one for one in wire.messages if "/shared/" in one.topic]
    everything = b"".join(one.payload for one in towards)
    assert b"4242" not in everything
    assert b"recipe" not in everything
    assert b"state" not in everything
    assert b"17.17" not in everything.replace(b"17.671875", b"")
    got = wire.lines(".*/shared/technopark")
    (minute,) = [line for line in got if line.startswith("aggregate,")]
    assert "kw_min=10.0,kw_mean=19.2929688,kw_max=30.0,kw_last=20.0,kw_count=4i" in minute
    spm = [line for line in got if " spm=" in line]
    assert [line.split(" ")[1].split(",")[0] for line in spm] == ["spm=10.5", "spm=17.671875", "spm=30.5", "spm=20.5"]
    assert not [line for line in got if not re.match("(aggregate|press|agent),", line)]
    heartbeats = [line for line in own if re.match(r"agent,\S+ connections=", line)]
    told = [line for line in got if line.startswith("agent,")]
    assert 1 <= len(told) <= -(-len(heartbeats) // 6), "once a minute"
    assert all(re.fullmatch(r"agent,\S+ connections=\di,connected=\di \d+", line) for line in told), told


@pytest.mark.wire
async def test_a_destination_that_is_away_holds_up_nobody_and_gets_everything_later(
    broker: Mosquitto, tmp_path: Path
) -> None:
    path, theirs = tmp_path / "site.yaml", Mosquitto(tmp_path / "theirs")
    there_too = f"PRS-01/state: kpi}}\n    mqtt: {{host: 127.0.0.1, port: {theirs.port}}}"
    path.write_text(SITE.format(port=broker.port).replace("PRS-01/state: kpi}", there_too))
    async with watched(broker) as wire:
        collector = Collector(load_site(path), tmp_path / "state", fast())
        (there,) = collector.destinations
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(collector.run(stop, 5.0))
            await until(lambda: collector.readings[0].tried.is_set())
            for delivery in await minute_of(collector, [10.0, 30.0, 20.0]):
                await collector.flow.take(collector.readings[0].source, delivery)
            told_ns = collector.clock.now_ns() + 2 * MINUTE_NS
            await until(lambda: collector.clock.now_ns() > told_ns)
            await until(lambda: there.stats.accepted >= 4 and collector.outbox.idle)
            assert any("share technopark" in one for one in collector.status()["troubles"])
            stop.set()
        assert there.stats.stored == 0
        assert not [one for one in wire.messages if "/shared/" in one.topic]
    with theirs:
        async with watched(theirs) as wire, asyncio.TaskGroup() as group:
            collector, stop = Collector(load_site(path), tmp_path / "state", fast()), asyncio.Event()
            (there,) = collector.destinations
            group.create_task(collector.run(stop, 0.1))
            await until(lambda: there.stats.stored >= 4 and there.outbox.idle)
            stop.set()
        got = wire.lines(".*/shared/technopark")
        assert len([line for line in got if line.startswith("aggregate,")]) == 1
        assert len([line for line in got if " spm=" in line]) == 3
        assert not [one for one in wire.messages if one.topic.endswith("/data")]


PLACES = {"P1": Place("press", "acme", "daegu", "", "P1")}
PER_SECOND = 200
"""Readings of a site that shares much."""
CRASHES: list[tuple[bool, bool]] = [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(("theirs", "ours"), CRASHES)
async def test_a_crash_during_the_handover_neither_repeats_nor_skips(
    tmp_path: Path, *, theirs: bool, ours: bool
) -> None:
    """Whether the destination's journal had the batch, and whether the agent's own knew it, before the end."""
    for _ in range(3):
        one = Handover(tmp_path)
        await one.turn(deliver=True, theirs=theirs, ours=ours)
        one.crash()
    last = Handover(tmp_path)
    await last.turn(deliver=False, theirs=True, ours=True)
    bodies = last.bodies()
    last.crash()
    assert [re.findall("kw=([0-9]+)", body) for body in bodies] == [[str(number)] for number in range(3)]


async def test_a_reload_during_the_handover_does_not_repeat(tmp_path: Path) -> None:
    """What is on its way to the destination's journal is not given to it again by the rule that follows."""
    one = Handover(tmp_path)
    for _ in range(3):
        await one.turn(deliver=True, theirs=False, ours=False)
        one.reload()
        await one.turn(deliver=False, theirs=False, ours=False)
    await one.turn(deliver=False, theirs=True, ours=True)
    assert [re.findall("kw=([0-9]+)", body) for body in one.bodies()] == [[str(number)] for number in range(3)]
    assert not one.share.pending
    one.crash()


class Handover:
    """The journals of an agent and of its destination, and one rule, without links and broker."""

    def __init__(self, folder: Path) -> None:
        self.own = Journal(folder / "journal", JournalSettings(min_free_bytes=0))
        self.own.open()
        self.engine = Engine(self.own.resume)
        self.reload()
        topics = AgentTopics("acme", "daegu", "a", "tp")
        limits = JournalSettings(min_free_bytes=0)
        clock, place = SystemClock(), Place("agent", "acme", "daegu", "", "a")
        self.there = Destination(
            "tp", ShareSettings(max_bytes=16 << 20), MqttSettings(), limits, topics, folder / "tp", clock, place, {}
        )

    def reload(self) -> None:
        """The configuration is read again."""
        self.share = Share("tp", self.own.epoch, {Ref("P1", "kw"): "raw"}, {}, PLACES)
        self.engine.follow([], PLACES, [self.share])

    async def turn(self, *, deliver: bool, theirs: bool, ours: bool) -> None:
        """One reading, as far on its way as the crash lets it come."""
        self.there.hand_over(self.share, self.own)
        await self.there.flow.flush()
        if deliver:
            number = int(self.own.resume.get("number", b"-1")) + 1
            self.engine.hear([Heard(10**18 + number, Ref("P1", "kw"), number, GOOD)])
            self._commit({"number": str(number).encode()})
            self.there.hand_over(self.share, self.own)
        if theirs:
            await self.there.flow.flush()
        if ours:
            self.engine.hear([])
            self._commit({})

    def second(self, second: int) -> None:
        """What a second brings, durable here, and handed over."""
        first = second * PER_SECOND
        self.engine.hear(
            [Heard(10**18 + second * 10**9 + at, Ref("P1", "kw"), at, GOOD) for at in range(first, first + PER_SECOND)]
        )
        self.engine.tick(10**18 + second * 10**9)
        self._commit({})
        self.there.hand_over(self.share, self.own)

    def _commit(self, more: dict[str, bytes]) -> None:
        lines = self.engine.gather(10**18)
        self.own.append(b"", 0, (1, 1), {**(lines.resume if lines else {}), **more})
        segment, records = self.own.take_uncommitted()
        self.own.sync(segment)
        self.own.committed(records)

    def bodies(self) -> list[str]:
        journal = self.there.journal
        found = [
            one.payload().decode() for segment in journal.segments for one in journal.walk(segment, 0, segment.size)
        ]
        return [one for one in found if one]

    def crash(self) -> None:
        """The process ends: nothing is flushed, and the locks are gone."""
        for journal in (self.own, self.there.journal):
            os.close(journal._lock_fd)
        self.there.quarantine.close()


async def test_what_its_journal_does_not_take_waits_with_the_share_and_is_counted_once(tmp_path: Path) -> None:
    """Its disk hangs while the agent's own goes on."""
    one = Handover(tmp_path)
    for second in range(200):
        one.second(second)
    assert one.there.flow.owed_bytes < (1 << 20) + (64 << 10)
    assert any("points were given up" in text for text in one.there.troubles)
    assert one.there.status()["dropped"] == one.share.lost > 0
    for second in range(200, 205):
        await one.there.flow.flush()
        one.second(second)
    await one.there.flow.flush()
    lines = [line for body in one.bodies() for line in body.splitlines()]
    values = [int(number) for line in lines for number in re.findall(" kw=([0-9]+)", line)]
    told = sum(
        int(number) for line in lines if line.startswith("gap,") for number in re.findall("count=([0-9]+)", line)
    )
    assert len(values) == len(set(values))
    assert len(values) + told == 205 * PER_SECOND
    assert told == one.share.lost
    one.crash()


async def test_an_agent_whose_state_fell_back_is_heard(tmp_path: Path) -> None:
    """Its state folder was restored from a backup; the destination's journal has numbers that it knows nothing of."""
    one = Handover(tmp_path)
    await one.turn(deliver=True, theirs=True, ours=True)
    one.crash()
    shutil.copytree(tmp_path / "journal", tmp_path / "backup")
    one = Handover(tmp_path)
    for _ in range(5):
        await one.turn(deliver=True, theirs=True, ours=True)
    one.crash()
    shutil.rmtree(tmp_path / "journal")
    (tmp_path / "backup").rename(tmp_path / "journal")
    one = Handover(tmp_path)
    for _ in range(3):
        await one.turn(deliver=True, theirs=True, ours=True)
        await one.turn(deliver=False, theirs=True, ours=True)
    one.crash()
    assert [re.findall("kw=([0-9]+)", body) for body in one.bodies()] == [[one] for one in "012345123"]


async def test_an_agent_that_begins_anew_is_heard(tmp_path: Path) -> None:
    """Its own journal is gone and numbers begin at one again; those of the destination's journal are of before."""
    for count in (1, 2):
        one = Handover(tmp_path)
        await one.turn(deliver=True, theirs=True, ours=True)
        assert len(one.bodies()) == count
        one.crash()
        shutil.rmtree(tmp_path / "journal")
