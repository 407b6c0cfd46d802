"""A changed configuration is taken over while everything runs: SIGHUP, or `agent reload`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from agent.links import compare
from agent.notify import notify
from agent.site import Site
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from agent.collector import Collector

log = structlog.get_logger()


class Reload:
    """Reads the configuration again and has the collector follow it; one that is refused changes nothing.

    Args:
        collector: runs.
        read: the site as the files and the command line say now.

    Attributes:
        wanted: set to have it done, as by SIGHUP.
        refused: why the last one was refused; empty when it was taken.
    """

    def __init__(self, collector: Collector, read: Callable[[], Site]) -> None:
        self.wanted = asyncio.Event()
        self.refused = ""
        self._collector = collector
        self._read = read
        self._one = asyncio.Lock()

    async def run(self) -> None:
        """Do it each time it is wanted; ends by cancellation."""
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            try:
                await self.now()
            except ConfigError:
                continue  # it is told by the log and by `agent status`

    async def order(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do it now, for who asks over the control socket; the answer of `now`, or `refused` and why."""
        del said
        try:
            return await self.now()
        except ConfigError as error:
            return {"refused": str(error)}

    async def now(self) -> dict[str, Any]:
        """Do it now; which connections were kept, opened anew, added and removed.

        Raises:
            ConfigError: it was refused; what runs goes on as it was.
        """
        async with self._one:
            if self._collector.ready:
                notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                wanted = await asyncio.to_thread(self._read)
                change = compare(self._collector.site, wanted)
                await self._collector.follow(change, wanted)
            except ConfigError as error:
                self.refused = str(error)
                log.error("configuration_refused", reason=self.refused)  # noqa: TRY400 - the reason says it all
                raise
            finally:
                if self._collector.ready:
                    notify("READY=1")
            self.refused = ""
            done = asdict(change)
            log.info("configuration_taken_over", **done)
            return done
