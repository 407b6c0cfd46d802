"""Both stores answer the same questions with the same, exact answers."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import DependencyError
from pipelines.point import BAD_NO_COMMUNICATION, UNCERTAIN
from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import running_influxd
from tests.viewer.conftest import Write
from viewer.stores.base import Place, Points, Store, StoredGap, downsample
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore, identifier, literal

pytestmark = pytest.mark.wire

PRESS = Place("한국금속", "A", "L1", "PRS-01", "press")
TAGS = "company=한국금속,site=A,line=L1,machine=PRS-01"
T0 = 1_700_000_000_000_000_001


def test_series_lists_machines_and_tags(store: tuple[Store, Write]) -> None:
    reader, write = store
    assert reader.series() == []
    write(
        f"press,{TAGS} spm=50i,ton=1.5,spm_quality=0i,ton_source_time=1i {T0}\ngap,{TAGS},tag=spm end=1i {T0}".encode()
    )
    write(f"meter,company=한국금속,machine=M\\ 1 kw=1.5 {T0}".encode())
    places = {series.place: series.fields for series in reader.series()}
    assert places == {PRESS: ("spm", "ton"), Place("한국금속", "", "", "M 1", "meter"): ("kw",)}


def test_latest_pairs_values_with_the_quality_that_holds(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(
        f'press,{TAGS} a=1i,b=2.5,c=t,d="운전" {T0}\npress,{TAGS} a=2i,b_quality={UNCERTAIN}i,b=3.5 {T0 + 10}'.encode()
    )
    write(f"press,{TAGS} c_quality={BAD_NO_COMMUNICATION}i,e_quality={BAD_NO_COMMUNICATION}i {T0 + 20}".encode())
    found = {one.field: (one.value, one.time_ns, one.status, one.status_time_ns) for one in reader.latest()}
    assert found == {
        "a": (2, T0 + 10, 0, T0 + 10),
        "b": (3.5, T0 + 10, UNCERTAIN, T0 + 10),
        "c": (True, T0, BAD_NO_COMMUNICATION, T0 + 20),
        "d": ("운전", T0, 0, T0),
        "e": (None, None, BAD_NO_COMMUNICATION, T0 + 20),
    }


def test_a_whole_number_of_a_float_tag_stays_a_float(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f"press,{TAGS} f=835,i=835i {T0}".encode())
    assert {one.field: type(one.value) for one in reader.latest()} == {"f": float, "i": int}


def test_latest_follows_later_and_late_writes(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f"press,{TAGS} a=1i {T0 + 100}\nmeter,machine=M a=5i {T0}".encode())
    reader.latest()
    write(f"press,{TAGS} a=2i {T0 + 50}\nmeter,machine=M a=6i {T0 + 1}".encode())
    assert [one.value for one in reader.latest(PRESS)] == [1]
    assert sorted(one.value for one in reader.latest() if isinstance(one.value, int)) == [1, 6]
    write(f"press,{TAGS} a=3i {T0 + 100}".encode())
    assert [one.value for one in reader.latest(PRESS)] == [3]


def test_points_are_exact(store: tuple[Store, Write]) -> None:
    reader, write = store
    lines = [
        f'press,{TAGS} i={2**63 - 1}i,f=-0.0,b=t,s="a ""\\"b" {T0}'.replace('""', ""),
        f'press,{TAGS} i={-(2**63)}i,f=0.1,b=f,s="x,-0]" {T0 + 1}',
        f"press,{TAGS} i=0i,f=5,i_quality={BAD_NO_COMMUNICATION}i {T0 + 2}",
    ]
    write("\n".join(lines).encode())
    whole = reader.points(PRESS, "i")
    assert (whole.value.dtype, whole.time_ns.dtype) == (np.int64, np.int64)
    assert whole.value.tolist() == [2**63 - 1, -(2**63), 0]
    assert whole.time_ns.tolist() == [T0, T0 + 1, T0 + 2]
    real = reader.points(PRESS, "f")
    assert real.value.dtype == np.float64
    assert real.value.tolist() == [0.0, 0.1, 5.0]
    assert math.copysign(1, real.value[0]) == -1
    assert reader.points(PRESS, "b").value.tolist() == [True, False]
    assert reader.points(PRESS, "s").value.tolist() == ['a "b', "x,-0]"]
    assert reader.points(PRESS, "i_quality").value.tolist() == [BAD_NO_COMMUNICATION]
    assert reader.points(PRESS, "i", T0 + 1, T0 + 2).value.tolist() == [-(2**63)]
    assert len(reader.points(PRESS, "none").value) == 0
    assert len(reader.points(Place("X", measurement="press"), "i").value) == 0


def test_points_of_more_than_one_chunk(store: tuple[Store, Write]) -> None:
    reader, write = store
    write("\n".join(f"press,{TAGS} i={n}i {T0 + n}" for n in range(25_000)).encode())
    points = reader.points(PRESS, "i")
    assert np.array_equal(points.value, np.arange(25_000))
    assert np.array_equal(points.time_ns, T0 + np.arange(25_000))


@pytest.mark.parametrize("buckets", [1, 7, 50])
def test_trend_is_what_numpy_makes_of_the_points(store: tuple[Store, Write], buckets: int) -> None:
    reader, write = store
    rng = np.random.default_rng(7)
    times = T0 + np.sort(rng.choice(1_000_000, 500, replace=False))
    write(
        "\n".join(
            f"press,{TAGS} f={x!r},b={'t' if x > 0 else 'f'},i={int(x * 9)}i {t}"
            for x, t in zip(rng.normal(size=500).tolist(), times.tolist(), strict=True)
        ).encode()
    )
    start, end = T0 + 1000, T0 + 900_123
    for field in ("f", "b", "i"):
        points = reader.points(PRESS, field, start, end)
        trend = reader.trend(PRESS, field, start, end, buckets)
        expected = downsample(points, start, trend.bucket_ns)
        assert (trend.boolean, trend.whole) == (expected.boolean, expected.whole) == (field == "b", field == "i")
        assert trend.count.sum() == len(points.value)
        assert trend.time_ns.tolist() == expected.time_ns.tolist()
        assert trend.count.tolist() == expected.count.tolist()
        assert trend.low.tolist() == expected.low.tolist()
        assert trend.high.tolist() == expected.high.tolist()
        assert np.allclose(trend.mean, expected.mean)
    assert len(reader.trend(PRESS, "none", start, end, buckets).count) == 0
    assert len(reader.trend(PRESS, "f", 0, 10, buckets).count) == 0


def test_buckets_of_an_hour_and_more_lie_at_whole_hours(store: tuple[Store, Write]) -> None:
    """A point every twenty minutes of three days; the first and the last hour are whole, whatever was asked."""
    reader, write = store
    hour_ns = 3600 * 10**9
    first = T0 // hour_ns * hour_ns
    write("\n".join(f"press,{TAGS} f={n}.5 {first + n * hour_ns // 3}" for n in range(216)).encode())
    trend = reader.trend(PRESS, "f", first + 5, first + 71 * hour_ns + 7, 40)
    assert trend.bucket_ns == 2 * hour_ns
    assert trend.time_ns.tolist() == [first + 2 * n * hour_ns for n in range(36)]
    assert trend.count.tolist() == [6] * 36
    assert (trend.low[1], trend.mean[1], trend.high[1]) == (6.5, 9.0, 11.5)


def test_text_has_no_trend(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f'press,{TAGS} s="a" {T0}'.encode())
    assert len(reader.trend(PRESS, "s", T0, T0 + 10, 5).count) == 0


def test_gaps_say_what_is_missing(store: tuple[Store, Write]) -> None:
    reader, write = store
    assert reader.gaps() == []
    write(f'gap,{TAGS},tag=b cause="no_communication" {T0 + 5}\ngap,{TAGS},tag=a cause="queue_overflow" {T0}'.encode())
    write(f'gap,{TAGS},tag=a cause="queue_overflow",end={T0 + 9}i,count=3i,filled=true {T0}'.encode())
    place = Place("한국금속", "A", "L1", "PRS-01", "gap")
    closed = StoredGap(place, "a", "queue_overflow", T0, T0 + 9, 3, filled=True)
    open_one = StoredGap(place, "b", "no_communication", T0 + 5, None, None, filled=False)
    assert reader.gaps() == [closed, open_one]
    assert reader.gaps("한국금속", T0 + 1) == [open_one]
    assert reader.gaps("other") == []


def test_the_last_value_before_a_time(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f"press,{TAGS} a=1i,f=1.5 {T0}\npress,{TAGS} a=2i {T0 + 10}\npress,{TAGS} a=3i {T0 + 20}".encode())
    for time_ns, since_ns, found in ((T0 + 20, T0, [2]), (T0 + 21, T0, [3]), (T0 + 10, T0, [1]), (T0 + 9, T0 + 1, [])):
        assert reader.before(PRESS, "a", time_ns, since_ns).value.tolist() == found
    assert reader.before(PRESS, "f", T0 + 99, T0).time_ns.tolist() == [T0]
    assert len(reader.before(PRESS, "none", T0 + 99, T0).time_ns) == 0


def test_series_of_one_place_are_told_apart_by_their_further_tags(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f'energy,{TAGS},per=hour kwh=1.5,lot="a" {T0}\nenergy,{TAGS},per=hour kwh=2.5,cover=90 {T0 + 5}'.encode())
    write(f'energy,{TAGS},per=lot kwh=7 {T0 + 5}\nenergy,{TAGS},per=day lot="b" {T0 + 6}\nenergy kwh=9 {T0}'.encode())
    place = Place("한국금속", "A", "L1", "PRS-01", "energy")
    found = {
        one.tags["per"]: {
            field: [*zip(p.time_ns.tolist(), p.value.tolist(), strict=True)] for field, p in one.fields.items()
        }
        for one in reader.tagged(place, ["kwh", "cover", "none"], T0, T0 + 9)
    }
    assert found == {
        "hour": {"kwh": [(T0, 1.5), (T0 + 5, 2.5)], "cover": [(T0 + 5, 90.0)]},
        "lot": {"kwh": [(T0 + 5, 7.0)]},
    }
    assert reader.tagged(place, ["kwh"], T0 + 6, T0 + 9) == []
    assert reader.tagged(PRESS, ["kwh"], T0, T0 + 9) == []


def test_records_are_whole_and_of_the_site_that_is_asked_for(store: tuple[Store, Write]) -> None:
    reader, write = store
    assert reader.records("entry") == []
    write(f'entry,{TAGS},kind=stop id="a",value=1 {T0 + 5}\nentry,{TAGS},kind=crew id="b" {T0}'.encode())
    write(f'entry,company=한국금속,site=B,kind=crew id="c" {T0}'.encode())
    place = Place("한국금속", "A", "L1", "PRS-01", "entry")
    found = reader.records("entry", "한국금속", "A")
    assert [(one.place, one.time_ns, one.tags["kind"], one.tags["company"]) for one in found] == [
        (place, T0, "crew", "한국금속"),
        (place, T0 + 5, "stop", "한국금속"),
    ]
    said = [{name: value for name, value in one.fields.items() if value is not None} for one in found]
    assert said == [{"id": "b"}, {"id": "a", "value": 1.0}]
    assert [one.fields["id"] for one in reader.records("entry", start_ns=T0 + 1)] == ["a"]
    assert reader.records("entry", "other") == []
    assert len(reader.records("entry", "한국금속")) == 3


def test_a_store_file_is_read_after_its_writer_ended(tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    asyncio.run(sink.write("C", b"m,machine=P f=1 1"))
    asyncio.run(sink.close())
    store = DuckDbStore(tmp_path / "a.duckdb")
    assert store.points(Place("C", machine="P", measurement="m"), "f").value.tolist() == [1.0]
    store.close()


def test_a_missing_store_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match=r"none\.duckdb: no such store"):
        DuckDbStore(tmp_path / "none.duckdb")


def test_an_influxdb_that_is_not_there_is_named() -> None:
    store = InfluxStore("http://127.0.0.1:9", "db")
    with pytest.raises(DependencyError, match=r"InfluxDB http://127\.0\.0\.1:9: does not answer"):
        store.latest()


@pytest.mark.slow
def test_influxdb_asks_for_credentials_and_gets_them_in_a_header(tmp_path: Path) -> None:
    with running_influxd(tmp_path, auth=True) as server:
        server.query("CREATE USER reader WITH PASSWORD 'se cret' WITH ALL PRIVILEGES")
        with pytest.raises(DependencyError, match="HTTP 401"):
            InfluxStore(server.url, "db").latest()
        with pytest.raises(DependencyError, match="HTTP 401") as caught:
            InfluxStore(server.url, "db", username="reader", password="wrong").latest()  # noqa: S106
        assert "wrong" not in str(caught.value)
        reader = InfluxStore(server.url, "db", username="reader", password="se cret")  # noqa: S106
        assert list(reader._ask("CREATE DATABASE db")) == []
        assert reader.latest() == []


def test_names_are_quoted_for_influxql() -> None:
    assert identifier('a"b\\') == '"a\\"b\\\\"'
    assert literal("it's \\") == "'it\\'s \\\\'"


def test_downsampling_nothing() -> None:
    nothing: Any = np.empty(0)
    assert len(downsample(Points(nothing.astype(np.int64), nothing), 0, 10).count) == 0
