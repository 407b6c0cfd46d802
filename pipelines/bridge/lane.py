"""The messages of one company, what its store asked for, and whether its loop moves."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from pipelines.bridge.record import Record
from pipelines.errors import SinkUnavailable

_BATCH_BYTES: Final = 4 << 20
_BATCH_S: Final = 0.02
_BACKOFF_S: Final = (0.2, 10.0)
"""Longest of the random waits, first and at last: some twelve requests a minute of a store that stays away. An agent
waits longer for what is held here (`pipelines/delivery/patience.py`)."""
PATIENCE: Final = 3
"""Failures in a row after which a company hands back what it cannot hold."""
_STUCK_S: Final = 30.0
"""A lane that neither waits nor writes turns within this."""
_WRITE_STUCK_S: Final = 120.0
"""A single write that takes so long is stuck: an unreachable store answers with its time-out long before."""


@dataclass(slots=True)
class Away:
    """A company's store that cannot take anything now; kept from one session to the next.

    Attributes:
        failures: attempts in a row that failed.
        until_s: monotonic time before which nothing is sent to it.
        error: why.
    """

    failures: int = 0
    until_s: float = 0.0
    error: str = ""

    def failed(self, error: SinkUnavailable) -> None:
        """One attempt more; the next one comes after what the store asked for and a random part that doubles."""
        self.failures += 1
        self.error = error.reason
        longest_s = min(_BACKOFF_S[0] * 2 ** min(self.failures - 1, 16), _BACKOFF_S[1])
        wait_s = (error.retry_after_s or 0) + random.uniform(0, longest_s)  # noqa: S311 - no secret
        self.until_s = time.monotonic() + wait_s


@dataclass(slots=True)
class Lane:
    """The messages of one company that are not acknowledged.

    Attributes:
        company: the tenant.
        away: its store, when that cannot take anything.
        records: waiting, oldest first.
        arrived: set when one came or the session ended.
        busy: records that are being stored.
        due_s: monotonic time by which the loop has to show again that it moves.
    """

    company: str
    away: Away
    records: deque[Record] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    busy: int = 0
    due_s: float = field(default_factory=lambda: time.monotonic() + _STUCK_S)

    @property
    def held(self) -> int:
        """Messages that are not acknowledged."""
        return self.busy + len(self.records)

    def turned(self) -> None:
        """The loop moved."""
        self.due_s = time.monotonic() + _STUCK_S

    def writes(self) -> None:
        """The loop waits for an answer of the store."""
        self.due_s = time.monotonic() + _WRITE_STUCK_S

    def rests(self) -> None:
        """The loop waits until the store may be asked again."""
        self.due_s = max(time.monotonic(), self.away.until_s) + _STUCK_S

    async def batch(self) -> list[Record]:
        """The first record and what comes within a moment, up to a size."""
        batch: list[Record] = []
        size = 0
        until = time.monotonic() + _BATCH_S
        while True:
            while self.records and size < _BATCH_BYTES:
                batch.append(self.records.popleft())
                size += len(batch[-1].body)
            left = until - time.monotonic()
            if size >= _BATCH_BYTES or left <= 0:
                return batch
            self.arrived.clear()
            self.busy = len(batch)
            try:
                async with asyncio.timeout(left):
                    await self.arrived.wait()
            except TimeoutError:
                return batch
