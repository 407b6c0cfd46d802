"""Hours that the embedded store keeps: what they say is what the points say, whatever was written in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sinks import hours
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.touched import HOUR_NS
from viewer.stores.base import Place, downsample
from viewer.stores.duckdb import DuckDbStore

PLACE = Place("C", machine="M", measurement="m")
FIELDS = {"f": "float", "i": "int", "b": "bool"}


def text(field: str, value: int) -> str:
    return {"f": f"{value / 8}", "i": f"{value}i", "b": "t" if value > 0 else "f"}[field]


def kept(sink: DuckDbSink) -> list[tuple[Any, ...]]:
    return sink.cursor().execute("SELECT series, hour, low, high, total, count FROM hours ORDER BY ALL").fetchall()


def roll(sink: DuckDbSink) -> bool:
    """As the writer does it when it is time, in its own thread."""
    assert sink._connection is not None
    return sink._worker.submit(hours.roll, sink._connection, sink._batch).result()


def same_trends(store: DuckDbStore, start_ns: int, end_ns: int, buckets: int) -> None:
    for field in FIELDS:
        trend = store.trend(PLACE, field, start_ns, end_ns, buckets)
        points = store.points(PLACE, field, start_ns, end_ns)
        expected = downsample(points, start_ns, trend.bucket_ns)
        for name in ("time_ns", "low", "high", "count"):
            assert getattr(trend, name).tolist() == getattr(expected, name).tolist(), (field, name)
        assert trend.mean == pytest.approx(expected.mean, rel=1e-12)
        assert (trend.boolean, trend.whole) == (expected.boolean, expected.whole)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies=st.lists(
        st.lists(st.tuples(st.integers(0, 30 * 12), st.integers(-99, 99)), min_size=1, max_size=25), max_size=8
    ),
    rolls=st.sets(st.integers(0, 8)),
    span=st.tuples(st.integers(0, 20), st.integers(1, 40)),
    buckets=st.integers(1, 12),
)
def test_hours_and_points_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, bodies: Any, rolls: set[int], span: tuple[int, int], buckets: int
) -> None:
    """Late, repeated and replaced points, and rolls anywhere between."""
    sink = DuckDbSink(tmp_path_factory.mktemp("store") / "a.duckdb")
    store = DuckDbStore(sink.cursor)
    for number, body in enumerate(bodies):
        lines = [
            f"m,machine=M {','.join(f'{field}={text(field, value)}' for field in FIELDS)} {at * 300 * 10**9}"
            for at, value in body
        ]
        asyncio.run(sink.write("C", "\n".join(lines).encode()))
        if number in rolls:
            assert not roll(sink)
    start_ns, end_ns = span[0] * HOUR_NS, (span[0] + span[1]) * HOUR_NS
    same_trends(store, start_ns, end_ns, buckets)
    asyncio.run(sink.close())


async def test_a_store_that_was_written_without_hours_catches_up(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.duckdb"
    sink = DuckDbSink(path)
    for hour in range(9):
        await sink.write("C", f"m,machine=M f={hour},i={hour}i,b=t {hour * HOUR_NS}".encode())
    await sink.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("DROP TABLE hours; DROP TABLE rolled")
    same_trends(DuckDbStore(path), 0, 9 * HOUR_NS, 3)
    monkeypatch.setattr(hours, "MOST_BATCHES", 4)
    sink = DuckDbSink(path)
    store = DuckDbStore(sink.cursor)
    for number, known in enumerate((4, 8, 12), 10):
        await sink.write("C", f"m,machine=M f={number},i=0i,b=f {number * HOUR_NS}".encode())
        assert hours.rolled_until(sink.cursor()) == known
        same_trends(store, 0, 20 * HOUR_NS, 3)
    assert [row[1:] for row in kept(sink) if row[0] == 0][-1] == (12, 12.0, 12.0, 12.0, 1)
    await sink.close()


async def test_hours_that_cannot_be_made_cost_no_point(tmp_path: Path) -> None:
    """As when the work space is full: the points are stored all the same, and readers use them."""
    sink = DuckDbSink(tmp_path / "a.duckdb")
    sink.cursor().execute("ALTER TABLE hours RENAME TO gone")
    await sink.write("C", b"m,machine=M f=1,i=1i,b=t 1")
    await sink.write("C", b"m,machine=M f=2,i=1i,b=t 2")
    store = DuckDbStore(sink.cursor)
    assert store.points(PLACE, "f").value.tolist() == [1.0, 2.0]
    assert np.array_equal(store.trend(PLACE, "f", 0, HOUR_NS, 1).count, [2])
    await sink.close()
