"""What a destination gets, and above all what it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.derive.engine import KEY, Engine, Heard
from pipelines.derive.minute import MINUTE_NS
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, GOOD
from pipelines.share.rule import Share, newest
from pipelines.share.settings import Level, ShareSettings

S = 10**9
M0 = 29_000_000 * MINUTE_NS
PLACES = {one: Place(kind, "acme", "daegu", "", one) for one, kind in (("P1", "press"), ("M1", "meter"))}
LEVELS: dict[Ref, Level] = {
    Ref("P1", "spm"): "aggregate",
    Ref("P1", "ton"): "aggregate",
    Ref("P1", "secret"): "none",
    Ref("P1", "state"): "kpi",
    Ref("M1", "kw"): "raw",
}
PERIODS = dict.fromkeys(LEVELS, 15.0)


def share() -> Share:
    return Share("tp", "origin", LEVELS, PERIODS, PLACES)


def sent(one: Share) -> list[str]:
    one.lines()
    return [line for batch in one.pending for line in batch.body.splitlines()]


def test_a_machine_and_minute_are_one_line() -> None:
    one = share()
    for second in (0, 15, 30, 45):
        one.take(Ref("P1", "spm"), M0 + second * S, 50 + second, GOOD)
    one.take(Ref("P1", "ton"), M0 + 20 * S, 120.5, GOOD)
    one.take(Ref("P1", "ton"), M0 + 35 * S, 0, BAD_NO_COMMUNICATION)
    one.tick(M0 + 64 * S)
    assert sent(one) == []
    one.tick(M0 + 65 * S)
    (line,) = sent(one)
    series, fields, time_ns = line.split(" ")
    assert (series, time_ns) == ("aggregate,company=acme,machine=P1,site=daegu", str(M0))
    assert fields.split(",") == [
        *("spm_min=50.0", "spm_mean=72.5", "spm_max=95.0", "spm_last=95.0", "spm_count=4i"),
        *("ton_min=120.5", "ton_mean=120.5", "ton_max=120.5", "ton_last=120.5", "ton_count=1i"),
        *(f"ton_quality={BAD_NO_COMMUNICATION}i", "ton_cover=25.0"),
    ]


def test_raw_is_every_reading_with_its_quality() -> None:
    one = share()
    one.take(Ref("M1", "kw"), M0, 41.5, GOOD)
    one.take(Ref("M1", "kw"), M0 + S, 42.5, GOOD)
    one.take(Ref("M1", "kw"), M0 + 2 * S, 0, BAD_NO_COMMUNICATION)
    one.take(Ref("M1", "kw"), M0 + 3 * S, 43.5, GOOD)
    head = "meter,company=acme,machine=M1,site=daegu "
    assert sent(one) == [
        f"{head}kw=41.5,kw_quality=0i {M0}",
        f"{head}kw=42.5 {M0 + S}",
        f"{head}kw_quality={BAD_NO_COMMUNICATION}i {M0 + 2 * S}",
        f"{head}kw=43.5,kw_quality=0i {M0 + 3 * S}",
    ]


def test_only_what_is_shared_is_heard() -> None:
    assert share().reads == {Ref("P1", "spm"), Ref("P1", "ton"), Ref("M1", "kw")}


@pytest.mark.parametrize(
    ("measurement", "tag", "leaves"),
    [
        ("state", "state", True),
        ("state", "secret", False),
        ("energy", "state", True),
        ("battery", "state", False),
        ("battery", "spm", True),
        ("alarm", "state", False),
        ("alarm", "spm", True),
        ("alarm_action", "state", False),
        ("alarm_action", "spm", True),
        ("event_log", "state", False),
        ("event_log", "spm", True),
        ("exposure", "state", False),
        ("exposure", "spm", True),
        ("cycle", "spm", False),
        ("cycle", "kw", True),
        ("whatever", "kw", False),
    ],
)
def test_a_derived_point_leaves_where_all_it_is_made_of_may(measurement: str, tag: str, leaves: bool) -> None:
    one = share()
    ref = next(ref for ref in LEVELS if ref.tag == tag)
    point = Derived(measurement, ref.machine, M0, {"code": 1})
    text = b"%s,machine=%s code=1i %d\n" % (measurement.encode(), ref.machine.encode(), M0)
    one.see(frozenset({ref}), [(point, text)])
    assert bool(sent(one)) is leaves
    secret = share()
    secret.see(frozenset({ref, Ref("P1", "secret")}), [(point, text)])
    secret.see(frozenset(), [(point, text)])
    assert sent(secret) == []


@pytest.mark.parametrize(
    ("per", "tag", "leaves"), [("hour", "state", True), ("lot", "state", False), ("lot", "spm", True)]
)
def test_what_names_a_lot_is_no_key_figure(per: str, tag: str, leaves: bool) -> None:
    one = share()
    point = Derived("energy", "P1", M0, {"lot": "L-7", "kwh": 1.5}, (("per", per),))
    one.see(frozenset({Ref("P1", tag)}), [(point, b"energy,machine=P1 kwh=1.5 %d\n" % M0)])
    assert bool(sent(one)) is leaves


def test_a_share_that_was_told_nothing_is_not_written_again() -> None:
    one = share()
    derived = engine(one, {})
    derived.hear([Heard(M0, Ref("P1", "spm"), 50, GOOD)])
    lines = derived.gather(M0)
    assert lines is not None
    assert KEY + one.name in lines.resume
    derived.hear([Heard(M0 + S, Ref("P1", "secret"), 50, GOOD)])
    assert derived.gather(M0 + S) is None


def test_a_minute_that_time_alone_ends_is_kept_at_once() -> None:
    """No reading may come any more: what is not in a record is never handed over."""
    one = share()
    derived = engine(one, {})
    derived.hear([Heard(M0, Ref("P1", "spm"), 50, GOOD)])
    derived.gather(M0)
    lines = derived.tick(M0 + 65 * S)
    assert lines is not None
    assert newest(lines.resume[KEY + one.name]) == one.pending[-1].number == 1
    assert derived.tick(M0 + 66 * S) is None


def test_a_tag_that_nothing_names_has_the_default() -> None:
    refs = [Ref("P1", "spm"), Ref("P1", "ton"), Ref("M1", "kw"), Ref("X", "y")]
    one = ShareSettings(tags={"P1/spm": "raw"}, machines={"P1": "aggregate", "M1": "kpi"})
    assert list(one.levels(refs).values()) == ["raw", "aggregate", "kpi", "none"]
    assert set(ShareSettings().levels(refs).values()) == {"none"}


def test_what_left_is_accounted_for_in_the_own_store() -> None:
    one = share()
    one.take(Ref("P1", "spm"), M0, 50, GOOD)
    one.take(Ref("M1", "kw"), M0, 50.0, GOOD)
    one.tick(M0 + 65 * S)
    assert not one.lines()
    one.tick(M0 + 130 * S)
    assert not one.lines(), "nothing left yet"
    one.given(2)
    one.tick(M0 + 131 * S)
    told = list(one.lines())
    assert [(point.measurement, point.machine, point.fields, point.tags, point.once) for point in told] == [
        ("shared", machine, {"points": 1}, (("destination", "tp"),), True) for machine in ("M1", "P1")
    ]


def busy(one: Share, seconds: range, size: int = 100) -> None:
    """A hundred readings a second."""
    for second in seconds:
        for index in range(100):
            one.take(Ref("M1", "kw"), M0 + second * S + index, "x" * size, GOOD)
        one.tick(M0 + second * S)
        one.lines()


def gaps(one: Share) -> list[str]:
    return [text for batch in one.pending for text in batch.body.splitlines() if text.startswith("gap,")]


def test_a_sick_disk_does_not_fill_the_memory() -> None:
    one = share()
    busy(one, range(200))
    assert sum(len(batch.body) for batch in one.pending) <= 1 << 20
    assert one.lost == 20_000 - sum(sum(batch.shared.values()) for batch in one.pending) > 0


def test_a_disk_that_is_only_slow_loses_nothing() -> None:
    """Two minutes: `commit_s` may be 60 s, and the writer waits 60 s for a busy card."""
    one = share()
    busy(one, range(120), size=1000)
    assert (one.lost, sum(batch.points for batch in one.pending)) == (0, 12_000)
    one.given(1)  # it takes something: it is alive
    busy(one, range(120, 200))
    assert (one.lost, sum(batch.points for batch in one.pending)) == (0, 19_900)


def test_memory_is_bounded_however_much_comes() -> None:
    one = share()
    busy(one, range(60), size=10_000)
    assert sum(len(batch.body) for batch in one.pending) <= 32 << 20
    assert one.lost > 0


@pytest.mark.parametrize(("away_s", "mean"), [(50, 18.333), (70, 20.0)])
def test_after_a_restart_a_value_that_was_not_told_holds_for_a_minute_only(away_s: int, mean: float) -> None:
    levels: dict[Ref, Level] = {Ref("P1", "spm"): "aggregate"}
    one = Share("tp", "origin", levels, {}, PLACES)
    one.take(Ref("P1", "spm"), M0 + 59 * S, 10, GOOD)
    again = Share("tp", "origin", levels, {}, PLACES)
    again.restore(one.state())
    again.tick(M0 + (59 + away_s) * S)
    again.take(Ref("P1", "spm"), M0 + 130 * S, 20, GOOD)
    again.take(Ref("P1", "spm"), M0 + 150 * S, 20, GOOD)
    again.tick(M0 + 185 * S)
    assert f"spm_mean={mean}" in sent(again)[-1]


def test_what_is_given_up_is_one_gap_at_the_destination() -> None:
    one = share()
    busy(one, range(150))
    again = share()
    again.restore(one.state())
    assert again.pending == one.pending
    (line,) = gaps(again)
    series, fields, time_ns = line.split(" ")
    assert series == "gap,cause=dropped_at_cap,company=acme,machine=M1,site=daegu,tag=*"
    assert int(time_ns) == M0
    assert f"count={one.lost}i" in fields.split(",")
    assert [batch.number for batch in one.pending] == sorted(batch.number for batch in one.pending)
    one.underway = one.pending[-1].number  # the gap is on its way: another loss is another gap
    before = one.lost
    busy(one, range(150, 300))
    lost = [int(number) for text in gaps(one) for number in re.findall("count=([0-9]+)", text)]
    assert (len(lost), sum(lost), lost[0]) == (2, one.lost, before)
    told = sum(batch.shared.get("M1", 0) for batch in one.pending)
    assert told + one.lost == 30_000


class Doubler:
    """A rule whose points are the readings of one tag."""

    name = "doubler"
    reads = frozenset({Ref("P1", "state")})

    def __init__(self) -> None:
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:  # noqa: ARG002 - a rule's
        assert isinstance(value, int)
        self._points.append(Derived("state", ref.machine, time_ns, {"code": value}))

    def tick(self, now_ns: int) -> None: ...

    def moved(self, by_ns: int) -> None: ...

    def lines(self) -> Sequence[Derived]:
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        return b"{}"

    def restore(self, state: bytes) -> None: ...


def engine(one: Share, kept: Mapping[str, bytes]) -> Engine:
    found = Engine(kept)
    found.follow([Doubler()], PLACES, [one])
    return found


def test_an_engine_shows_it_the_points_of_all_rules_and_keeps_its_state() -> None:
    one = share()
    derived = engine(one, {})
    derived.hear([Heard(M0, Ref("P1", "state"), 1, GOOD)])
    lines = derived.gather(M0)
    assert lines is not None
    assert newest(lines.resume[KEY + one.name]) == 1
    assert [batch.body for batch in one.pending] == [f"state,company=acme,machine=P1,site=daegu code=1i {M0}\n"]
    again = share()
    engine(again, lines.resume)
    assert again.pending == one.pending


taken = st.lists(
    st.tuples(
        st.integers(0, 300), st.sampled_from(sorted(LEVELS)), st.integers(0, 99), st.sampled_from([GOOD, 1 << 31])
    ),
    max_size=60,
).map(sorted)


@settings(max_examples=40, deadline=None)
@given(taken, st.frozensets(st.integers(0, 60), max_size=5))
def test_a_restart_anywhere_changes_nothing(
    readings: list[tuple[int, Ref, int, int]], restarts: frozenset[int]
) -> None:
    """Wherever the process ends, what the journal has kept leads to the same lines, in the same batches."""

    def batches(restarts: frozenset[int]) -> dict[int, str]:
        kept: dict[str, bytes] = {}
        found: dict[int, str] = {}
        one, ticked = share(), 0
        derived = engine(one, kept)
        for index, (second, ref, value, status) in enumerate(readings):
            if index in restarts:
                one = share()
                derived = engine(one, kept)
            derived.hear([Heard(M0 + second * S, ref, value, status)])
            told: list[Lines | None] = [derived.gather(M0)]
            told += [derived.tick(M0 + tick * S) for tick in range(ticked, second)]
            ticked = second
            for some in told:
                kept |= some.resume if some else {}
            found |= {batch.number: batch.body for batch in one.pending}
        derived.tick(M0 + 999 * S)
        return found | {batch.number: batch.body for batch in one.pending}

    assert batches(restarts) == batches(frozenset())
