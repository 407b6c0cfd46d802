"""A bridge under test, the agents before it, and a store behind it that does as it is told."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from pipelines.bridge import Bridge
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import LinkError, SinkUnavailable
from pipelines.sinks.base import Sink
from tests.pipelines.waiting import until
from tests.services.influxd import Influxd
from tests.services.mosquitto import Mosquitto

EPOCH = secrets.token_hex(16)
DEADLINE_S = 8.0

OWN = b"m,company=C,site=S"


def later() -> SinkUnavailable:
    """What a store says that is away for longer than any test."""
    return SinkUnavailable("gate", "later", 3600)


class Gate(Sink):
    """A store under the test's control: it waits until opened, then takes, refuses or fails as it is told."""

    name = "gate"

    def __init__(self, fault: Exception | None = None, *, opened: bool = False) -> None:
        self.open = asyncio.Event()
        if opened:
            self.open.set()
        self.entered = 0
        self.bodies: list[tuple[str, bytes]] = []
        self.fault = fault
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


def rows(server: Influxd, database: str, text: str = "SELECT count(f) FROM m") -> Any:
    answer = json.loads(server.query(text, database))["results"][0]
    return answer["series"][0]["values"] if "series" in answer else []
