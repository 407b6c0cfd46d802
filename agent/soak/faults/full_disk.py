"""Somebody else fills the disk of the collector's state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.soak.faults.power_cut import OnDisk
from agent.soak.stage import Stage


@dataclass(frozen=True, slots=True)
class FullDisk(OnDisk):
    """A foreign file takes the space.

    Attributes:
        leave_bytes: what it leaves.
    """

    name: ClassVar[str] = "full_disk"
    leave_bytes: int = 0

    async def run(self, stage: Stage, seconds: float) -> None:
        """Full for `seconds`.

        Raises:
            DependencyError: there is no disk.
        """
        with self.disk_of(stage).filled(self.leave_bytes):
            await asyncio.sleep(seconds)
