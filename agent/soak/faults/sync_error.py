"""The disk of the collector's state fails: its system calls return errors."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar, Literal

from agent.soak.fault import Fault
from agent.soak.inject import injected, unavailable
from agent.soak.stage import Stage
from pipelines.errors import DependencyError


@dataclass(frozen=True, slots=True)
class SyncError(Fault):
    """Calls of the collector fail.

    Attributes:
        call: which.
        error: what they return.
        once: whether only the first of each thread fails.
    """

    name: ClassVar[str] = "sync_error"
    call: Literal["fdatasync", "fsync", "pwrite64"] = "fdatasync"
    error: Literal["EIO", "ENOSPC"] = "EIO"
    once: bool = False

    def unavailable(self) -> str:
        """Why nothing can be injected here; empty when it can."""
        return unavailable()

    async def run(self, stage: Stage, seconds: float) -> None:
        """Fail for `seconds`, or until the collector ends.

        Raises:
            DependencyError: the collector does not run, or cannot be traced.
        """
        pid = stage.collector.pid
        if not pid:
            raise DependencyError(self.name, "the collector does not run")
        rule = f"{self.call}:error={self.error}{':when=1' if self.once else ''}"
        stack = ExitStack()
        try:
            await asyncio.to_thread(stack.enter_context, injected(pid, rule))
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(stack.close)
