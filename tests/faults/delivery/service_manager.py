"""A service manager as systemd is one: READY=1, WatchdogSec, SIGABRT when nobody feeds the watchdog, restart."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

DEADLINE_S = 60.0


class ServiceManager:
    """Keeps one process running.

    Args:
        command: the service.
        folder: for its log and the socket.
        watchdog_s: WatchdogSec.
        restart_s: RestartSec.

    Attributes:
        ready: how often the service said READY=1.
        aborted: monotonic times at which it was aborted.
        fed_s: monotonic time of the last WATCHDOG=1.
    """

    def __init__(self, command: Sequence[str], folder: Path, watchdog_s: float, restart_s: float = 0.2) -> None:
        self.log = folder / "service.log"
        self.ready = 0
        self.aborted: list[float] = []
        self.fed_s = 0.0
        self._command = list(command)
        self._watchdog_s = watchdog_s
        self._restart_s = restart_s
        self._address = f"/tmp/sf-manager-{os.getpid()}-{id(self):x}"  # noqa: S108 - an address, short
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="service-manager")

    def __enter__(self) -> Self:
        self._socket.bind(self._address)
        self._socket.settimeout(0.02)
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # LimitCORE=0
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()
        Path(self._address).unlink()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._process.pid

    def until_ready(self, times: int) -> None:
        """Wait until it was ready so many times."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ready >= times, DEADLINE_S), self.said()

    def pause(self) -> None:
        """Between two looks at what the service says."""
        self._stopping.wait(0.05)

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def _run(self) -> None:
        environment = os.environ | {
            "NOTIFY_SOCKET": self._address,
            "WATCHDOG_USEC": str(round(self._watchdog_s * 1e6)),
        }
        with self.log.open("ab") as log:
            while not self._stopping.is_set():
                self._process = subprocess.Popen(self._command, env=environment, stdout=log, stderr=log)
                self._keep()
                self._stopping.wait(self._restart_s)
            if self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(30)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()

    def _keep(self) -> None:
        """Watch one life of the service, to its end or ours."""
        started = False
        while self._process.poll() is None and not self._stopping.is_set():
            try:
                said = self._socket.recv(4096).decode()
            except TimeoutError:
                said = ""
            now_s = time.monotonic()
            if "WATCHDOG=1" in said or "READY=1" in said:
                self.fed_s = now_s
            if "READY=1" in said:
                started = True
                with self._changed:
                    self.ready += 1
                    self._changed.notify_all()
            if started and now_s - self.fed_s > self._watchdog_s:
                self._process.send_signal(signal.SIGABRT)
                self._process.wait()
                self.aborted.append(now_s)
