"""The pages are the same whichever store they read: DuckDB and a real influxd hold the same line protocol."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import Influxd
from tests.set_clock import SetClock
from tests.viewer.plant import COMPANY, NS, SITE, readings
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore

pytestmark = pytest.mark.wire


def parts(page: str) -> tuple[list[str], list[float]]:
    """What a page says, and its rounded numbers: two ways to add up give a mean other last digits.

    Without the periods it offers: a store that keeps hours has longer ones.
    """
    page = re.sub(r'<nav class="periods".*?</nav>', "", page, flags=re.DOTALL)
    found = re.split(r"(-?\d+\.\d+|\d{1,3}(?:,\d{3})+(?![\d.]))", page)
    return found[0::2], [float(number.replace(",", "")) for number in found[1::2]]


async def test_both_stores_give_the_same_pages(influxd: Influxd, tmp_path: Path) -> None:
    database = f"db_{uuid.uuid4().hex}"
    influxd.create(database)
    sink = DuckDbSink(tmp_path / "a.duckdb")
    now_ns = time.time_ns()
    for body in readings(now_ns - 1200 * NS, now_ns):
        await sink.write(COMPANY, body)
        await asyncio.to_thread(influxd.write, database, body)
    stores: list[Store] = [DuckDbStore(sink.cursor), InfluxStore(influxd.url, database)]
    machine = f"/machine/{quote(COMPANY)}/{quote(SITE['site'])}"
    addresses = ["/", *(f"{machine}/{name}?period=1h" for name in SITE["machines"]), "/?lang=en"]
    pages: list[list[str]] = []
    for store in stores:
        app = make_app(store, Catalog.of([SITE]), SetClock(now_ns))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            answers = [await client.get(address) for address in addresses]
        assert {answer.status_code for answer in answers} == {200}
        pages.append([answer.text for answer in answers])
        store.close()
    await sink.close()
    for address, first, second in zip(addresses, *pages, strict=True):
        words, numbers = parts(first)
        others, other_numbers = parts(second)
        assert words == others, address
        # A tenth of a pixel, or one at the end of a number of five digits and more.
        assert numbers == pytest.approx(other_numbers, rel=1e-4, abs=0.1001), address
    assert "센서 고장" in pages[0][1]
    assert '<rect class="s1"' in pages[0][1]
