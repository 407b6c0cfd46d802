"""Hands segments nobody waits for to the hook, and deletes them: in a worker thread that never holds up a commit."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NoReturn

import structlog

from pipelines.errors import JournalError
from pipelines.journal.journal import Journal

_TURN_S: Final = 1.0

log = structlog.get_logger()


class Finisher:
    """The one that deletes segments.

    Args:
        journal: open.

    Attributes:
        failing: why the last segment could not be finished; empty when it could.
    """

    def __init__(self, journal: Journal) -> None:
        self.failing = ""
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-finish")
        self._turning = asyncio.Lock()
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There may be something to finish."""
        self._wanted.set()

    async def run(self) -> NoReturn:
        """Finish what there is, for ever; ends by cancellation."""
        while True:
            await self.turn()
            self._wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN_S):
                    await self._wanted.wait()

    async def turn(self) -> int:
        """Try each finished segment once; how many are gone."""
        gone = 0
        async with self._turning:
            failing = ""
            for segment in self._journal.finished:
                try:
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.finish, segment)
                except (OSError, JournalError) as error:
                    failing = f"{segment.path}: cannot be finished and stays: {error}"
                else:
                    self._journal.leave(segment)
                    gone += 1
            self._tell(failing)
        return gone

    def _tell(self, failing: str) -> None:
        if bool(failing) != bool(self.failing):
            if failing:
                log.error("journal_segment_stays", reason=failing)
            else:
                log.info("journal_segments_go_again")
        self.failing = failing
