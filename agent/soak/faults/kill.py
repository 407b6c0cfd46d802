"""A part is killed with SIGKILL and stays away for a while."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from agent.soak.fault import Fault
from agent.soak.stage import Stage


def _known(part: str) -> str:
    if re.fullmatch(r"collector|bridge(-\d+)?|serve|view", part) is None:
        raise ValueError(f"there is no part {part!r}; there are collector, bridge, bridge-2 and so on, serve and view")
    return part


@dataclass(frozen=True, slots=True)
class Kill(Fault):
    """SIGKILL of one part.

    Attributes:
        part: `collector`, `bridge` (one of them, by chance), `bridge-2`, `serve`, `view`.
    """

    name: ClassVar[str] = "kill"
    part: Annotated[str, AfterValidator(_known)] = "collector"

    async def run(self, stage: Stage, seconds: float) -> None:
        """Kill it, keep it away for `seconds`, let it start again."""
        async with stage.down(stage.one_of(self.part)):
            await asyncio.sleep(seconds)
