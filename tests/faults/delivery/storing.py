"""Agents, bridges and a database of the tests, and the comparison of what was sent with what is stored."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from pipelines.bridge import Bridge
from pipelines.clock import SystemClock
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import LinkError
from pipelines.expired import expiry_gaps
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.sinks.base import Sink
from tests.pipelines.delivery.test_uplink import Agent, running
from tests.pipelines.waiting import until
from tests.services.influxd import Influxd
from tests.services.mosquitto import Mosquitto

QUERY_S = 300
Point = tuple[str, str, int]
"""Machine, field and time."""


def line(company: str, machine: str, field: str, value: str, time_ns: int) -> bytes:
    """One point of measurement `m`."""
    return f"m,company={company},machine={machine},site=S {field}={value} {time_ns}\n".encode()


def give(agent: Agent, body: bytes) -> None:
    """A record on its way: one point a line, and the lines in order of time."""
    times = [int(one.rsplit(b" ", 1)[1]) for one in body.splitlines()]
    agent.flow.put(Lines(body, len(times), (min(times), max(times)), {}))


@asynccontextmanager
async def sending(folder: Path, broker: Mosquitto, company: str = "C", name: str = "A") -> AsyncIterator[Agent]:
    """An agent behind its sources; its accounts hold at every instant."""
    agent = Agent(folder, broker, names=(company, name))
    place = Place("agent", company, "S", "", name)
    agent.uplink.refusals.on_expired = expiry_gaps(agent.flow, place, SystemClock())
    async with running(agent.keep_open(), agent.flow.run()):
        await until(lambda: agent.sessions)
        yield agent
    assert agent.imbalances <= {0}
    assert agent.flow.imbalance == 0
    agent.journal.close()
    agent.quarantine.close()


@asynccontextmanager
async def bridge_to(sink: Sink, broker: Mosquitto) -> AsyncIterator[Bridge]:
    """A bridge that is opened again as the supervisor does."""
    bridge = Bridge(MqttSettings(host=broker.host, port=broker.port), sink, f"bridge-{secrets.token_hex(4)}")
    opened = asyncio.Event()

    async def keep_open() -> None:
        while True:
            try:
                await bridge.run(opened.set)
            except LinkError:
                await asyncio.sleep(0.05)

    async with running(keep_open()):
        await until(opened.is_set)
        yield bridge


def stored(server: Influxd, database: str, measurement: str = "m") -> dict[Point, Any]:
    """Every point of a database."""
    query = f'SELECT * FROM "{measurement}" GROUP BY machine'  # noqa: S608 - a test's own name
    asked = urlencode({"q": query, "db": database, "epoch": "ns"})
    said = urllib3.request("GET", f"{server.url}/query?{asked}", timeout=QUERY_S, retries=False).data
    answer = json.loads(said)["results"][0]
    found = {}
    for series in answer.get("series", ()):
        names = series["columns"]
        for row in series["values"]:
            for name, value in zip(names[1:], row[1:], strict=True):
                if value is not None and name not in {"company", "site"}:
                    found[series["tags"]["machine"], name, row[0]] = value
    return found


@dataclass(frozen=True, slots=True)
class Compared:
    """Points of the truth that are not stored, stored ones that are not of it, and those with another value."""

    missing: int
    duplicated: int
    altered: int


def compare(truth: dict[Point, Any], found: dict[Point, Any]) -> Compared:
    """What is stored against what was sent."""
    return Compared(
        len(truth.keys() - found.keys()),
        len(found.keys() - truth.keys()),
        sum(found[key] != truth[key] for key in truth.keys() & found.keys()),
    )
