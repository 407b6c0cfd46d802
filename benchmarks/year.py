"""`python -m benchmarks.year [TAGS] [--influx]`: how long a chart takes over a year of values, one a second.

The embedded store holds TAGS tags (10; 0 leaves it out), written a day at once as its writer lays them out; influxd one
tag. Each answer is asked for three times and the median is told, seconds; inf = none came in 30 s.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from pipelines.clock import SystemClock
from pipelines.errors import DependencyError
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.hour_keeper import HourKeeper
from pipelines.sinks.influx import InfluxV1Sink
from tests.services.influxd import running_influxd
from viewer.chart import BUCKETS
from viewer.stores.base import Place, Store
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore

START_S = 1_700_006_400
DAY_S = 86_400
DAYS = 365
PLACE = Place("C", machine="M", measurement="m")
SPANS = (1, 7, 30, DAYS)
BLOCK = 100_000


@dataclass(frozen=True, slots=True)
class Influx:
    """Seconds of each answer of influxd, of loading and of making the hours; MB of its folder."""

    of_points: list[float]
    of_hours: list[float]
    touched: list[float]
    loaded: float
    made: float
    size: float


def asked(store: Store, days: int) -> float:
    """Median time of a chart's query over the newest of so many stored days, seconds."""
    end_ns = (START_S + DAYS * DAY_S) * 10**9
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        trend = store.trend(PLACE, "f0", end_ns - days * DAY_S * 10**9, end_ns, BUCKETS)
        took.append(time.perf_counter() - begun)
        assert int(trend.count.sum()) == days * DAY_S
    return statistics.median(took)


def embedded(folder: Path, tags: int) -> tuple[list[float], list[float], float, float]:
    """Answers of the points and of kept hours; how long the hours took to make; size of the file, MB."""
    path = folder / "year.duckdb"
    sink = DuckDbSink(path)
    fields = ",".join(f"f{n}=1.5" for n in range(tags))
    asyncio.run(sink.write("C", f"m,machine=M {fields} 1".encode()))
    asyncio.run(sink.close())
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM points_float; DELETE FROM hours; DELETE FROM rolled")
        for day in range(DAYS):
            connection.execute(
                "INSERT INTO points_float SELECT tag, ($start + s) * 1000000000, 20 + sin(s / 700.0) + random(), $batch"
                " FROM range($day) t(s), range($tags) u(tag) ORDER BY s, tag",
                {"start": START_S + day * DAY_S, "batch": day + 2, "day": DAY_S, "tags": tags},
            )
    store = DuckDbStore(path)
    of_points = [asked(store, days) for days in SPANS]
    store.close()
    sink = DuckDbSink(path)
    begun = time.perf_counter()
    asyncio.run(sink.write("C", b"m,machine=M f0=1 1"))
    made = time.perf_counter() - begun
    asyncio.run(sink.close())
    store = DuckDbStore(path)
    of_hours = [asked(store, days) for days in SPANS]
    store.close()
    return of_points, of_hours, made, path.stat().st_size / 1e6


def body(first_s: int, count: int, rng: np.random.Generator) -> bytes:
    """Line protocol of one tag, a value a second."""
    seconds = np.arange(first_s, first_s + count)
    values = 20 + np.sin(seconds / 700) + rng.random(count)
    lines = [f"m,company=C,machine=M f0={v:.3f} {s}000000000" for s, v in zip(seconds.tolist(), values, strict=True)]
    return "\n".join(lines).encode()


def tried(store: Store) -> list[float]:
    """Answers over each span; inf for those that do not come."""
    found = []
    for days in SPANS:
        try:
            found.append(asked(store, days))
        except DependencyError:
            found.append(math.inf)
    return found


def influx() -> Influx:
    """Answers of influxd; a day that was written after its hours were made is taken from its points."""
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory(prefix="sf-year-") as folder, running_influxd(Path(folder)) as server:
        server.create("year")
        begun = time.perf_counter()
        for first_s in range(START_S, START_S + DAYS * DAY_S, BLOCK):
            server.write("year", body(first_s, min(BLOCK, START_S + DAYS * DAY_S - first_s), rng))
        loaded = time.perf_counter() - begun
        of_points = tried(InfluxStore(server.url, "year"))
        sink = InfluxV1Sink(server.url, "year")
        keeper = HourKeeper(sink.asking(), sink, SystemClock())
        begun = time.perf_counter()
        while keeper.turn("year"):
            pass
        made = time.perf_counter() - begun
        of_hours = tried(InfluxStore(server.url, "year"))
        asyncio.run(sink.write("C", body(START_S + (DAYS - 1) * DAY_S, DAY_S, rng)))
        touched = tried(InfluxStore(server.url, "year"))
        asyncio.run(sink.close())
        size = sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file())
        return Influx(of_points, of_hours, touched, loaded, made, size / 1e6)


def row(answers: list[float]) -> str:
    """Answers as a line of a table."""
    return "".join(f"{one:9.3f}" for one in answers)


def main() -> None:
    """Measure and print."""
    numbers = [int(one) for one in sys.argv[1:] if one.isdecimal()]
    tags = numbers[0] if numbers else 10
    print("days           " + "".join(f"{days:>9}" for days in SPANS))
    if tags:
        with tempfile.TemporaryDirectory(prefix="sf-year-") as folder:
            of_points, of_hours, made, size = embedded(Path(folder), tags)
        print(f"points         {row(of_points)}   embedded, {tags} tags, {size:,.0f} MB")
        print(f"kept hours     {row(of_hours)}   made in {made:.1f} s")
    if "--influx" in sys.argv:
        found = influx()
        print(f"influxd points {row(found.of_points)}   one tag, loaded in {found.loaded:.0f} s, {found.size:,.0f} MB")
        print(f"kept hours     {row(found.of_hours)}   made in {found.made:.0f} s")
        print(f"a day touched  {row(found.touched)}")


if __name__ == "__main__":
    main()
