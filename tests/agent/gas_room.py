"""A room with a gas detector and a tank on one PLC: a safety alarm and one to be shelved, kept by a real agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from agent.collector import Collector
from agent.site import Site
from pipelines.clock import Clock, ScaledClock
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.sinks.lineprotocol import parse
from tests.pipelines.waiting import until

CLOCK: Final = ScaledClock(time.time_ns(), 20.0)
"""Twenty seconds of the agent per real one."""
GAS: Final = (1, 4, 0)
LEVEL: Final = (1, 4, 1)


def site_of(port: int, **more: Any) -> Site:
    """Its site file; `more` takes the place of its keys."""
    tags = [
        {"name": name, "table": "input", "address": at, "datatype": "uint16"}
        for at, name in enumerate(("gas", "level"))
    ]
    plc = {"type": "modbus", "name": "plc", "host": "127.0.0.1", "port": port, "machine": "GD-01", "tags": tags}
    labels = {"label": {"ko": "암모니아 고농도", "en": "NH3 high"}, "action": {"ko": "대피", "en": "Leave the room"}}
    gas = {"name": "nh3_high", "tag": "gas", "above": 25, "safety": True, "priority": "urgent", **labels}
    level = {"name": "level_high", "tag": "level", "above": 90, "deadband": 5, "priority": "caution"}
    return Site.model_validate(
        {
            "company": "acme",
            "site": "hall",
            "machines": {"GD-01": {"class": "gas_detector"}},
            "connections": [{**plc, "period_s": 1.0, "timeout_s": 0.5}],
            "alarms": [{"machine": "GD-01", **one} for one in (gas, level)],
            "mqtt": {"host": "127.0.0.1", "port": 1},
            "journal": {"min_free_bytes": 0},
            **more,
        }
    )


@asynccontextmanager
async def running(site: Site, folder: Path, clock: Clock = CLOCK) -> AsyncIterator[Collector]:
    """Its agent, once it has tried the PLC."""
    collector = Collector(site, folder, clock)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(collector.run(stop, 0.0))
        await until(lambda: collector.ready)
        try:
            yield collector
        finally:
            stop.set()
            await task


def points(folder: Path, measurement: str, *fields: str) -> list[tuple[Any, ...]]:
    """(time, field …) of the records in a journal, oldest first, each time once."""
    journal = Journal(folder / "journal", JournalSettings.model_validate({"min_free_bytes": 0}))
    journal.open()
    bodies = [one.payload() for segment in journal.segments for one in journal.walk(segment, 0, segment.size)]
    journal.close()
    rows: dict[int, dict[str, Any]] = {}
    for column in parse(b"".join(bodies)):
        if column.measurement == measurement:
            for time_ns, value in zip(column.time_ns.tolist(), column.value.tolist(), strict=True):
                rows.setdefault(time_ns, {})[column.field] = value
    return [(at_ns, *(row.get(one) for one in fields)) for at_ns, row in sorted(rows.items())]
