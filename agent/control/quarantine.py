"""What an agent does with its quarantine on request: retry and drop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import orjson
import structlog

from agent.control.server import Routes
from pipelines.clock import Clock
from pipelines.encode.split import time_of
from pipelines.errors import JournalCorrupt, JournalError
from pipelines.flow import Flow
from pipelines.lines import Lines
from pipelines.quarantine import Quarantine
from pipelines.stats import FlowStats

RETRY: Final = "/quarantine/retry"
DROP: Final = "/quarantine/drop"
_RESUME: Final = "quarantine"
"""Key of the journal's resume state: records whose lines a record of the journal carries since the last retry."""
_BATCH_BYTES: Final = 256 << 10
_BATCH_RECORDS: Final = 500
log = structlog.get_logger()


class QuarantineOrders:
    """Retry and drop of one agent; one at a time.

    The lines of a retry travel as a record of their own, which says in its resume state whose they are: after a crash
    between its commit and the removal from the quarantine, the next start removes them, so that no line is kept twice.

    Args:
        quarantine: open.
        flow: takes the lines.
        stats: counters.
        clock: the agent's.
    """

    def __init__(self, quarantine: Quarantine, flow: Flow, stats: FlowStats, clock: Clock) -> None:
        self._quarantine = quarantine
        self._flow = flow
        self._stats = stats
        self._clock = clock
        self._one = asyncio.Lock()
        self._travelled: list[str] = orjson.loads(flow.journal.resume.get(_RESUME) or b"[]")
        with suppress(JournalError):  # on a disk that takes nothing now; the next order removes them
            self._settle()

    @property
    def routes(self) -> Routes:
        """What is taken over the control socket."""
        return {RETRY: self.retry, DROP: self.drop}

    async def retry(self, said: dict[str, Any]) -> dict[str, Any]:
        """Send lines again; `said` names `records`, or `all`.

        Raises:
            ValueError: a record is not there.
            JournalError: the quarantine cannot be read or written.
        """
        async with self._one:
            self._settle()
            records, points = self._chosen(said), 0
            while records:
                batch, lines, records = self._batch(records)
                if batch:
                    await self._flow.put_alone(lines)
                    self._quarantine.remove(batch)
                    self._stats.retried += lines.points
                    points += lines.points
            log.info("quarantine_retried", points=points)
            return {"points": points, **self._left()}

    async def drop(self, said: dict[str, Any]) -> dict[str, Any]:
        """Let records go for good; `said` names `records`, or `all`.

        Raises:
            ValueError: a record is not there.
            JournalError: the quarantine cannot be read or written.
        """
        async with self._one:
            self._settle()
            records = self._chosen(said)
            before = self._quarantine.points
            self._quarantine.remove(records)
            points = before - self._quarantine.points
            log.warning("quarantine_dropped", records=len(records), points=points)
            return {"points": points, **self._left()}

    def _settle(self) -> None:
        """Remove what travels since an earlier process.

        Raises:
            JournalError: it could not be made durable.
        """
        if self._travelled:
            self._quarantine.remove(self._travelled)
            self._travelled = []

    def _chosen(self, said: dict[str, Any]) -> list[str]:
        return chosen(self._quarantine, said.get("records") or (), everything=bool(said.get("all")))

    def _left(self) -> dict[str, int]:
        return {"records_left": self._quarantine.records, "points_left": self._quarantine.points}

    def _batch(self, records: list[str]) -> tuple[list[str], Lines, list[str]]:
        """The first of these records, as many as fit; their lines; and the records behind them."""
        taken: list[str] = []
        found: list[bytes] = []
        points = size = 0
        for number, record in enumerate(records):
            try:
                refused = self._quarantine.refused(record)
            except JournalCorrupt as error:
                log.error("quarantine_altered", path=str(error.path), reason=error.reason)  # noqa: TRY400 - it says all
                continue
            here = [str(one["line"]).encode() for one in refused]
            if taken and (len(taken) == _BATCH_RECORDS or size + sum(map(len, here)) > _BATCH_BYTES):
                records = records[number:]
                break
            taken.append(record)
            found += here
            size += sum(map(len, here))
            points += sum(int(one["points"]) for one in refused)
        else:
            records = []
        times = [time for one in found if (time := time_of(one)) is not None] or [self._clock.now_ns()]
        body = b"".join(one + b"\n" for one in found)
        return taken, Lines(body, points, (min(times), max(times)), {_RESUME: orjson.dumps(taken)}), records


def chosen(quarantine: Quarantine, records: list[str] | tuple[str, ...], *, everything: bool) -> list[str]:
    """The records that are meant.

    Raises:
        ValueError: one of them is not there, or none is named.
    """
    kept = [entry.record for entry in quarantine.entries(None if everything else records)]
    missing = [] if everything else [record for record in records if record not in kept]
    if missing:
        msg = f"{missing[0]}: not in quarantine; `agent quarantine list` shows what is"
        raise ValueError(msg)
    if not everything and not records:
        msg = "name records, or --all; `agent quarantine list` shows them"
        raise ValueError(msg)
    return kept
