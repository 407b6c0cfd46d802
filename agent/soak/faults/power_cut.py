"""The power of the edge PC goes: what its disk had not synced is gone, and so is the collector."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from agent.soak.disk import LoopDisk, unavailable
from agent.soak.fault import Fault
from agent.soak.stage import COLLECTOR, Stage
from pipelines.errors import DependencyError

_NO_DISK: Final = "the state folder lies on no disk of its own in this run"


class OnDisk(Fault):
    """A fault of the disk that the collector's state lies on."""

    __slots__ = ()

    def unavailable(self) -> str:
        """Why there can be no disk here; empty when there can."""
        return unavailable()

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if stage.disk is not None else _NO_DISK

    def disk_of(self, stage: Stage) -> LoopDisk:
        """The disk.

        Raises:
            DependencyError: there is none.
        """
        if stage.disk is None:
            raise DependencyError(self.name, _NO_DISK)
        return stage.disk


@dataclass(frozen=True, slots=True)
class PowerCut(OnDisk):
    """The file system stops at once and loses everything not synced; the collector starts on what is left."""

    name: ClassVar[str] = "power_cut"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Without power for `seconds`.

        Raises:
            DependencyError: there is no disk, or somebody keeps it from coming back.
        """
        disk = self.disk_of(stage)
        disk.power_cut()  # first, so that nothing is written any more when the collector dies
        async with stage.down(COLLECTOR):
            try:
                await asyncio.sleep(seconds)
            finally:
                await asyncio.to_thread(disk.restore)
