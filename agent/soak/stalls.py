"""When the relays, or the collector, stood still: what was answered then was taken later than the plant saw it.

The plant writes down its own stalls; these are the same of the two other ends of a request, that wait for a processor
or a disk. They widen the time a poll may bear and explain nothing that is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from agent.control.client import ask
from pipelines.errors import DependencyError

_TICK_S: Final = 0.02
_ASK_S: Final = 0.25
_LONGEST_S: Final = 30.0
LEAST_NS: Final = 20_000_000
"""Shorter waits are covered by what every poll may be off."""


@dataclass(slots=True)
class Stalls:
    """Waits, as (start, end), ns since 1970 UTC, of the plant's clock.

    Attributes:
        now_ns: the plant's clock.
        collector: its process id; 0 while there is none.
        state_dir: of the collector.
        seen: the waits.
    """

    now_ns: Callable[[], int]
    collector: Callable[[], int]
    state_dir: Path
    seen: list[tuple[int, int]] = field(default_factory=list)

    async def watch(self) -> NoReturn:
        """Look fifty times a second; ends by cancellation."""
        due_s, before = time.monotonic() + _TICK_S, (0, 0)
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            now_s, now_ns = time.monotonic(), self.now_ns()
            self.take(int((now_s - due_s) * 1e9), now_ns)
            pid = self.collector()
            waited = waited_ns(pid)
            if before[0] == pid:
                self.take(waited - before[1], now_ns)
            due_s, before = now_s + _TICK_S, (pid, waited)

    async def ask(self) -> NoReturn:
        """See four times a second how long the collector's event loop takes to answer; ends by cancellation."""
        while True:
            await asyncio.sleep(_ASK_S)
            before_s = time.monotonic()
            with suppress(DependencyError):
                await asyncio.to_thread(ask, self.state_dir, "/healthz", timeout_s=_LONGEST_S)
                self.take(int((time.monotonic() - before_s) * 1e9), self.now_ns())

    def take(self, wait_ns: int, end_ns: int) -> None:
        """A wait that ended now, if it is long enough to matter."""
        if wait_ns >= LEAST_NS:
            self.seen.append((end_ns - wait_ns, end_ns))


def waited_ns(pid: int) -> int:
    """How long the main thread of a process has waited for a processor so far; 0 when it is gone.

    The second word of `schedstat` (Documentation/scheduler/sched-stats.rst of the kernel).
    """
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
