"""A real victoria-metrics of Debian's package: takes the write requests of InfluxDB, keeps ms and no text."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.services.ports import free_port

START_DEADLINE_S = 20.0


@contextlib.contextmanager
def running_victoria() -> Iterator[str]:
    """Start it, wait until it answers, end it by its pid; its address."""
    program = shutil.which("victoria-metrics")
    if program is None:
        pytest.fail("victoria-metrics is missing: apt-get install victoria-metrics")
    with tempfile.TemporaryDirectory(prefix="victoria-") as folder:
        address = f"127.0.0.1:{free_port()}"
        log = Path(folder) / "log"
        with log.open("wb") as output:
            command = [
                program,
                f"-httpListenAddr={address}",
                f"-storageDataPath={folder}/data",
                "-retentionPeriod=100y",
            ]
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START_DEADLINE_S
            while not _answers(f"http://{address}"):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"victoria-metrics did not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.02)
            yield f"http://{address}"
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/health", retries=False, timeout=1).status == 200
    except urllib3.exceptions.HTTPError:
        return False
