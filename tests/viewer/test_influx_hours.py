"""Hours of an InfluxDB: what a long chart says of them is what the points say, and what the embedded store says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import SinkUnavailable
from pipelines.sinks import hours
from pipelines.sinks.duckdb import DuckDbSink
from pipelines.sinks.hour_keeper import HourKeeper
from pipelines.sinks.influx import InfluxSink, InfluxV1Sink, InfluxV2Sink
from pipelines.sinks.influx_hours import ENDING
from pipelines.sinks.influxql import InfluxQl, authorization
from pipelines.sinks.touched import HOUR_NS, TOUCHED
from tests.services.influx_v2 import running_influx_v2
from tests.services.influxd import Influxd
from tests.set_clock import SetClock
from viewer.access.scope import ScopedStore
from viewer.stores.base import Place, Trend, downsample
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore
from viewer.stores.influx_trends import stale

pytestmark = pytest.mark.wire

FIRST = 472_222
"""An hour of 2023; tests are of the hours after it."""
FIRST_NS = FIRST * HOUR_NS
LAST_NS = FIRST_NS + 100 * HOUR_NS
PLACE = Place("C", machine="M", measurement="m")
TAGS = "company=C,machine=M"
FIELDS = "fib"
STEP_NS = HOUR_NS // 12


@dataclass
class Kept:
    """A database of its own, two bridges that write to it, and what keeps its hours.

    Attributes:
        server: of a real InfluxDB.
        sinks: of the bridges.
    """

    server: Influxd
    sinks: list[InfluxV1Sink] = field(default_factory=list)
    database: str = field(default_factory=lambda: f"h_{uuid.uuid4().hex}")
    clock: SetClock = field(default_factory=lambda: SetClock(LAST_NS + 7))

    def keeper(self, putting: Any = None) -> HourKeeper:
        return HourKeeper(InfluxQl(self.server.url, {}), putting or self.sinks[0], self.clock)

    def keep(self) -> None:
        """Until there is nothing more to do."""
        keeper = self.keeper()
        while keeper.turn(self.database):
            pass

    def write(self, body: str, bridge: int = 0) -> None:
        asyncio.run(self.sinks[bridge].write("C", body.encode()))

    def store(self) -> InfluxStore:
        return InfluxStore(self.server.url, self.database)

    def touched(self) -> int:
        """Points that a long chart would take from the points."""
        return self.store().trend(PLACE, "f", FIRST_NS, LAST_NS, 10).count.sum()


@pytest.fixture
def kept(influxd: Influxd) -> Iterator[Kept]:
    one = Kept(influxd)
    influxd.create(one.database)
    one.sinks = [InfluxV1Sink(influxd.url, one.database) for _ in range(2)]
    yield one
    for sink in one.sinks:
        asyncio.run(sink.close())


def lines(points: list[tuple[int, int]], tags: str = TAGS) -> str:
    """Points of three fields: five-minute steps after the first hour, and values."""
    return "\n".join(
        f'm,{tags} f={value / 8},i={value}i,b={"t" if value > 0 else "f"},s="x" {FIRST_NS + at * STEP_NS}'
        for at, value in points
    )


def same(trend: Trend, expected: Trend) -> None:
    for name in ("time_ns", "low", "high", "count"):
        assert getattr(trend, name).tolist() == getattr(expected, name).tolist(), name
    assert trend.mean == pytest.approx(expected.mean, rel=1e-12)
    assert (trend.boolean, trend.whole) == (expected.boolean, expected.whole)


def says_what_its_points_say(kept: Kept, span: tuple[int, int] = (0, 100), buckets: int = 7) -> None:
    store = kept.store()
    start_ns, end_ns = (FIRST_NS + hour * HOUR_NS for hour in span)
    for one in FIELDS:
        trend = store.trend(PLACE, one, start_ns, end_ns, buckets)
        same(trend, downsample(store.points(PLACE, one, start_ns, end_ns), start_ns, trend.bucket_ns))


def delete_points(kept: Kept) -> None:
    """Points and their marks, as retention does; the tag goes on."""
    for measurement in ("m", TOUCHED):
        kept.server.query(f"DELETE FROM {measurement} WHERE time < {LAST_NS}", kept.database)  # noqa: S608
    kept.server.write(kept.database, f"m,{TAGS} f=1 {LAST_NS}".encode())


def of_hours_alone(kept: Kept) -> bool:
    """Whether a long chart is the same without the points: nothing of it is read from them."""
    before = kept.store().trend(PLACE, "f", FIRST_NS, LAST_NS, 10)
    delete_points(kept)
    after = kept.store().trend(PLACE, "f", FIRST_NS, LAST_NS, 10)
    return (
        len(before.count) > 0 and before.count.tolist() == after.count.tolist() and np.allclose(before.mean, after.mean)
    )


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies=st.lists(
        st.lists(st.tuples(st.integers(0, 30 * 12), st.integers(-99, 99)), min_size=1, max_size=25),
        min_size=1,
        max_size=6,
    ),
    rolls=st.sets(st.integers(0, 6)),
    span=st.tuples(st.integers(0, 20), st.integers(1, 40)),
    buckets=st.integers(1, 12),
)
def test_both_stores_say_the_same_of_whatever_was_written_in_which_order(
    influxd: Influxd,
    tmp_path_factory: pytest.TempPathFactory,
    bodies: list[list[tuple[int, int]]],
    rolls: set[int],
    span: tuple[int, int],
    buckets: int,
) -> None:
    """Late, repeated and replaced points through two bridges; hours made anywhere between, in the middle of one too."""
    kept = Kept(influxd, clock=SetClock(FIRST_NS + 20 * HOUR_NS + 5))
    kept.sinks = [InfluxV1Sink(influxd.url, kept.database) for _ in range(2)]
    sink = DuckDbSink(tmp_path_factory.mktemp("store") / "a.duckdb")
    embedded = DuckDbStore(sink.cursor)
    for number, body in enumerate(bodies):
        kept.write(lines(body), number % 2)
        asyncio.run(sink.write("C", lines(body).encode()))
        if number in rolls:
            kept.keep()
            assert sink._connection is not None
            sink._worker.submit(hours.roll, sink._connection, sink._batch).result()
    store = kept.store()
    assert store.keeps_hours == bool(rolls & set(range(len(bodies))))
    start_ns, end_ns = FIRST_NS + span[0] * HOUR_NS, FIRST_NS + (span[0] + span[1]) * HOUR_NS
    for one in FIELDS:
        same(
            store.trend(PLACE, one, start_ns, end_ns, buckets),
            embedded.trend(PLACE, one, start_ns, end_ns, buckets),
        )
    says_what_its_points_say(kept, (span[0], sum(span)), buckets)
    for one in (sink, *kept.sinks):
        asyncio.run(one.close())
    influxd.query(f'DROP DATABASE "{kept.database}"; DROP DATABASE "{kept.database}{ENDING}"')


def test_what_was_there_before_is_made_once_and_outlives_its_points(kept: Kept) -> None:
    """History without marks, with holes and a machine of another lot; then a line that goes on through the bridge."""
    history = lines([(at, at % 50) for at in range(0, 600, 7) if at % 100 < 60])
    kept.server.write(kept.database, f"{history}\n{lines([(3, 5), (99, 6)], TAGS + ',lot=a')}".encode())
    store = kept.store()
    assert not store.keeps_hours
    assert not ScopedStore(store, None).keeps_hours
    keeper = kept.keeper()
    while keeper.turn(kept.database):
        assert not kept.store().keeps_hours, "a long chart would still be slow"
        says_what_its_points_say(kept)
    assert ScopedStore(kept.store(), None).keeps_hours
    says_what_its_points_say(kept)
    kept.write(lines([(at, at % 40) for at in range(590, 900, 5)]))
    says_what_its_points_say(kept)
    kept.keep()
    says_what_its_points_say(kept)
    assert of_hours_alone(kept)


class Dies:
    """Ends at its n-th write: before the server has it, or after."""

    def __init__(self, sink: InfluxSink, puts: int, *, after: bool) -> None:
        self._sink, self._left, self._after = sink, puts, after

    def put(self, database: str, body: bytes) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise SinkUnavailable("hours", "killed")
        self._sink.put(database, body)
        if self._left < 0:
            raise SinkUnavailable("hours", "killed")


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_moment_it_goes_on(kept: Kept, after: bool) -> None:
    kept.server.write(kept.database, lines([(at, at) for at in range(0, 700, 11)]).encode())
    kept.write(lines([(at, -at) for at in range(600, 1000, 13)]))
    for puts in range(12):
        keeper = kept.keeper(Dies(kept.sinks[0], puts, after=after))
        try:
            while keeper.turn(kept.database):
                pass
        except SinkUnavailable:
            says_what_its_points_say(kept)
            kept.write(lines([(puts * 20, puts), (puts * 40 + 300, puts)]), puts % 2)
            says_what_its_points_say(kept)
            continue
        break
    else:
        pytest.fail("it never came to its end")
    says_what_its_points_say(kept)
    kept.keep()
    assert of_hours_alone(kept)


class Between:
    """Does something after the points were asked for and before their hours are written; or keeps these back."""

    def __init__(self, sink: InfluxSink, first: Callable[[], None], *, back: bool = False) -> None:
        self._sink, self._first, self._back = sink, first, back
        self.held: list[tuple[str, bytes]] = []

    def put(self, database: str, body: bytes) -> None:
        if self._back:
            self.held.append((database, body))
            return
        self._first()
        self._sink.put(database, body)


def test_what_is_written_while_hours_are_made_is_not_lost(kept: Kept) -> None:
    kept.keep()
    kept.write(lines([(at, at) for at in range(0, 100, 9)]))
    late = iter(range(1, 1000, 2))
    kept.keeper(Between(kept.sinks[0], lambda: kept.write(lines([(next(late), 77)]), 1))).turn(kept.database)
    assert next(late) > 3
    says_what_its_points_say(kept)
    kept.keep()
    says_what_its_points_say(kept)
    assert of_hours_alone(kept)


def test_an_old_hour_that_comes_after_a_newer_one_is_known_for_what_it_is(kept: Kept) -> None:
    """Two bridges make hours at once, and one of them stands still meanwhile: the machine slept."""
    kept.keep()
    kept.write(lines([(5, 1), (30, 2)]))
    slow = Between(kept.sinks[0], lambda: None, back=True)
    kept.keeper(slow).turn(kept.database)
    kept.write(lines([(6, 50), (31, 60)]), 1)
    kept.keep()
    says_what_its_points_say(kept)
    for database, body in slow.held:
        kept.sinks[0].put(database, body)
    says_what_its_points_say(kept)
    kept.keep()
    assert of_hours_alone(kept)


def test_hours_that_go_on_and_hours_of_a_clock_that_is_ahead(kept: Kept) -> None:
    """The hour that is not over is taken from its points; one that has not begun is made all the same."""
    now = 700
    kept.clock.at_ns = FIRST_NS + now * STEP_NS + 1
    kept.keep()
    kept.write(lines([(at, at) for at in (now - 20, now - 1, now, now + 30)]))
    kept.keep()
    rows = kept.server.query("SELECT touch FROM m", kept.database + ENDING)
    hour_ns = FIRST_NS + now // 12 * HOUR_NS
    assert str(hour_ns).encode() not in rows
    assert str(FIRST_NS + (now + 30) // 12 * HOUR_NS).encode() in rows
    says_what_its_points_say(kept)


def test_a_backlog_of_years_is_made_although_nobody_looks_so_far_back_each_time(kept: Kept) -> None:
    kept.keep()
    keeper = kept.keeper()
    keeper.turn(kept.database)
    old = FIRST_NS - 800 * 24 * HOUR_NS
    kept.write(f"m,{TAGS} f=5 {old}\nm,{TAGS} f=7 {old + 1}")
    keeper.turn(kept.database)
    trend = kept.store().trend(PLACE, "f", old, LAST_NS, 300)
    assert (trend.count.tolist(), trend.mean.tolist()) == ([2], [6.0]), "from the points"
    kept.clock.at_ns += 25 * HOUR_NS
    keeper.turn(kept.database)
    delete_points(kept)
    assert kept.store().trend(PLACE, "f", old, LAST_NS, 300).count.tolist() == [2], "from the hour"


def test_a_field_whose_type_changes_with_the_years(kept: Kept) -> None:
    """InfluxDB 1.x pins a type to a week: what was a number, then a text, then whole, is a number where it was one."""
    kept.keep()
    week_ns = 7 * 24 * HOUR_NS
    kinds = ["1.5", '"text"', "7i", "t"]
    for number, value in enumerate(kinds):
        kept.write(f"m,{TAGS} f={value} {FIRST_NS + 2 * number * week_ns}")
    kept.clock.at_ns = FIRST_NS + 10 * week_ns
    for _ in range(2):
        trend = kept.store().trend(PLACE, "f", FIRST_NS, kept.clock.at_ns, 10)
        assert trend.mean.tolist() == [1.5, 7.0, 1.0]
        assert not trend.boolean
        assert not trend.whole
        kept.keep()


def test_sums_that_no_number_can_hold(kept: Kept) -> None:
    """Whole numbers overflow where they are added as such, and a sum of the greatest floats is no JSON."""
    kept.keep()
    kept.write(
        f"m,{TAGS} i={2**63 - 1}i,f=1.7e308,b=t {FIRST_NS}\nm,{TAGS} i={2**63 - 1}i,f=1.7e308,b=f {FIRST_NS + 1}"
    )
    kept.keep()
    (mean,) = kept.store().trend(PLACE, "i", FIRST_NS, LAST_NS, 2).mean
    assert mean == pytest.approx(2.0**63)
    trend = kept.store().trend(PLACE, "f", FIRST_NS, LAST_NS, 2)
    assert (trend.low.tolist(), trend.high.tolist(), trend.count.tolist()) == ([1.7e308], [1.7e308], [2])


def test_series_that_no_bridge_marks_are_taken_from_their_points(kept: Kept) -> None:
    """As those that another program writes into the same database."""
    kept.server.write(kept.database, lines([(at, at) for at in range(0, 200, 9)]).encode())
    kept.keep()
    kept.server.write(kept.database, lines([(at, at) for at in range(205, 400, 9)]).encode())
    says_what_its_points_say(kept)


def test_2_x_keeps_hours_through_its_own_interfaces(influxd: Influxd) -> None:
    """Bucket, organisation and token where 1.x has a database; hours need a bucket, and whoever has none is told."""
    name = f"b_{uuid.uuid4().hex}"
    influxd.create(name)
    with running_influx_v2(buckets=frozenset({name}), engine=influxd.url) as front:
        sink = InfluxV2Sink(front.url, "factory", name, front.token)
        asyncio.run(sink.write("C", lines([(1, 5), (20, 6)]).encode()))
        keeper = HourKeeper(sink.asking(), sink, SetClock(LAST_NS))
        with pytest.raises(SinkUnavailable, match=f"HTTP 404: .*{name}{ENDING}"):
            keeper.turn(name)
        store = InfluxStore(front.url, name, token=front.token)
        assert not store.keeps_hours
        assert store.trend(PLACE, "f", FIRST_NS, LAST_NS, 3).count.tolist() == [2]
        front.buckets |= {name + ENDING}
        influxd.create(name + ENDING)
        while keeper.turn(name):
            pass
        store = InfluxStore(front.url, name, token=front.token)
        assert store.keeps_hours
        assert store.trend(PLACE, "f", FIRST_NS, LAST_NS, 3).count.tolist() == [2]
        wrong = InfluxQl(front.url, authorization(token="wrong"))  # noqa: S106
        with pytest.raises(Exception, match="unauthorized"):
            list(wrong.ask(name, "SHOW FIELD KEYS"))
        asyncio.run(sink.close())


def test_stretches_of_hours_that_kept_hours_do_not_tell() -> None:
    """Of one series, ("", ()), and of another one."""
    one, two = ("", ()), ("", (("lot", "a"),))
    assert stale(0, 10, {one: {3: 7, 4: 8}}, {one: {3: 7, 4: 9, 5: 1}}) == [(4, 5)]
    assert stale(0, 10, {one: {3: 7}, two: {3: 5}}, {one: {3: 7}}) == [(3, 4)], "a series of the place is missing"
    assert stale(0, 10, {}, {one: {3: 0, 5: 0}}) == [(6, 10)], "nobody marks this series"
    assert stale(0, 10, {}, {one: {3: 0, 5: 4}}) == [], "its marks were deleted with its points"
    assert stale(0, 10, {}, {}) == [(0, 10)]
    far = {*range(0, 200, 4), *range(300, 990, 30)}
    many = stale(0, 1000, {one: dict.fromkeys(far, 1)}, {})
    assert len(many) == 24
    assert {hour for first, end in many for hour in range(first, end)} == {*range(197), *range(300, 990, 30)}
