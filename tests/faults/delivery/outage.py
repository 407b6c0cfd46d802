"""`python -m tests.faults.delivery.outage collect|store OPTIONS`: both ends of a long outage, each in its own process.

`collect` is the real collector. Its device gives rows of `TAGS` values as fast as they are taken, a second each: some
while all is well, then, once it is told so (SIGUSR2), those of the outage, and then live rows with the time it is.
`store` is the real bridge over the embedded store; it notes how long each live row took and whether rows came in order.
Both say what they see on their output, a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.collector import Collector
from agent.logs import set_up_logs
from agent.supervise import keep_open
from pipelines.bridge import Bridge, Record
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.point import Delivery, scan_of
from pipelines.sinks.duckdb import DuckDbSink
from tests.faults.delivery.plant import Plugged, one_machine, stands_in

TAGS: Final = 100
SECOND_NS: Final = 10**9
_ROWS: Final = 10
"""Rows given at once during the outage."""
_TELL_S: Final = 0.25
_ROW: Final = re.compile(rb"^meter,\S* \S* (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Options:
    """One of the two processes.

    Attributes:
        folder: of the collector's state, or of the store.
        broker: its port.
        first_ns: time of the first row.
        before: rows while all is well.
        rows: with those of the outage.
        live_s: from one row to the next once it is over.
    """

    folder: str
    broker: int
    first_ns: int
    before: int
    rows: int
    live_s: float = 1.0

    def words(self, part: str) -> list[str]:
        """The command line of that part."""
        return [sys.executable, "-m", "tests.faults.delivery.outage", part, json.dumps(asdict(self))]

    @property
    def end_ns(self) -> int:
        """When the outage is over."""
        return self.first_ns + self.rows * SECOND_NS


def say(**values: Any) -> None:
    os.write(1, (json.dumps(values) + "\n").encode())


def rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") >> 10)


class Compressed:
    """Hours in seconds while the broker is away, the machine's own clock afterwards."""

    rate = 1.0

    def __init__(self, now_ns: int) -> None:
        self.outage_ns: int | None = now_ns

    def now_ns(self) -> int:
        return self.outage_ns or time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()


class Device:
    """What the connector reads: one for the process."""

    options: Options
    clock: Compressed
    given = 0
    accepted = 0
    live: Final[list[int]] = []
    stop = asyncio.Event()
    outage = asyncio.Event()


def row_values(first: int, rows: int) -> Any:
    """Values of rows in their order."""
    return np.arange(first * TAGS, (first + rows) * TAGS, dtype=np.int64)


class Rows(Plugged):
    """A device that is read while nobody takes what was read, and after that."""

    async def deliveries(self) -> AsyncIterator[Delivery]:
        options = Device.options
        while Device.given < options.rows:
            if Device.given == options.before:
                await Device.outage.wait()
            rows = min(_ROWS, options.rows - Device.given)
            numbers = row_values(Device.given, rows)
            time_ns = options.first_ns + numbers // TAGS * SECOND_NS
            Device.clock.outage_ns = int(time_ns[-1])
            Device.given += rows
            yield self._delivery(numbers, time_ns, rows)
        Device.clock.outage_ns = None
        due_s = time.monotonic()
        while not Device.stop.is_set():
            now_ns = time.time_ns()
            Device.live.append(now_ns)
            Device.given += 1
            yield self._delivery(row_values(Device.given - 1, 1), np.full(TAGS, now_ns), 1)
            due_s += options.live_s
            await asyncio.sleep(max(0, due_s - time.monotonic()))
        await asyncio.Event().wait()

    def _delivery(self, numbers: Any, time_ns: Any, rows: int) -> Delivery:
        def accepted() -> None:
            Device.accepted += rows

        return Delivery((scan_of(numbers % TAGS, time_ns, numbers, dtype="int64"),), None, (), accepted)


async def collect(options: Options) -> None:
    """Until told to stop (SIGTERM); no row is given any more after the first SIGUSR1."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, Device.stop.set)
    loop.add_signal_handler(signal.SIGUSR2, Device.outage.set)
    Device.options, Device.clock = options, Compressed(options.first_ns)
    stands_in(Rows)
    collector = Collector(one_machine("rows", TAGS, options.broker), Path(options.folder), Device.clock)

    def tell() -> None:
        status = collector.status()
        said = {key: status[key] for key in ("points", "broker", "records")}
        say(
            given=Device.given,
            accepted=Device.accepted,
            live=Device.live,
            rss_kib=rss_kib(),
            stopped=Device.stop.is_set(),
            idle=collector.outbox.idle,
            **said,
        )

    async def telling() -> None:
        while True:
            tell()
            await asyncio.sleep(_TELL_S)

    task = asyncio.create_task(telling())
    await collector.run(stop, 0)
    task.cancel()


class Watched(Bridge):
    """A bridge that notes the order of what comes first."""

    def watch(self, end_ns: int) -> None:
        self.end_ns = end_ns
        self.newest = {"live": 0, "historical": 0}
        self.inversions = {"live": 0, "historical": 0}
        self.repeated = 0
        self.seen: set[str] = set()

    def _record(self, session: MqttSession, message: Message) -> Record | None:
        record = super()._record(session, message)
        if record is not None:
            stamps = [int(stamp) for stamp in _ROW.findall(record.message.payload)]
            if str(record.id) in self.seen:
                self.repeated += 1
            elif stamps:
                stream = "historical" if "historical" in message.properties else "live"
                times = [self.newest[stream], *stamps]
                self.inversions[stream] += sum(two <= one for one, two in pairwise(times))
                self.newest[stream] = max(times)
            self.seen.add(str(record.id))
        return record


class Timed(DuckDbSink):
    """A store that notes how old live rows are once they are in it."""

    end_ns = 0
    took_s: Final[dict[int, float]] = {}

    async def write(self, company: str, body: bytes) -> None:
        await super().write(company, body)
        now_ns = time.time_ns()
        for stamp in _ROW.findall(body):
            if int(stamp) > self.end_ns:
                self.took_s.setdefault(int(stamp), (now_ns - int(stamp)) / SECOND_NS)


async def store(options: Options) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sink = Timed(Path(options.folder) / "store.duckdb")
    sink.end_ns = options.end_ns
    bridge = Watched(MqttSettings(port=options.broker), sink, "sf-bridge")
    bridge.watch(options.end_ns)
    running = asyncio.create_task(keep_open("bridge", bridge.run))
    await stop.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await sink.close()
    say(took_s=sink.took_s, inversions=bridge.inversions, repeated=bridge.repeated, rss_kib=rss_kib())


if __name__ == "__main__":
    set_up_logs("info")
    asyncio.run({"collect": collect, "store": store}[sys.argv[1]](Options(**json.loads(sys.argv[2]))))
