"""Fixtures of the viewer's tests: a store that grows, and the pages over it on a free port."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import Influxd, influxd
from tests.viewer.plant import COMPANY, SITE, readings
from tests.viewer.serving import serving
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore

__all__ = ["influxd", "pages", "store"]

Write = Callable[[bytes], None]
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
    with serving(make_app(DuckDbStore(sink.cursor), Catalog.of([SITE]), SystemClock(), [NOTICE])) as url:
        yield Pages(url, sink)
    asyncio.run(sink.close())


@pytest.fixture(params=["duckdb", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Write]]:
    """Each kind of store, empty, and what writes line protocol into it."""
    opened: Store
    if request.param == "duckdb":
        sink = DuckDbSink(tmp_path / "a.duckdb")
        opened = DuckDbStore(sink.cursor)
        yield opened, lambda body: asyncio.run(sink.write("한국금속", body))
        asyncio.run(sink.close())
    else:
        server: Influxd = request.getfixturevalue("influxd")
        database = f"db_{uuid.uuid4().hex}"
        server.create(database)
        opened = InfluxStore(server.url, database)
        yield opened, lambda body: server.write(database, body)
    opened.close()
