"""Counters to totals that go on, and records of cycles; domain.md §3.5 and §10, oracle 5."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.derive.count import CountRule
from pipelines.derive.cycle import CycleRule
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.point import BAD_NO_COMMUNICATION

S = 10**9
NOW = 1_790_000_000 * S


def tag(name: str) -> Ref:
    return Ref("M", name)


def counts(names: Sequence[str] = ("total",), ideal_s: float | None = None, modulus: int | None = None) -> CountRule:
    tags = {name: tag(name) for name in names}
    return CountRule("M", tags, ideal_s, dict.fromkeys(tags.values(), modulus) if modulus else None)


def fed(rule: CountRule, *raws: int, step_s: float = 1.0, name: str = "total") -> list[Derived]:
    points: list[Derived] = []
    for at, raw in enumerate(raws):
        rule.take(tag(name), NOW + round(at * step_s * S), raw, 0)
        points += rule.lines()
    return points


def said(points: Sequence[Derived], field: str) -> list[Value]:
    return [one.fields.get(field, "") for one in points]


@pytest.mark.parametrize(
    ("raws", "totals", "found"),
    [
        ([65530, 4], [65530, 65540], ["", ""]),
        ([2**32 - 3, 2], [2**32 - 3, 2**32 + 2], ["", ""]),
        ([1200, 0, 3], [1200, 1200, 1203], ["", "reset", ""]),
        ([1000, 980, 985], [1000, 1000, 1005], ["", "reset", ""]),
        ([7, 7, 7, 8], [7, 8], ["", ""]),
    ],
)
def test_rollover_reset_and_what_is_read_twice(raws: list[int], totals: list[int], found: list[str]) -> None:
    points = fed(counts(), *raws)
    assert (said(points, "total"), said(points, "found")) == (totals, found)
    assert points[-1].fields["epoch"] == found.count("reset")


def test_with_a_known_rate_the_rest_of_a_reset_counts_and_a_leap_is_told_and_not_clamped() -> None:
    points = fed(counts(ideal_s=1.0), 1200, 3, 4, 5000)
    assert said(points, "total") == [1200, 1203, 1204, 6200]
    assert said(points, "found") == ["", "reset", "", "implausible"]
    assert said(fed(counts(ideal_s=1.0), 65000, 5), "total") == [65000, 65005], "a reset: nobody makes 541 in a second"


def test_a_double_word_that_begins_again_near_the_end_of_a_word_is_reset_where_the_type_is_known() -> None:
    assert said(fed(counts(modulus=2**32), 65530, 4), "total") == [65530, 65530]


def test_what_is_not_counted_follows_and_may_disagree_for_a_moment() -> None:
    rule = counts(("total", "ng"))
    for name, raw in (("total", 100), ("ng", 2)):
        rule.take(tag(name), NOW, raw, 0)
    (point,) = rule.lines()
    assert point.fields == {"epoch": 0, "total": 100, "ng": 2, "good": 98}
    assert point.time_ns == NOW
    rule = counts(("total", "good"))
    for at, (name, raw) in enumerate([("total", 10), ("good", 10), ("good", 11), ("total", 12)]):
        rule.take(tag(name), NOW + at, raw, 0)
    assert said(rule.lines(), "ng") == ["", 0, -1, 1]
    rule = counts(("good", "ng"))
    for name, raw in (("good", 5), ("ng", 1)):
        rule.take(tag(name), NOW, raw, 0)
    assert said(rule.lines(), "total") == [6]


def test_a_bad_reading_counts_nothing_and_what_came_meanwhile_counts_after_it() -> None:
    rule = counts()
    points = fed(rule, 10)
    rule.take(tag("total"), NOW + S, 0, BAD_NO_COMMUNICATION)
    rule.take(tag("total"), NOW + 60 * S, 70, 0)
    assert said([*points, *rule.lines()], "total") == [10, 70]


STEP = st.one_of(
    st.tuples(st.just("count"), st.integers(0, 40)),
    st.tuples(st.just("reset"), st.integers(0, 3)),
    st.tuples(st.just("set"), st.integers(0, 2**16 - 1)),
    st.tuples(st.just("bad"), st.just(0)),
)


@given(
    st.integers(0, 2**16 - 1),
    st.lists(st.tuples(STEP, st.booleans(), st.integers(0, 5 * S)), max_size=30),
    st.sampled_from([None, 0.1, 1.0]),
)
@example(1200, [(("count", 0), False, 5 * S), (("set", 50), True, S)], 0.1)
def test_any_sequence_gives_the_same_sums_wherever_it_was_restarted(
    start: int, steps: list[tuple[tuple[str, int], bool, int]], ideal_s: float | None
) -> None:
    """Kept: a plausible rest of a reset hung on the time of the last reading, which a restart forgot."""
    whole, rule, now_ns = counts(ideal_s=ideal_s), counts(ideal_s=ideal_s), NOW
    cycles, cycle = (CycleRule("M", tag("total"), (), ideal_s) for _ in range(2))
    expected: list[Derived] = []
    found: list[Derived] = []
    raw = start
    for (what, amount), restart, later_ns in [(("count", 0), False, 0), *steps]:
        now_ns += later_ns
        raw = {"count": (raw + amount) % 2**16, "reset": amount, "set": amount, "bad": raw}[what]
        if restart:
            again, anew = counts(ideal_s=ideal_s), CycleRule("M", tag("total"), (), ideal_s)
            again.restore(rule.state())
            anew.restore(cycle.state())
            rule, cycle = again, anew
        for one in (whole, rule, cycles, cycle):
            one.take(tag("total"), now_ns, raw, BAD_NO_COMMUNICATION if what == "bad" else 0)
        expected += [*whole.lines(), *cycles.lines()]
        found += [*rule.lines(), *cycle.lines()]
    assert found == expected


@given(st.integers(0, 2**16 - 1), st.lists(st.integers(0, 4096), max_size=40))
def test_every_count_is_counted_once_over_any_number_of_rollovers(start: int, steps: list[int]) -> None:
    rule, truth = counts(modulus=2**16), start
    fed(rule, start)
    for at, step in enumerate(steps, 1):
        truth += step
        rule.take(tag("total"), NOW + at * S, truth % 2**16, 0)
    points = rule.lines()
    assert not points or points[-1].fields["total"] == truth


def cycle(**keys: object) -> CycleRule:
    return CycleRule("M", tag("n"), (tag("ton"), Ref("X", "kw")), **keys)  # type: ignore[arg-type]


def test_a_record_for_each_count_with_the_values_of_its_time_whatever_their_order() -> None:
    rule = cycle()
    for at, name, value in [
        (0, "n", 7), (0, "ton", 120.5), (2, "ton", 121.0), (3, "n", 8), (3, "ton", 122.5), (4, "ton", 1.0), (5, "n", 9),
    ]:  # fmt: skip
        rule.take(tag(name), NOW + at * S, value, 0)
    points = rule.lines()
    assert [one.fields for one in points] == [
        {"number": 8, "counts": 1, "duration_s": 3.0, "ton": 122.5},
        {"number": 9, "counts": 1, "duration_s": 2.0, "ton": 1.0},
    ]
    assert [(one.time_ns - NOW) // S for one in points] == [3, 5]
    assert all(one.once for one in points)


def test_a_record_of_several_counts_has_their_mean_duration_and_no_bad_value() -> None:
    rule = cycle()
    for at, name, value, status in [(0, "n", 7, 0), (1, "ton", 5, 0), (2, "ton", 0, 0x8000_0000), (6, "n", 10, 0)]:
        rule.take(tag(name), NOW + at * S, value, status)
    rule.take(Ref("X", "kw"), NOW + 6 * S, 3.5, 0)
    (point,) = rule.lines()
    assert point.fields == {"number": 10, "counts": 3, "duration_s": 2.0, "X_kw": 3.5}


def test_a_reset_is_no_cycle() -> None:
    rule = cycle(ideal_s=1.0)
    for at, raw in enumerate([100, 101, 1, 2]):
        rule.take(tag("n"), NOW + at * S, raw, 0)
    assert said(rule.lines(), "number") == [101, 103]
