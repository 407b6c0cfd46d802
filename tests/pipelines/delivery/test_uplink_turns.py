"""A backlog that is packed and sent leaves the event loop to others in between."""

from __future__ import annotations

import asyncio
import errno
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipelines.errors import LinkClosed
from pipelines.journal.segment import Segment
from tests.pipelines.delivery.test_uplink import Agent
from tests.pipelines.waiting import until

RECORDS = 20


class Wire:
    """Takes what is sent and says nothing; ends with the last record."""

    def __init__(self, turns: list[int], records: int = RECORDS) -> None:
        self.over: LinkClosed | None = None
        self.max_packet_bytes = None
        self.at: list[int] = []
        self._turns = turns
        self._records = records

    def publish(self, topic: str, *_: Any, **__: Any) -> None:
        if topic.endswith("/data"):
            self.at.append(len(self._turns))
        if len(self.at) == self._records:
            self.over = LinkClosed("here", "enough")


async def test_each_record_lets_the_others_turn(tmp_path: Path) -> None:
    anywhere: Any = SimpleNamespace(host="127.0.0.1", port=1)
    agent = Agent(tmp_path, anywhere)
    for number in range(RECORDS):
        await agent.put(b"m,company=C,site=S f=1 %d\n" % number)
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    agent.outbox.connected()
    wire: Any = Wire(turns)
    with pytest.raises(LinkClosed):
        await agent.uplink._send(wire)
    beside.cancel()
    assert len(set(wire.at)) == RECORDS
    agent.journal.close()


async def test_a_backlog_that_cannot_be_read_now_ends_the_session_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anywhere: Any = SimpleNamespace(host="127.0.0.1", port=1)
    agent = Agent(tmp_path, anywhere)
    await agent.put(b"m,company=C,site=S f=1 1\n")
    agent.outbox.connected()

    def failing(_: Segment) -> None:
        raise OSError(errno.EMFILE, "Too many open files", str(agent.journal.folder))

    monkeypatch.setattr(Segment, "heads", failing)
    with pytest.raises(LinkClosed, match="journal: cannot read a segment: Too many open files"):
        await agent.uplink._send(cast("Any", Wire([])))
    agent.journal.close()


async def test_a_backlog_without_an_end_does_not_look_like_standing_still(tmp_path: Path) -> None:
    anywhere: Any = SimpleNamespace(host="127.0.0.1", port=1)
    agent = Agent(tmp_path, anywhere)
    await agent.put(b"m,company=C,site=S f=1 1\n")
    agent.outbox.connected()
    flight = agent.outbox.next(1.0)
    agent.outbox.next = lambda _: flight  # type: ignore[method-assign]
    sending = asyncio.create_task(agent.uplink._send(cast("Any", Wire([], 10**9))))
    await until(lambda: agent.uplink._turned_s != math.inf)
    first_s = agent.uplink._turned_s
    await until(lambda: agent.uplink._turned_s != first_s)
    sending.cancel()
    agent.journal.close()
