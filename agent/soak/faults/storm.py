"""Bridges die one after the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.soak.fault import Fault
from agent.soak.stage import Stage


@dataclass(frozen=True, slots=True)
class BridgeStorm(Fault):
    """One of the bridges, by chance, is killed again and again and starts at once.

    Attributes:
        every_s: from one kill to the next, seconds.
    """

    name: ClassVar[str] = "bridge_storm"
    every_s: float = 5.0

    def lacking(self, stage: Stage) -> str:
        """What this run has not; empty when nothing is missing."""
        return "" if any(name.startswith("bridge-") for name in stage.children) else "this run has no bridges"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Kill for `seconds`."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while loop.time() < until_s:
            async with stage.down(stage.one_of("bridge")):
                pass
            await asyncio.sleep(min(self.every_s, max(0.0, until_s - loop.time())))
