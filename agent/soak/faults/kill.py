"""A part is killed with SIGKILL and stays away for a while."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.soak.stage import Stage


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL of one part.

    Attributes:
        part: `collector`, `bridge` (one of them, by chance), `bridge-2`, `serve`, `view`.
    """

    name: ClassVar[str] = "kill"
    part: str = "collector"

    def unavailable(self) -> str:
        """Runs everywhere."""
        return ""

    async def run(self, stage: Stage, seconds: float) -> None:
        """Kill it, keep it away for `seconds`, let it start again."""
        async with stage.down(stage.one_of(self.part)):
            await asyncio.sleep(seconds)
