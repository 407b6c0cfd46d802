"""Marks of touched hours: of every line of a body, whatever stands in it, before anybody hears of the points."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.encode.line import Series, line
from pipelines.errors import SinkUnavailable
from pipelines.sinks.influx import InfluxV1Sink, InfluxV2Sink
from pipelines.sinks.lineprotocol import parse
from pipelines.sinks.touched import HOUR_NS, OF, TOUCH, TOUCHED, marks, touch_of, touched_hours
from tests.services.influx_v2 import running_influx_v2
from tests.services.influxd import Influxd, influxd

__all__ = ["influxd"]
NOW_NS = 1_700_000_000_000_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(
    lambda text: (
        not set(text) & {"\\", '"', "#"} and text == text.strip() and not any(map(str.isspace, text.strip(" ")))
    )
)
VALUE = st.text(max_size=8).map(lambda text: text.replace("\r", "")) | st.integers(-9, 9) | st.booleans()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(TEXT, st.dictionaries(st.sampled_from("ab"), TEXT, max_size=2), VALUE, st.integers(0, 2**62)),
        min_size=1,
        max_size=5,
    )
)
def test_marks_are_of_the_series_and_hours_that_are_stored(rows: list[tuple[str, dict[str, str], object, int]]) -> None:
    body = b"# a comment 5\n" + b"".join(
        line(Series(name.replace("=", "_"), tuple(tags.items())), {"f": value}, time_ns)
        for name, tags, value, time_ns in rows
    )
    # Of each line for itself: a field may have another type in the next one.
    columns = [
        one
        for row in rows
        for one in parse(line(Series(row[0].replace("=", "_"), tuple(row[1].items())), {"f": row[2]}, row[3]))
    ]
    wanted = {(one.measurement, one.tags, int(one.time_ns[0]) // HOUR_NS) for one in columns}
    found = set()
    for one in parse(b"\n".join(marks(body, 7, NOW_NS))):
        tags = dict(one.tags)
        assert (one.measurement, one.field, set(one.value.tolist())) == (TOUCHED, TOUCH, {7})
        measurement = tags.pop(OF)
        found |= {(measurement, tuple(tags.items()), at_ns // HOUR_NS) for at_ns in one.time_ns.tolist()}
        assert not (one.time_ns % HOUR_NS).any()
    assert found == wanted


def test_odd_lines() -> None:
    body = b'm f=1 -5\nm  f=1,g="a b \\" c 7\nm x=1 3" 3600000000001 \r\nn,a=b\\ c\\,d f=1\r\n\nm f=2 99'
    now = NOW_NS // HOUR_NS
    assert touched_hours(body, NOW_NS) == {(b"m", 1), (b"m", 0), (rb"n,a=b\ c\,d", now)}
    edge_ns = now * HOUR_NS
    assert touched_hours(b"m f=1", edge_ns) == {(b"m", now - 1), (b"m", now)}, "the server's clock may differ"


def test_no_two_writes_have_one_touch() -> None:
    found = {touch_of(NOW_NS) for _ in range(100)}
    assert len(found) > 95
    assert all(abs(touch - NOW_NS) < 2e6 for touch in found)


class Cut(InfluxV1Sink):
    """A bridge that ends, or whose network does, between the points and their mark."""

    cut = True

    def _write(self, database: str, body: bytes) -> None:
        if self.cut and body.startswith(TOUCHED.encode()):
            raise SinkUnavailable(self.name, "gone")
        super()._write(database, body)


def marks_of(server: Influxd, database: str) -> list[list[int]]:
    answer = json.loads(server.query("SELECT touch FROM hour_touched", database))["results"][0]
    return list(answer["series"][0]["values"]) if "series" in answer else []


@pytest.mark.wire
async def test_points_without_their_mark_are_not_confirmed(influxd: Influxd) -> None:
    """So that whoever takes the record next stores both."""
    sink = Cut(influxd.url, "cut")
    with pytest.raises(SinkUnavailable):
        await sink.write("C", b"m f=1 1")
    assert marks_of(influxd, "cut") == []
    sink.cut = False
    await sink.write("C", b"m f=1 1")
    ((at_ns, first),) = marks_of(influxd, "cut")
    await sink.write("C", b"m f=1 1")
    assert at_ns == 0
    assert marks_of(influxd, "cut") != [[0, first]], "each write has a touch of its own"
    await sink.close()


@pytest.mark.wire
async def test_a_mark_older_than_what_is_kept_refuses_no_point(influxd: Influxd) -> None:
    """The hour began before the oldest point that is kept, and the point came after."""
    influxd.create("edge")
    sink = InfluxV1Sink(influxd.url, "edge")
    now_s = sink._clock.now_ns() // 10**9
    hour_s = now_s // 3600 * 3600 - 3 * 3600
    kept_s = now_s - hour_s - 900
    influxd.query(f'CREATE RETENTION POLICY "r" ON "edge" DURATION {kept_s}s REPLICATION 1 DEFAULT')
    await sink.write("C", b"m f=1 %d" % ((hour_s + 1800) * 10**9))
    assert marks_of(influxd, "edge") == []
    await sink.close()


@pytest.mark.wire
async def test_marks_of_2_x_go_the_way_of_the_points() -> None:
    with running_influx_v2() as store:
        sink = InfluxV2Sink(store.url, "factory", "points", "secret-token")
        await sink.write("C", b'm,company=C f=1 5\nm,company=C g="x" 3600000000000')
        assert {(bucket, name, dict(tags)[OF], at_ns) for bucket, name, tags, _, at_ns in store.marks} == {
            ("points", TOUCHED, "m", 0),
            ("points", TOUCHED, "m", HOUR_NS),
        }
        await sink.close()
