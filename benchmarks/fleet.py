"""`/fleet` and `/company/…` with a month of minutes of many companies, 20 viewers at once, the board turned beside.

    PYTHONPATH=. python -m benchmarks.fleet [--companies 1300] [--days 30] [--seconds 60] [--folder DIR]

The store is made by `benchmarks.fleet_store`, which says how it is known to be what the sink leaves behind, up to now;
from then on a body a minute of every company goes through the real sink. The server is `agent.server.ViewerServer` on a
free port with the store opened as `agent serve` opens it; the viewers are a process of their own, and each asks for the
next page as soon as it has one. Every company has two goals, and a production day that is nearly over. With `--folder`
the store stays there, and one that is there is used; it is filled up where it ends with a whole hour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from agent.server import ViewerServer
from benchmarks.fleet_store import MACHINES, MINUTE_NS, PER_COMPANY, TAGS, bodies, fill, make, names_of
from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.touched import HOUR_NS
from viewer.access.access import Access, embedded
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.stores.duckdb import DuckDbStore
from viewer.words import local

VIEWERS = 20
_CHUNK = 360
_TOWNS = ("포항시", "경주시", "구미시", "경산시", "영천시", "김천시", "안동시", "여수시", "광양시", "순천시")
_TRADES = ("C24112", "C25924", "C26211", "C28111", "C29176", "C30399")
_LEVELS = ("basic", "basic", "basic", "middle1", "middle2")


def site(company: str, day_start: str) -> dict[str, Any]:
    """A company with two machines that work day and night."""
    half = f"{(int(day_start[:2]) + 12) % 24:02}{day_start[2:]}"
    shifts = [{"name": "A", "from": day_start, "to": half}, {"name": "B", "from": half, "to": day_start}]
    return {
        "company": company,
        "site": "A",
        "kpis": ["P-UTIL", "DQ-RATE"],
        "calendar": {"day_start": day_start, "days": [0, 1, 2, 3, 4, 5, 6], "shifts": shifts},
        "machines": {one: {"class": "press", "state": {"tag": "t28"}} for one in MACHINES},
        "connections": [
            {"name": one, "machine": one, "period_s": 60, "tags": [{"name": f"t{n}"} for n in range(TAGS)]}
            for one in MACHINES
        ],
    }


def stored(folder: Path, said: argparse.Namespace) -> Path:
    """A store with so many days up to this minute; `folder/state.json` says what is there."""
    path, state = folder / "fleet.duckdb", folder / "state.json"
    if not path.exists():
        make(path, said.companies)
        start_ns = (time.time_ns() // HOUR_NS - said.days * 24) * HOUR_NS
        state.write_text(json.dumps({"companies": said.companies, "start_ns": start_ns, "minutes": 0}), "utf-8")
    known = json.loads(state.read_text("utf-8"))
    begun = time.perf_counter()
    until = (time.time_ns() - known["start_ns"]) // MINUTE_NS
    while known["minutes"] < until and known["minutes"] % 60 == 0:
        last = min(until, known["minutes"] + _CHUNK)
        fill(path, known["companies"], known["start_ns"], known["minutes"], last)
        known["minutes"] = last
        state.write_text(json.dumps(known), "utf-8")
    points = known["minutes"] * known["companies"] * PER_COMPANY
    print(f"{known['companies']} companies, {known['minutes'] / 1440:.1f} days: {points:,} points, "
          f"{path.stat().st_size / 1e9:.1f} GB, filled in {time.perf_counter() - begun:.0f} s")  # fmt: skip
    return path


def known_of(access: Access, names: list[str]) -> None:
    """Facts and two goals of each company."""
    clock = SystemClock()
    facts = [
        Facts(one, town=_TOWNS[n % len(_TOWNS)], ksic=_TRADES[n % len(_TRADES)], size="small", level=_LEVELS[n % 5],
              coordinator=f"K{n % 17}")
        for n, one in enumerate(names)
    ]  # fmt: skip
    Companies(access.book, clock).put(facts, lambda *_: None)
    goals = GoalBook(access.book, clock)
    for one in names:
        for code, baseline, target in (("DQ-RATE", 80, 95), ("P-UTIL", 60, 99)):
            promise = Promise(code=code, baseline=Baseline(baseline, "before"), target=target)
            goals.propose(Whose(one, "A"), promise, "", lambda *_: None)


async def written(sink: DuckDbSink, companies: int) -> None:
    """A body of each company every minute, with the values of the last minute that is stored; of no company nothing."""
    if not companies:
        return
    with sink.cursor() as cursor:
        (batch,) = cursor.execute("SELECT max(batch) FROM points_float").fetchone() or (0,)
        last = list(bodies(cursor, companies, batch // companies - 1))
    while True:
        now_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
        begun = time.perf_counter()
        for company, body in last:
            lines = (line.rpartition(b" ")[0] + f" {now_ns}".encode() for line in body.split(b"\n"))
            await sink.write(company, b"\n".join(lines))
        print(f"a minute of {len(last)} companies written in {time.perf_counter() - begun:.1f} s", flush=True)
        await asyncio.sleep((now_ns + MINUTE_NS - time.time_ns()) / 1e9)


async def viewed(url: str, paths: list[str], seconds: float, links: int) -> list[float]:
    """How long each page took that 20 viewers asked for, seconds; each links to so many companies at least."""
    took: list[float] = []
    until_s = time.monotonic() + seconds

    async def viewer(number: int) -> None:
        async with httpx.AsyncClient(timeout=120) as client:
            turn = number * 7
            while time.monotonic() < until_s:
                begun = time.perf_counter()
                answer = await client.get(url + paths[turn % len(paths)])
                took.append(time.perf_counter() - begun)
                assert answer.status_code == 200
                assert answer.text.count("/company/") >= links
                turn += 1

    await asyncio.gather(*(viewer(n) for n in range(VIEWERS)))
    return took


async def asked(url: str, name: str, paths: list[str], seconds: float, links: int = 0) -> None:
    """The same from a process of its own, told."""
    job = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fleet", "--viewers", json.dumps([url, paths, seconds, links]),
        stdout=asyncio.subprocess.PIPE)  # fmt: skip
    text, _ = await job.communicate()
    took = json.loads(text)
    cut = statistics.quantiles(took, n=100)
    print(f"{name}: {VIEWERS} viewers, {len(took)} pages in {seconds:.0f} s: p50 {cut[49]:.3f} s, p95 {cut[94]:.3f} s, "
          f"most {max(took):.3f} s, load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip


async def measured(path: Path, said: argparse.Namespace) -> None:
    """Serve, let the board be turned through all companies, then measure."""
    begun = time.perf_counter()
    sink = DuckDbSink(path)
    print(f"opened by the sink in {time.perf_counter() - begun:.1f} s", flush=True)
    store, access, names = DuckDbStore(sink.cursor), embedded(SystemClock()), names_of(said.companies)
    known_of(access, names)
    begun = time.perf_counter()
    store.latest()
    print(f"newest of {len(store.latest()):,} series read in {time.perf_counter() - begun:.1f} s", flush=True)
    next_half = local(time.time_ns() + 30 * MINUTE_NS)
    catalog = Catalog.of([site(one, f"{next_half:%H}:{next_half.minute // 30 * 30:02}") for one in names])
    server = ViewerServer(store, catalog, [], "127.0.0.1", 0, access)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.run_until_cancelled())
        writing = group.create_task(written(sink, 0 if said.still else said.companies))
        url = (await server.url()).rstrip("/")
        fleet = server._fleet
        begun, spent = time.perf_counter(), time.process_time()
        for name in ("_details", "_promised"):
            while len(getattr(fleet, name)) < len(names) and time.perf_counter() - begun < said.warm_s:
                await asyncio.sleep(0.5)
            count, took = len(getattr(fleet, name)), time.perf_counter() - begun
            cpu = time.process_time() - spent
            print(f"{name[1:]} of {count} of {len(names)} companies after {took:.0f} s, {cpu:.0f} s of CPU", flush=True)
        await asked(url, "/fleet", [f"/fleet?page={n}" for n in range(1, 27)], said.seconds, 20)
        views = ["/fleet/kpi", "/fleet/regions", "/fleet/compare", "/fleet/coordinators"]
        await asked(url, "other views", views, said.seconds)
        await asked(url, "/company", [f"/company/{quote(one)}" for one in names], said.seconds)
        print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB", flush=True)
        writing.cancel()
        server.should_exit = True
        await serving
    await sink.close()


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=1300)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--warm-s", type=float, default=1800)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--still", action="store_true", help="nothing is written meanwhile")
    parser.add_argument("--viewers", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.viewers:
        print(json.dumps(asyncio.run(viewed(*json.loads(said.viewers)))))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    with ExitStack() as stack:
        folder = said.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sf-fleet-")))
        path = stored(folder, said)
        asyncio.run(measured(path, said))


if __name__ == "__main__":
    main()
