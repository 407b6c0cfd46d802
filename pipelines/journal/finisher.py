"""Seals, finishes and deletes segments that are not written any more: in a worker thread that holds up no commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import structlog

from pipelines.errors import JournalError
from pipelines.journal.journal import Journal
from pipelines.journal.recovery import Found
from pipelines.journal.segment import Segment
from pipelines.uncut import to_its_end

_TURN_S: Final = 1.0
_T = TypeVar("_T")

log = structlog.get_logger()


class Finisher:
    """Turns what the journal has left behind into sealed segments, and these into free space.

    Args:
        journal: open.
        on_found: told of a file that a start had no time for, once it is read.

    Attributes:
        freed: segments that are gone since the start.
        failing: why the last segment could not be finished; empty when it could.
    """

    def __init__(self, journal: Journal, on_found: Callable[[Found], None]) -> None:
        self.failing = ""
        self.freed = 0
        self._on_found = on_found
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-finish")
        self._turning = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._reason = ""

    def wake(self) -> None:
        """There may be something to finish."""
        self._wanted.set()

    async def run(self) -> NoReturn:
        """Finish what there is, for ever; ends by cancellation."""
        while True:
            await self.turn()
            if self._journal.behind.unread and not self.failing:
                continue
            self._wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN_S):
                    await self._wanted.wait()

    async def turn(self) -> int:
        """Try each segment that is due once; how many are gone."""
        behind, before = self._journal.behind, self.freed
        async with self._turning:
            self._reason = ""
            for segment in behind.unsealed:
                await self._try(segment.path, behind.mend, segment, _nothing)
            for segment in behind.finished:
                await self._try(segment.path, behind.finish, segment, self._gone)
            if behind.unread:
                await self._try(behind.unread[-1].path, behind.read, behind.unread[-1], self._on_found)
            self._tell(self._reason)
        return self.freed - before

    def _gone(self, segment: Segment) -> None:
        self._journal.behind.segments.remove(segment)
        self.freed += 1

    async def _try(self, path: Path, work: Callable[[_T], None], on: _T, then: Callable[[_T], None]) -> None:
        def ended(done: asyncio.Future[None]) -> None:
            try:
                done.result()
            except (OSError, JournalError) as error:
                self._reason = f"{path}: cannot be finished and stays: {error}"
            else:
                then(on)

        await to_its_end(asyncio.get_running_loop().run_in_executor(self._thread, work, on), ended)

    def _tell(self, failing: str) -> None:
        if bool(failing) != bool(self.failing):
            if failing:
                log.error("journal_segment_stays", reason=failing)
            else:
                log.info("journal_segments_go_again")
        self.failing = failing


def _nothing(_: Segment) -> None:
    """What was mended goes on waiting."""
