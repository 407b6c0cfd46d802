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
                await self._try(segment.path, behind.mend, segment)
            for segment in behind.finished:
                if await self._try(segment.path, behind.finish, segment):
                    behind.segments.remove(segment)
                    self.freed += 1
            if behind.unread and await self._try(behind.unread[-1].path, behind.read, one := behind.unread[-1]):
                self._on_found(one)
            self._tell(self._reason)
        return self.freed - before

    async def _try(self, path: Path, work: Callable[[_T], None], on: _T) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work, on)
        except (OSError, JournalError) as error:
            self._reason = f"{path}: cannot be finished and stays: {error}"
            return False
        return True

    def _tell(self, failing: str) -> None:
        if bool(failing) != bool(self.failing):
            if failing:
                log.error("journal_segment_stays", reason=failing)
            else:
                log.info("journal_segments_go_again")
        self.failing = failing
