"""`/fleet` with many companies and 20 viewers at once, while the board is turned beside it.

    PYTHONPATH=. python -m benchmarks.fleet [--companies 1300] [--tags 60] [--minutes 240] [--seconds 60] [--influx]

Aggregates of a minute of every tag are made (as readings, one a minute), as many minutes as asked. The server is
`agent.server.ViewerServer` on a free port; each viewer asks for the page again as soon as it has it. The board is
turned until every company was asked once, then goes on as it does in service.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from agent.server import ViewerServer
from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import running_influxd
from viewer.access.access import embedded
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore

VIEWERS = 20
TOWNS = ("포항시", "경주시", "구미시", "경산시", "영천시", "김천시", "안동시", "여수시", "광양시", "순천시")
TRADES = ("C24112", "C25924", "C26211", "C28111", "C29176", "C30399")


def site(company: str, tags: int) -> dict[str, Any]:
    """A company with two machines."""
    return {
        "company": company,
        "site": "A",
        "machines": {one: {"class": "press", "state": {"tag": "t0"}} for one in ("M1", "M2")},
        "connections": [
            {
                "name": one,
                "machine": one,
                "period_s": 60,
                "tags": [{"name": f"t{n}"} for n in range(tags // 2)],
            }
            for one in ("M1", "M2")
        ],
    }


def lines(company: str, tags: int, times: range) -> str:
    """Points of both machines, a minute each."""
    fields = [f"t{n}={n}.5" for n in range(tags // 2)]
    where = f"press,company={company},site=A,machine="
    return "\n".join(f"{where}{one} {','.join(fields)} {at}" for at in times for one in ("M1", "M2"))


@contextmanager
def filled(names: list[str], said: argparse.Namespace) -> Iterator[Store]:
    """A store with them."""
    end_ns = time.time_ns() // 60_000_000_000 * 60_000_000_000
    chunk = 30
    with ExitStack() as stack:
        if said.influx:
            server = stack.enter_context(running_influxd())
            server.create("fleet")
            write = lambda _, body: server.write("fleet", body)  # noqa: E731
            store: Store = InfluxStore(server.url, "fleet")
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sf-fleet-"))
            sink = DuckDbSink(Path(folder) / "fleet.duckdb")
            stack.callback(lambda: asyncio.run(sink.close()))
            write = lambda company, body: asyncio.run(sink.write(company, body))  # noqa: E731
            store = DuckDbStore(sink.cursor)
        begun = time.perf_counter()
        minutes = 0
        while minutes < said.minutes and time.perf_counter() - begun < said.fill_s:
            last = end_ns - (said.minutes - minutes - chunk) * 60_000_000_000
            times = range(last - chunk * 60_000_000_000, last, 60_000_000_000)
            if said.influx:
                for n in range(0, len(names), 5):
                    write("", "\n".join(lines(one, said.tags, times) for one in names[n : n + 5]).encode())
            else:
                for one in names:
                    write(one, lines(one, said.tags, times).encode())
            minutes += chunk
        points = minutes * len(names) * said.tags
        print(f"{len(names)} companies, {said.tags} tags, {minutes} minutes: {points:,} points, "
              f"filled in {time.perf_counter() - begun:.0f} s")  # fmt: skip
        yield store


async def viewer(url: str, until_s: float, took: list[float], number: int) -> None:
    """Somebody who looks again and again, at one page after the other."""
    async with httpx.AsyncClient(timeout=60) as client:
        page = number
        while time.monotonic() < until_s:
            begun = time.perf_counter()
            answer = await client.get(f"{url}fleet", params={"page": page % 26 + 1})
            took.append(time.perf_counter() - begun)
            assert answer.status_code == 200
            assert answer.text.count("/company/") >= 20
            page += 1


async def measured(store: Store, names: list[str], said: argparse.Namespace) -> None:
    """Serve, turn once through all companies, then measure."""
    clock = SystemClock()
    access = embedded(clock)
    facts = (
        Facts(one, town=TOWNS[n % len(TOWNS)], ksic=TRADES[n % len(TRADES)], size="small", coordinator=f"K{n % 17}")
        for n, one in enumerate(names)
    )
    Companies(access.book, clock).put(facts, lambda *_: None)
    server = ViewerServer(store, Catalog.of([site(one, said.tags) for one in names]), [], "127.0.0.1", 0, access)
    task = asyncio.ensure_future(server.run_until_cancelled())
    url = await server.url()
    fleet = server._fleet
    begun = time.perf_counter()
    while len(fleet._details) < len(names) and time.perf_counter() - begun < said.warm_s:
        await asyncio.sleep(1)
    print(f"asked of {len(fleet._details)} companies in {time.perf_counter() - begun:.0f} s")
    took: list[float] = []
    until_s = time.monotonic() + said.seconds
    await asyncio.gather(*(viewer(url, until_s, took, n) for n in range(VIEWERS)))
    cut = statistics.quantiles(took, n=100)
    print(f"{VIEWERS} viewers, {len(took)} pages in {said.seconds} s: p50 {cut[49]:.3f} s, p95 {cut[94]:.3f} s, "
          f"most {max(took):.3f} s")  # fmt: skip
    server.should_exit = True
    await task


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=1300)
    parser.add_argument("--tags", type=int, default=60)
    parser.add_argument("--minutes", type=int, default=240)
    parser.add_argument("--fill-s", type=float, default=600)
    parser.add_argument("--warm-s", type=float, default=600)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--influx", action="store_true")
    said = parser.parse_args()
    names = [f"기업{n:04}" for n in range(said.companies)]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, "
          f"{'influxd' if said.influx else 'embedded store'}")  # fmt: skip
    with filled(names, said) as store:
        asyncio.run(measured(store, names, said))


if __name__ == "__main__":
    main()
