"""What the store refuses is kept by a thread: a disk that takes its time holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.errors import JournalFull
from pipelines.topics import RecordId
from tests.pipelines.delivery.test_uplink import Agent
from tests.pipelines.waiting import until

RECORDS = 5


class Disk:
    """Takes an entry when the test lets it."""

    def __init__(self, agent: Agent, *, full: bool = False) -> None:
        self.let = threading.Event()
        self.asked: list[RecordId] = []
        self._put = agent.quarantine.put
        self._full = full
        agent.quarantine.put = self.put  # type: ignore[method-assign]

    def put(self, record: RecordId, refused: Sequence[dict[str, Any]]) -> None:
        self.asked.append(record)
        assert self.let.wait(10)
        if self._full:
            raise JournalFull("quarantine.db", "it is full")
        self._put(record, refused)


async def sent(folder: Path) -> tuple[Agent, list[RecordId]]:
    """An agent with records on their way."""
    anywhere: Any = SimpleNamespace(host="127.0.0.1", port=1)
    agent = Agent(folder, anywhere)
    agent.outbox.connected()
    for _ in range(RECORDS):
        await agent.put()
    flights = [agent.outbox.next(1.0) for _ in range(RECORDS)]
    return agent, [flight.stored.id for flight in flights if flight]


def refuse(agent: Agent, record: RecordId) -> None:
    stored = agent.outbox.get(record)
    assert stored is not None
    line = stored.payload().decode().rstrip("\n")
    said = {"line": line, "field": "f", "points": 1, "reason": "no"}
    agent.uplink.refusals.heed(stored, {"record": str(record), "refused": [said]})


async def test_a_slow_disk_holds_up_nobody_and_nothing_is_released_before_it_is_kept(tmp_path: Path) -> None:
    agent, records = await sent(tmp_path)
    disk, refusals = Disk(agent), agent.uplink.refusals
    for record in records:
        refuse(agent, record)
    refuse(agent, records[0])  # the broker brings it twice
    assert all(refusals.keeps(record) for record in records)
    await until(lambda: bool(disk.asked))
    assert (agent.stats.quarantined, agent.outbox.in_flight) == (0, RECORDS)
    disk.let.set()
    await until(lambda: agent.stats.quarantined == RECORDS)
    assert disk.asked == records
    assert (agent.quarantine.records, agent.flow.imbalance, agent.outbox.idle) == (RECORDS, 0, True)
    assert not any(refusals.keeps(record) for record in records)
    agent.journal.close()


async def test_what_cannot_be_kept_is_parked(tmp_path: Path) -> None:
    agent, records = await sent(tmp_path)
    disk = Disk(agent, full=True)
    disk.let.set()
    refuse(agent, records[0])
    await until(lambda: records[0] in agent.outbox.parked)
    assert not agent.uplink.refusals.keeps(records[0])
    assert (agent.stats.quarantined, agent.flow.imbalance) == (0, 0)
    agent.journal.close()


async def test_the_end_waits_for_what_is_being_kept_and_leaves_the_rest_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent, records = await sent(tmp_path)
    disk = Disk(agent)
    for record in records:
        refuse(agent, record)
    await until(lambda: bool(disk.asked))
    disk.let.set()
    agent.uplink.refusals.close()
    await until(lambda: agent.stats.quarantined == agent.quarantine.records)
    assert 1 <= agent.quarantine.records <= RECORDS
    assert agent.flow.points_queued == RECORDS - agent.quarantine.records
    assert (agent.flow.imbalance, caplog.records) == (0, [])
    agent.journal.close()
