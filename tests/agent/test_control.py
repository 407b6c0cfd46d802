"""What others ask a running process, and what it tells the service manager."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.broker.process import free_port
from agent.control.client import ask, order
from agent.control.server import serve_control
from pipelines.errors import DependencyError, JournalError
from tests.agent.one_meter import SITE

pytestmark = pytest.mark.wire
DEADLINE_S = 30.0
WATCHDOG_S = 0.4
LINE = b"meter,machine=m1 power=1.5 1000000000\n"


@contextlib.asynccontextmanager
async def control(path: Path) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        task = group.create_task(serve_control(path, lambda: {"healthy": True}))
        yield task
        task.cancel()


async def answer(folder: Path) -> dict[str, Any]:
    while True:
        try:
            found: dict[str, Any] = json.loads(await asyncio.to_thread(ask, folder))
        except DependencyError:
            await asyncio.sleep(0.01)
        else:
            return found


async def test_a_folder_of_any_length(tmp_path: Path) -> None:
    """sockaddr_un holds 107 bytes."""
    folder = tmp_path / ("long" * 50)
    folder.mkdir()
    async with control(folder / "control.sock"):
        assert await answer(folder) == {"healthy": True}
        assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []


async def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    async with control(tmp_path / "control.sock"):
        assert await answer(tmp_path) == {"healthy": True}


async def test_without_a_socket_it_is_said_once_and_nothing_stops(tmp_path: Path) -> None:
    (tmp_path / "control.sock").mkdir()
    with capture_logs() as said:
        async with control(tmp_path / "control.sock") as task:
            await task
    assert [(one["event"], one["log_level"]) for one in said] == [("no_control_socket", "error")]


async def test_orders_come_by_post_and_are_told_why_not(tmp_path: Path) -> None:
    async def add(said: dict[str, Any]) -> dict[str, Any]:
        if "a" not in said:
            raise JournalError(tmp_path, "nothing to add; say what")
        return {"sum": said["a"] + 1}

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        routes = {"/add": add}
        task = group.create_task(serve_control(tmp_path / "control.sock", lambda: {"healthy": True}, routes))
        await answer(tmp_path)
        assert await asyncio.to_thread(order, tmp_path, "/add", {"a": 1}) == {"sum": 2}
        with pytest.raises(DependencyError, match="nothing to add; say what"):
            await asyncio.to_thread(order, tmp_path, "/add", {})
        with pytest.raises(DependencyError, match="HTTP 404; is that another program"):
            await asyncio.to_thread(order, tmp_path, "/gone", {})
        task.cancel()
    with pytest.raises(DependencyError, match="start it with `agent run`"):
        order(tmp_path, "/add", {"a": 1})


# ── the service manager ─────────────────────────────────────────────────────────────────────────────────────────────


class Manager:
    """The socket of a service manager."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.environment = os.environ | {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}

    def next(self, seconds: float = DEADLINE_S) -> str:
        """The next message; empty when there is none in time."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def until(self, word: str) -> None:
        while word not in (message := self.next()):
            assert message, f"no {word}"

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    path = Path(f"/tmp/sf-notify-{os.getpid()}")  # noqa: S108 - an address, short
    path.unlink(missing_ok=True)
    one = Manager(path)
    try:
        yield one
    finally:
        one.close()
        path.unlink()


def commands(folder: Path) -> dict[str, list[str]]:
    site = folder / "site.yaml"
    site.write_text(SITE)
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    return {
        "run": ["run", str(site), "--state-dir", str(folder / ("state" * 40)), "--mqtt", nobody, "--drain-s", "0"],
        "serve": ["serve", "--store", str(folder / "store"), "--mqtt", nobody, "--port", "0"],
        "bridge": ["bridge", "--mqtt", nobody, "--influx", f"http://127.0.0.1:{free_port()}?db=plant"],
    }


def tells_what_is_not_well(folder: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", "status", "--state-dir", str(folder / ("state" * 40))]
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("문제 trouble: ")]
        if "Connection refused; is the broker running?" in "".join(lines) and "trouble: meter: " in "".join(lines):
            return
        assert time.monotonic() < deadline_s, done.stdout


@pytest.mark.parametrize("name", ["run", "serve", "bridge"])
def test_ready_and_watchdog_without_plc_broker_and_database(name: str, manager: Manager, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", *commands(tmp_path)[name]]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=manager.environment, stdout=log, stderr=log)
    try:
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
        if name == "run":
            tells_what_is_not_well(tmp_path)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        while manager.next(WATCHDOG_S * 2):  # what was sent before it stood still
            pass
        process.send_signal(signal.SIGCONT)
        manager.until("WATCHDOG=1")
        process.terminate()
        manager.until("STOPPING=1")
        assert process.wait(DEADLINE_S) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
