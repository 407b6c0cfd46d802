"""Somebody else fills the disk of the collector's state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.soak.disk import unavailable
from agent.soak.faults.power_cut import NO_DISK
from agent.soak.stage import Stage
from pipelines.errors import DependencyError


@dataclass(frozen=True, slots=True)
class FullDisk:
    """A foreign file takes the space.

    Attributes:
        leave_bytes: what it leaves.
    """

    name: ClassVar[str] = "full_disk"
    leave_bytes: int = 0

    def unavailable(self) -> str:
        """Why there can be no disk here; empty when there can."""
        return unavailable()

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if stage.disk is not None else NO_DISK

    async def run(self, stage: Stage, seconds: float) -> None:
        """Full for `seconds`.

        Raises:
            DependencyError: there is no disk.
        """
        if stage.disk is None:
            raise DependencyError(self.name, NO_DISK)
        with stage.disk.filled(self.leave_bytes):
            await asyncio.sleep(seconds)
