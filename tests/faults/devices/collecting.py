"""A collector to be killed: one OPC UA link under the supervisor, its resume state in a file.

`python -m tests.faults.devices.collecting SETTINGS.json RESUME|-` prints a line `up` at the first reading of each link
and `down REASON` when one ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.supervise import keep_open
from connectors.base import LinkContext
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.link import OpcUaLink
from pipelines.clock import SystemClock
from pipelines.errors import LinkError
from pipelines.stats import LinkStats
from tests.connectors.opcua.conftest import Consumer


@dataclass
class Watched:
    """A consumer under the supervisor, and when its link went."""

    one: Consumer
    downs: list[float] = field(default_factory=list)
    readings: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def session(self, opened: Callable[[], None]) -> None:
        try:
            async with self.one.link() as link:
                opened()
                async for delivery in link.deliveries():
                    self.one.commit(delivery)
                    self.readings += sum(len(scan) for scan in delivery.scans)
                    self.changed.set()
        except LinkError as error:
            self.one.error = error
            self.downs.append(time.monotonic())
            self.changed.set()
            raise

    async def until(self, done: Callable[[], bool]) -> float:
        async with asyncio.timeout(60):
            while not done():
                self.changed.clear()
                await self.changed.wait()
        return time.monotonic()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def read(kept: Path | None) -> bytes | None:
    return kept.read_bytes() if kept and kept.exists() else None


def write(kept: Path | None, resume: bytes | None) -> None:
    if kept and resume:
        part = kept.with_suffix(".part")
        part.write_bytes(resume)
        part.replace(kept)


async def collect(settings: OpcUaConnection, kept: Path | None) -> None:
    stats = LinkStats()

    async def session(opened: Callable[[], None]) -> None:
        resume = read(kept)
        heard = False
        try:
            async with OpcUaLink(LinkContext(settings, resume, SystemClock(), stats)) as link:
                opened()
                async for delivery in link.deliveries():
                    write(kept, delivery.resume)
                    delivery.accepted()
                    if not heard and any(len(scan) for scan in delivery.scans):
                        heard = True
                        say("up")
        except LinkError as error:
            say(f"down {error.wait_s:g} {error.reason}")
            raise

    await keep_open(settings.name, session)


if __name__ == "__main__":
    given = OpcUaConnection.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    asyncio.run(collect(given, None if sys.argv[2] == "-" else Path(sys.argv[2])))
