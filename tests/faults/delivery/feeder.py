"""`python -m tests.faults.delivery.feeder OPTIONS`: the real collector, reading a device that numbers its points.

It says on its output, a line each and at once: `O` it is open and what it found, `A` a delivery was accepted, `S` its
status, `E` it ended. What it said stays in the pipe when it is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.collector import Collector
from agent.logs import set_up_logs
from pipelines.clock import SystemClock
from pipelines.errors import JournalCorrupt
from pipelines.journal.journal import Journal, Stored
from pipelines.point import Delivery, scan_of
from tests.faults.delivery.numbers import ORIGIN_NS, ROW_NS, TAGS
from tests.faults.delivery.plant import Plugged, one_machine, stands_in

_STATUS_S: Final = 0.05


@dataclass
class Options:
    """What to feed.

    Attributes:
        state_dir: of the collector.
        first: number of the first row.
        rows: in a delivery.
        pause_s: from one delivery to the next; 0 = as fast as they are taken.
        most: deliveries after which no more come; 0 = no end.
        commit_each: whether each delivery is committed by itself.
        broker: its port; 0 = none is there.
        dump: file for the payloads of what was found in the journal; empty = none.
        drain_s: longest wait for confirmations at the end.
        journal: settings of the journal.
    """

    state_dir: str
    first: int = 0
    rows: int = 10
    pause_s: float = 0.0
    most: int = 0
    commit_each: bool = False
    broker: int = 0
    dump: str = ""
    drain_s: float = 0.0
    journal: dict[str, Any] = field(default_factory=dict)

    def words(self) -> list[str]:
        """The command line that feeds this."""
        return [sys.executable, "-m", "tests.faults.delivery.feeder", json.dumps(asdict(self))]


OPTIONS = Options("")
COLLECTORS: list[Collector] = []


def say(kind: str, **values: Any) -> None:
    os.write(1, f"{kind} {json.dumps(values)}\n".encode())


class Numbers(Plugged):
    """A device with an endless supply of numbered rows."""

    async def deliveries(self) -> AsyncIterator[Delivery]:
        due_s, row, given = time.monotonic(), OPTIONS.first, 0
        while not OPTIONS.most or given < OPTIONS.most:
            yield self._delivery(row)
            row, given = row + OPTIONS.rows, given + 1
            if OPTIONS.commit_each:
                await COLLECTORS[0].flow.flush()
            due_s = max(due_s + OPTIONS.pause_s, time.monotonic() - 1)
            await asyncio.sleep(max(0, due_s - time.monotonic()))
        await asyncio.Event().wait()

    def _delivery(self, row: int) -> Delivery:
        taken_ns, rows = time.monotonic_ns(), OPTIONS.rows
        numbers = np.arange(row * TAGS, (row + rows) * TAGS, dtype=np.int64)
        scan = scan_of(numbers % TAGS, ORIGIN_NS + numbers // TAGS * ROW_NS, numbers, dtype="int64")

        def accepted() -> None:
            say("A", first=row, rows=rows, taken_ns=taken_ns, accepted_ns=time.monotonic_ns())

        return Delivery((scan,), str(row + rows).encode(), (), accepted, device_time_ns=time.time_ns())


def waiting(journal: Journal) -> Iterator[tuple[Stored, bytes | None]]:
    """Every record that waits for its store, and its payload; None when it was altered, so that it is never sent."""
    for segment in journal.segments:
        for stored in journal.walk(segment, 0, segment.size):
            try:
                yield stored, stored.payload()
            except JournalCorrupt:
                yield stored, None


def dump(journal: Journal, path: Path) -> None:
    """Everything in the journal that will be sent."""
    path.write_bytes(b"".join(payload or b"" for _, payload in waiting(journal)))


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    started_s = time.monotonic()
    site = one_machine("numbers", TAGS, OPTIONS.broker or 1, **OPTIONS.journal)
    collector = Collector(site, Path(OPTIONS.state_dir), SystemClock())
    COLLECTORS.append(collector)
    opened_s = time.monotonic() - started_s
    if OPTIONS.dump:
        dump(collector.journal, Path(OPTIONS.dump))
    resume = int(collector.readings[0].source.link_resume or b"0")
    say("O", opened_s=opened_s, resume=resume, **collector.status())

    async def tell() -> None:
        while True:
            say("S", **collector.status())
            await asyncio.sleep(_STATUS_S)

    telling = asyncio.create_task(tell())
    done = await collector.run(stop, OPTIONS.drain_s)
    telling.cancel()
    say("E", done=done, **collector.status())


if __name__ == "__main__":
    set_up_logs("info")
    OPTIONS = Options(**json.loads(sys.argv[1]))
    stands_in(Numbers)
    asyncio.run(main())
