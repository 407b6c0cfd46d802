"""A simulation as a user starts it, and what it says at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.control.client import ask
from agent.simulate.plant import tell_plant
from pipelines.errors import DependencyError

DEADLINE_S = 240
_STATE_S = 60
"""What is waited for is there long before."""


@dataclass
class Run:
    """A running `agent simulate --json`."""

    process: subprocess.Popen[bytes]
    work: Path

    def pid_of(self, name: str, other_than: int = 0) -> int:
        """The pid of a part, once it runs (again)."""
        deadline = time.monotonic() + _STATE_S
        while time.monotonic() < deadline:
            try:
                pid = int(json.loads((self.work / "pids.json").read_bytes())[name])
            except FileNotFoundError:
                pid = 0
            if pid and pid != other_than:
                return pid
            assert self.process.poll() is None, self.said()
            self.pause()
        raise AssertionError(f"{name} does not run: {self.said()}")

    def kill(self, name: str) -> None:
        """SIGKILL a part, and wait until it runs again."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        self.pid_of(name, other_than=pid)

    def fault(self, fault: str, **order: Any) -> None:
        """Begin a fault in the plant."""
        tell_plant(self.work / "plant.sock", fault=fault, **order)

    def until_stored(self, points: int) -> None:
        """Wait until the collector says that so many more points are stored than now."""
        first = self._stored()
        self.until(lambda: self._stored() >= first + points)

    def until(self, met: Callable[[], object]) -> None:
        """Wait for something that the run brings about."""
        deadline = time.monotonic() + _STATE_S
        while not met():
            assert time.monotonic() < deadline, self.said()
            assert self.process.poll() is None, self.said()
            self.pause()

    def pause(self) -> None:
        """Between two looks."""
        try:
            self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            return

    def _stored(self) -> int:
        try:
            return int(json.loads(ask(self.work / "agent"))["points"]["stored"])
        except DependencyError:
            return 0

    def stop(self) -> dict[str, Any]:
        """End it as Ctrl-C does; see `result`."""
        self.process.send_signal(signal.SIGINT)
        return self.result()

    def result(self) -> dict[str, Any]:
        """The line it prints at the end; fails when it says that something is wrong."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, (out, err, self.said())
        lines = out.decode().splitlines()
        assert len(lines) == 1, lines
        answer: dict[str, Any] = json.loads(lines[0])
        return answer

    def said(self) -> str:
        """The logs of the parts."""
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in self.work.glob("*.log"))


@contextmanager
def simulation(work: Path, *arguments: str) -> Iterator[Run]:
    """`agent simulate --json --work WORK …`, ended by its pid whatever happens."""
    command = [sys.executable, "-m", "agent.cli", "simulate", "--json", "--work", str(work), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield Run(process, work)
    finally:
        process.terminate()  # nothing where it has ended
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def assert_verified(work: Path, *store: str) -> dict[str, Any]:
    """`agent verify` agrees, whether the parts run or not; what it says."""
    command = [sys.executable, "-m", "agent.cli", "verify", "--json", "--state-dir", str(work / "agent"), *store]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.returncode == 0, (ended.stdout, ended.stderr)
    answer: dict[str, Any] = json.loads(ended.stdout)
    assert answer["agree"] is True
    assert answer["claimed"] > 0
    assert (answer["missing"], answer["extra"], answer["altered"]) == (0, 0, 0), answer
    return answer


def assert_nothing_lost(answer: dict[str, Any], *, outages: bool = False) -> None:
    """The line of a run that lost, doubled and altered nothing; without outages no gap explains anything."""
    assert answer["produced"] > 0
    assert (answer["missing"], answer["duplicated"], answer["altered"]) == (0, 0, 0), answer
    assert answer["stored"] + answer["suppressed"] + answer["gap_explained"] == answer["produced"], answer
    assert outages or answer["gap_explained"] == 0, answer
