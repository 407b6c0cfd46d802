"""`python -m benchmarks.year [TAGS] [--influx]`: how long a chart takes over a year of values, one a second.

The embedded store holds TAGS tags (10; 0 leaves it out), written a day at once as its writer lays them out; influxd one
tag of 30 days. Each answer is asked for three times and the median is told, seconds; inf = none came in 30 s.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from pipelines.errors import DependencyError
from pipelines.sinks.duckdb import DuckDbSink
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
BLOCK = 20_000


def asked(store: Store, days: int, stored: int = DAYS) -> float:
    """Median time of a chart's query over the newest of so many stored days, seconds."""
    end_ns = (START_S + stored * DAY_S) * 10**9
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


def influx() -> list[float]:
    """Answers of influxd."""
    with running_influxd() as server:
        server.create("year")
        stored = SPANS[-2]
        for first in range(0, stored * DAY_S, BLOCK):
            rows = range(first, min(first + BLOCK, stored * DAY_S))
            body = "\n".join(
                f"m,company=C,machine=M f0={20 + math.sin(s / 700) + random.random():.3f} {(START_S + s) * 10**9}"
                for s in rows
            )
            server.write("year", body.encode())
        found = []
        for days in SPANS[:-1]:
            try:
                found.append(asked(InfluxStore(server.url, "year"), days, stored))
            except DependencyError:
                found.append(math.inf)
        return found


def main() -> None:
    """Measure and print."""
    numbers = [int(one) for one in sys.argv[1:] if one.isdecimal()]
    tags = numbers[0] if numbers else 10
    print("days           " + "".join(f"{days:>9}" for days in SPANS))
    if tags:
        with tempfile.TemporaryDirectory(prefix="sf-year-") as folder:
            of_points, of_hours, made, size = embedded(Path(folder), tags)
        print(f"points         {''.join(f'{one:9.3f}' for one in of_points)}   embedded, {tags} tags, {size:,.0f} MB")
        print(f"kept hours     {''.join(f'{one:9.3f}' for one in of_hours)}   made in {made:.1f} s")
    if "--influx" in sys.argv:
        print(f"influxd 1.x    {''.join(f'{one:9.3f}' for one in influx())}   one tag")


if __name__ == "__main__":
    main()
