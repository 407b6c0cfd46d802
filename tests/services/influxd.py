"""A real influxd 1.x of Debian's `influxdb` package as a child process, on free ports, with its data in a folder."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import urllib3

from agent.soak.influxd import server_command, unavailable
from tests.services.ports import free_port

START_DEADLINE_S = 30.0
ATTEMPTS = 5


@dataclass(slots=True)
class Influxd:
    """The running server; `process` may be stopped with signals by a test that needs a slow or dead store."""

    url: str
    process: subprocess.Popen[bytes]

    def query(self, text: str, database: str = "") -> bytes:
        """Answer of /query, whatever its status."""
        body = urlencode({"q": text, "db": database, "epoch": "ns"})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return urllib3.request("POST", f"{self.url}/query", body=body, headers=headers, retries=False).data

    def create(self, database: str) -> None:
        """Make a database."""
        self.query(f'CREATE DATABASE "{database}"')

    def write(self, database: str, body: bytes) -> None:
        """Store line protocol with ns times; fails when the server refuses it."""
        answer = urllib3.request("POST", f"{self.url}/write?db={quote(database)}&precision=ns", body=body)
        assert answer.status == 204, answer.data


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/ping", retries=False, timeout=1).status == 204
    except urllib3.exceptions.HTTPError:
        return False


@contextlib.contextmanager
def running_influxd(folder: Path | None = None, *, auth: bool = False, port: int | None = None) -> Iterator[Influxd]:
    """Start it, wait until it answers, end it by its pid.

    Args:
        folder: where its data stay, for a test that starts it again; default: a temporary one.
        auth: ask for credentials.
        port: HTTP port, for a test that starts it again at the same address; default: a free one.
    """
    if reason := unavailable():
        pytest.fail(f"influxd: {reason} (deploy/test-components.sh does)")
    with tempfile.TemporaryDirectory(prefix="influxd-") as temporary:
        for attempt in range(1 if port else ATTEMPTS):
            http = port or free_port()
            argv = server_command(Path(temporary) / "influxdb.conf", folder or Path(temporary), http, auth=auth)
            log = Path(temporary) / f"log{attempt}"
            with log.open("wb") as output:
                process = subprocess.Popen(argv, stdout=output, stderr=output)
            try:
                server = Influxd(f"http://127.0.0.1:{http}", process)
                if not _started(server, log, last=bool(port) or attempt == ATTEMPTS - 1):
                    continue
                yield server
                return
            finally:
                process.kill()
                process.wait()


def _started(server: Influxd, log: Path, *, last: bool) -> bool:
    """Whether it answers; false when its port was taken and another one may be tried."""
    deadline = time.monotonic() + START_DEADLINE_S
    while not _answers(server.url):
        if server.process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:]
            if "address already in use" in said and not last:
                return False
            pytest.fail(f"influxd did not start: {said}")
        time.sleep(0.02)
    return True


@pytest.fixture(scope="package")
def influxd() -> Iterator[Influxd]:
    """One server for a folder of tests, or a file that imports it; a test makes a database of its own."""
    with running_influxd() as server:
        yield server
