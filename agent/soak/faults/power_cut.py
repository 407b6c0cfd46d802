"""The power of the edge PC goes: what its disk had not synced is gone, and so is the collector."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.soak.disk import unavailable
from agent.soak.stage import COLLECTOR, Stage
from pipelines.errors import DependencyError

NO_DISK = "the state folder lies on no disk of its own in this run"


@dataclass(frozen=True, slots=True)
class PowerCut:
    """The file system stops at once and loses everything not synced; the collector starts on what is left."""

    name: ClassVar[str] = "power_cut"

    def unavailable(self) -> str:
        """Why there can be no disk here; empty when there can."""
        return unavailable()

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if stage.disk is not None else NO_DISK

    async def run(self, stage: Stage, seconds: float) -> None:
        """Without power for `seconds`.

        Raises:
            DependencyError: there is no disk, or somebody keeps it from coming back.
        """
        disk = stage.disk
        if disk is None:
            raise DependencyError(self.name, NO_DISK)
        disk.power_cut()  # first, so that nothing is written any more when the collector dies
        async with stage.down(COLLECTOR):
            try:
                await asyncio.sleep(seconds)
            finally:
                await asyncio.to_thread(disk.restore)
