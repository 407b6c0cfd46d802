"""Child processes of a simulation: started, watched, started again when they die, ended by pid or with their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from agent.broker.child import command
from pipelines.errors import DependencyError

_READY_S: Final = 60.0
_PAUSE_S: Final = 0.5
"""Least time between two starts."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(frozen=True, slots=True)
class Outage:
    """A child that died and came back. Times in ns since 1970 UTC, of the simulation's clock."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Child:
    """A child process.

    Attributes:
        name: what it is called in messages.
        argv: after the Python interpreter.
        log: file for what it says on stderr.
        ready: first line it prints, when it prints one.
        ready_s: longest wait for it, and for what it is to say later.
        peak_rss_bytes: largest resident size seen.
        cpu_s: CPU seconds of all its processes so far.
        ended_itself: when it ended although nobody held it down, ns since 1970 UTC of the simulation's clock.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: dict[str, str]
    prints: bool = True
    ready: dict[str, Any] = field(default_factory=dict)
    ready_s: float = _READY_S
    peak_rss_bytes: int = 0
    cpu_s: float = 0.0
    process: asyncio.subprocess.Process | None = None
    ended_itself: list[int] = field(default_factory=list)
    _cpu_before_s: float = 0.0
    _started_s: float = 0.0
    _holds: int = 0
    _free: asyncio.Event = field(default_factory=_set_event)

    async def start(self) -> None:
        """Start it and wait for its first line.

        Raises:
            DependencyError: it ends, or says nothing in time; the message carries the end of its log.
        """
        self._cpu_before_s = self.cpu_s
        self._started_s = time.monotonic()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command([sys.executable, *self.argv]),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self.env,
                start_new_session=True,
            )
        if self.prints:
            self.ready = await self.line(self.ready_s)

    async def line(self, timeout_s: float) -> dict[str, Any]:
        """The next JSON line it prints.

        Raises:
            DependencyError: none came.
        """
        assert self.process is not None
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                raw = await self.process.stdout.readline()
        except TimeoutError:
            raise DependencyError(self.name, f"said nothing for {timeout_s:g} s; its log: {self.tail()}") from None
        if not raw:
            await self.process.wait()
            raise DependencyError(self.name, f"ended with code {self.process.returncode}; its log: {self.tail()}")
        answer: dict[str, Any] = orjson.loads(raw)
        return answer

    def tail(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:500] if lines else "empty"

    def measure(self) -> None:
        """Take note of memory and CPU time, as the kernel tells them (proc(5))."""
        pid = self.pid
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return
        for row in status.splitlines():
            if row.startswith("VmHWM:"):
                self.peak_rss_bytes = max(self.peak_rss_bytes, int(row.split()[1]) * 1024)
        self.cpu_s = self._cpu_before_s + (int(stat[11]) + int(stat[12])) / _TICKS

    @property
    def pid(self) -> int:
        """Its process id; 0 when it does not run."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.pid:
            os.kill(self.pid, number)

    async def end(self, timeout_s: float) -> None:
        """Ask it to end, wait, and kill it when it does not."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            # not asyncio.timeout: of Python 3.11, in a task that is cancelled already, it cancels once more instead
            await asyncio.wait_for(self.process.wait(), timeout_s)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.process.wait()

    @asynccontextmanager
    async def held_down(self) -> AsyncIterator[None]:
        """Kill it with SIGKILL, and keep it from starting again while the block runs."""
        self._holds += 1
        self._free.clear()
        try:
            self.signal(signal.SIGKILL)
            if self.process is not None:
                await self.process.wait()
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._free.set()

    async def keep_running(self, now_ns: Callable[[], int], outages: list[Outage]) -> None:
        """Start it again whenever it dies, and note the outage; ends by cancellation."""
        while True:
            assert self.process is not None
            await self.process.wait()
            died_ns = now_ns()
            if self._free.is_set():
                self.ended_itself.append(died_ns)
            began_s = time.monotonic()
            while True:
                if not self._free.is_set():
                    await self._free.wait()
                    began_s = time.monotonic()
                try:
                    await asyncio.sleep(max(0.0, _PAUSE_S - (time.monotonic() - self._started_s)))
                    await self.start()
                    break
                except DependencyError:
                    if time.monotonic() - began_s > _READY_S:
                        raise
            outages.append(Outage(self.name, died_ns, now_ns()))
