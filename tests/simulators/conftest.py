"""A plant process as a child of the test, ended by its pid."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agent.simulate.plant import tell_plant
from simulators.truth import read_truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


class PlantProcess:
    """`python -m simulators` with its endpoints and its truth."""

    def __init__(self, truth: Path, *arguments: str) -> None:
        self.truth_path = truth
        self.control = truth.with_suffix(".sock")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulators", "--truth", str(truth), "--control", str(self.control), *arguments],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self.ready = self.said()
        self.endpoints: dict[str, Any] = self.ready["endpoints"]

    def said(self, timeout_s: float = 60.0) -> dict[str, Any]:
        """The next JSON line on stdout."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], timeout_s)[0], "the plant said nothing"
        line: dict[str, Any] = orjson.loads(self.process.stdout.readline())
        return line

    def tell(self, **order: Any) -> dict[str, Any]:
        return tell_plant(self.control, **order)

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGUSR1)
        assert self.said() == {"frozen": True}

    def stop(self) -> int:
        os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(30)

    def truth(self) -> list[dict[str, Any]]:
        return list(read_truth(self.truth_path))

    def wait(self, text: bytes, count: int = 1) -> None:
        """Until `text` is in the truth `count` times more than now, or once at all."""
        needed = count if count == 1 else self.truth_path.read_bytes().count(text) + count
        deadline_s = time.monotonic() + 60
        while self.truth_path.read_bytes().count(text) < needed:
            assert time.monotonic() < deadline_s, f"{text!r} did not come"
            time.sleep(0.02)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Callable[..., PlantProcess]]:
    """Starts plant processes; they end with the test."""
    started: list[PlantProcess] = []

    def start(*arguments: str) -> PlantProcess:
        started.append(PlantProcess(tmp_path / f"truth{len(started)}.jsonl", *arguments))
        return started[-1]

    yield start
    for process in started:
        process.end()
