"""Publish, the whole agent path, and the bridge: with a real mosquitto beside this process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import paho.mqtt.client as paho
from influxdb_client import Point
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.broker import local_broker
from benchmarks import opcua
from benchmarks.pipeline import NOW_NS, SERIES, N, encoder
from benchmarks.timing import Stage
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.messages import published
from pipelines.bridge import Bridge
from pipelines.clock import SystemClock
from pipelines.delivery.births import Births
from pipelines.delivery.mqtt import MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.delivery.outbox import Outbox
from pipelines.delivery.uplink import Uplink
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.ledger.ledger import Ledger
from pipelines.place import Place
from pipelines.point import Delivery, Scan
from pipelines.quarantine import Quarantine
from pipelines.sinks.base import Sink
from pipelines.source import Source
from pipelines.stats import FlowStats
from pipelines.topics import AgentTopics, RecordId

CYCLE = 25
"""Notifications of opcua.N values each that are on their way together: 25,000 values a cycle."""
SLOW = 500
"""Values per call of the slow way, so that a round stays short."""
AGENT = AgentTopics("demo", "gyeongsan", "bench")
PLACE = Place("press", "demo", "gyeongsan", "L1", "PRS-01")


class Background:
    """An event loop in a thread of its own, with a broker beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self.settings = MqttSettings()
        self.kind = ""
        self._children: list[subprocess.Popen[bytes]] = []
        self._main: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def listen(self, topic: str) -> None:
        """A subscriber in a process of its own, so that its CPU time is not ours."""
        command = [sys.executable, "-m", "benchmarks.listener", self.settings.host, str(self.settings.port), topic]
        listener = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert listener.stdout is not None
        listener.stdout.readline()
        self._children.append(listener)

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
            child.wait()
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._main = asyncio.current_task()
        async with local_broker(self.folder / "broker") as broker:
            self.settings = MqttSettings(host=broker.host, port=broker.port)
            self.kind = broker.kind
            self._ready.set()
            await self._stop.wait()

    def finish(self) -> None:
        """Cancel what runs in the loop."""

        async def cancel() -> None:
            for task in asyncio.all_tasks():
                if task not in {asyncio.current_task(), self._main}:
                    task.cancel()

        self.run(cancel)

    def run(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine there and wait for it."""

        async def inside() -> Any:
            return await call()

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result()


class _Paho:
    """A plain script's client: QoS 1, waits until everything it sent is acknowledged."""

    def __init__(self, settings: MqttSettings) -> None:
        self.left = 0
        self._done = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_publish = self._acknowledged
        self.client.connect(settings.host, settings.port)
        self.client.loop_start()

    def _acknowledged(self, *_: object) -> None:
        self.left -= 1
        if self.left == 0:
            self._done.set()

    def publish(self, payloads: list[bytes]) -> None:
        self.left = len(payloads)
        self._done.clear()
        for payload in payloads:
            self.client.publish("plain/data", payload, 1)
        self._done.wait()


class _Discard(Sink):
    """A store that takes everything at once: what is measured is the bridge."""

    name = "discard"

    async def write(self, company: str, body: bytes) -> None:
        """Take it."""


class _Agent:
    """Everything behind the decoder, as the collector puts it together."""

    def __init__(self, background: Background) -> None:
        self.bg = background
        tags = [{"name": f"t{number}", "node": f"ns=2;i={number}"} for number in range(opcua.N)]
        settings = OpcUaConnection.model_validate(
            {"name": "c", "type": "opcua", "endpoint": "opc.tcp://h:1", "machine": "M", "tags": tags}
        )
        self.journal = Journal(background.folder / "agent", JournalSettings(min_free_bytes=0, max_bytes=256 << 20))
        ledger = Ledger(background.folder / "ledger", 64 << 20, SystemClock())
        self.journal.on_finished = ledger.finished
        self.journal.open()
        self.stats = FlowStats()
        self.flow = Flow(self.journal, SystemClock(), self.stats, PLACE)
        self.outbox = Outbox(self.journal, self.stats, self.flow.is_durable)
        quarantine = Quarantine(background.folder)
        births = Births(background.folder, self.journal.epoch, [], {})
        self.uplink = Uplink(background.settings, AGENT, self.outbox, quarantine, "broker", births)
        self.flow.on_record, self.flow.on_appended = self.outbox.add, ledger.sums.add
        self.flow.on_change = self.uplink.wake
        self.source = Source(settings, [PLACE] * opcua.N, {})
        self.raw = opcua.publish_response()

    async def cycle(self) -> None:
        """25,000 values from notification bytes to durable and acknowledged by the broker."""
        for _ in range(CYCLE):
            message = published(opcua.Buffer(self.raw), 0).message
            now_ns = SystemClock().now_ns()
            scans = tuple(
                Scan(one.handle.astype(np.int32), np.full(len(one.handle), now_ns), one.value, one.status)
                for one in message.columns
            )
            await self.flow.take(self.source, Delivery(scans, device_time_ns=None))
        await self.flow.flush()
        while not self.outbox.idle:
            self.outbox.settle()
            await asyncio.sleep(0.001)
        await self.flow.finisher.turn()


def stages(background: Background) -> list[Stage]:
    """Publish, agent_path and bridge."""
    lines = encoder()
    tag = np.arange(N, dtype=np.int32)
    body = lines.lines([lines.values(tag, np.full(N, NOW_NS), np.random.default_rng(1).normal(100, 20, N))])
    plain = _Paho(background.settings)
    single = [b"%d" % number for number in range(SLOW)]
    return [
        Stage(
            "publish",
            "a record of 5,000 values, QoS 1, acknowledged",
            "paho, one value a message",
            (N * 20, SLOW),
            lambda: plain.publish([body] * 20),
            lambda: plain.publish(single),
        ),
        _agent_path(background, plain),
        _bridge(background, body),
    ]


def _agent_path(background: Background, plain: _Paho) -> Stage:
    agent = background.run(lambda: _started(_Agent, background))
    background.listen(AGENT.data)
    asyncio.run_coroutine_threadsafe(agent.uplink.run(lambda: None), background.loop)
    raw = opcua.publish_response()
    loop = asyncio.new_event_loop()

    def script() -> None:
        """asyncua's handler, one Point and one message per value; nothing is durable."""
        rows = loop.run_until_complete(opcua.library_rows(raw))
        payloads = [
            Point("press").tag("machine", "PRS-01").field(f"t{node}", value).time(when).to_line_protocol().encode()
            for node, when, value in rows
        ]
        plain.publish(payloads)

    what = "notification bytes to durable, published QoS 1 and acknowledged; 25,000 values a cycle"
    theirs = "asyncua handler, Point, paho per value; not durable"
    return Stage("agent_path", what, theirs, (CYCLE * opcua.N, opcua.N), lambda: background.run(agent.cycle), script)


async def _started(kind: Any, *arguments: Any) -> Any:
    """Made inside the loop it will run in."""
    return kind(*arguments)


def _bridge(background: Background, body: bytes) -> Stage:
    records = 20
    confirmed = threading.Event()
    state: dict[str, Any] = {"left": 0, "counter": 0}
    topics = AgentTopics("demo", "gyeongsan", "feeder")

    async def start() -> MqttSession:
        bridge = Bridge(background.settings, _Discard(), "bench-bridge")
        ready = asyncio.Event()
        state["task"] = asyncio.ensure_future(bridge.run(ready.set))
        await ready.wait()

        def heard(message: Any) -> None:
            state["left"] -= len(message.payload.split())
            if state["left"] <= 0:
                confirmed.set()

        session = await MqttSession(background.settings, "bench-feeder", heard).__aenter__()
        await session.subscribe([topics.stored])
        return session

    def feed() -> None:
        if "session" not in state:  # not before, or it would take what the agent path publishes
            state["session"] = background.run(start)
        session = state["session"]
        confirmed.clear()
        state["left"] = records
        for _ in range(records):
            state["counter"] += 1
            properties = {"agent": "feeder", "record": str(RecordId("ab" * 16, state["counter"]))}
            session.publish(topics.data, body, properties)
        confirmed.wait()

    values = [{"tag": f"tag{number}", "time": NOW_NS, "value": number * 1.1} for number in range(SLOW)]
    payload = json.dumps(values).encode()

    def script() -> str:
        return "\n".join(
            Point(SERIES.measurement)
            .tag("machine", "PRS-01")
            .field(row["tag"], row["value"])
            .time(row["time"])
            .to_line_protocol()
            for row in json.loads(payload)
        )

    what = "record from the broker to the store's body and back as stored, its feeder included"
    return Stage("bridge", what, "json.loads and influxdb_client.Point", (N * records, SLOW), feed, script)
