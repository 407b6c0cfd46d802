"""Fixtures of the viewer's tests: a store that grows, and the pages over it on a free port."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3
import uvicorn

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import influxd
from tests.viewer.plant import COMPANY, SITE, readings
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.stores.duckdb import DuckDbStore

__all__ = ["influxd", "pages"]

NOTICE = "내장 브로커 <사용 중>"


@dataclass(slots=True)
class Pages:
    """A running viewer and the sink behind it."""

    url: str
    sink: DuckDbSink

    def machine(self, name: str) -> str:
        """Address of a machine's page."""
        return f"{self.url}/machine/{quote(COMPANY)}/{quote(SITE['site'])}/{name}"

    def get(self, url: str, **headers: str) -> urllib3.BaseHTTPResponse:
        """An answer, whatever its status."""
        return urllib3.request("GET", url, headers=headers, retries=False, redirect=False, timeout=60)

    def post_status(self, url: str) -> int:
        """Status of a POST without a body."""
        return urllib3.request("POST", url, retries=False, timeout=60).status

    def write(self, body: str) -> None:
        """Store line protocol."""
        asyncio.run(self.sink.write(COMPANY, body.encode()))


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """Twenty minutes of the small site, served from a thread of this process."""
    sink = DuckDbSink(tmp_path / "site.duckdb")
    now_ns = time.time_ns()
    for body in readings(now_ns - 1200 * 10**9, now_ns):
        asyncio.run(sink.write(COMPANY, body))
    app = make_app(DuckDbStore(sink.cursor), Catalog.of([SITE]), SystemClock(), [NOTICE])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # from here on a request waits instead of being refused
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Pages(f"http://127.0.0.1:{listener.getsockname()[1]}", sink)
        server.should_exit = True
        thread.join()
    asyncio.run(sink.close())
