"""Sums of readings: order does not matter, parts add up, repeats count once."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ledger.known import Known
from pipelines.ledger.mix import mixed
from pipelines.ledger.tally import HOUR_NS, Tally, folded, tally_of

NOW_NS = 1_790_000_000_000_000_000
READING = st.tuples(
    st.integers(0, 3), st.integers(NOW_NS, NOW_NS + 3 * HOUR_NS), st.floats(allow_nan=False, allow_infinity=False)
)
READINGS = st.lists(READING, min_size=1, max_size=40, unique_by=lambda one: one[:2])


def tally(readings: list[tuple[int, int, float]]) -> Tally:
    series, times, values = zip(*readings, strict=True)
    time_ns = np.array(times, np.int64)
    return tally_of(np.array(series, np.uint32), time_ns, mixed(time_ns, np.array(values)))


def sums(rows: Any) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in row) for row in folded(rows)}


def by_hand(readings: list[tuple[int, int, float]]) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    found: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for series, time_ns, value in readings:
        mix = int(mixed(np.array([time_ns]), np.array([value]))[0])
        count, total, first, last = found.get((series, time_ns // HOUR_NS), (0, 0, 2**63, -(2**63)))
        key = (series, time_ns // HOUR_NS)
        found[key] = (count + 1, (total + mix) % 2**64, min(first, time_ns), max(last, time_ns))
    return found


@given(READINGS, st.randoms())
def test_sums_are_those_of_each_reading_and_order_does_not_matter(
    readings: list[tuple[int, int, float]], random: Any
) -> None:
    mixed_up = list(readings)
    random.shuffle(mixed_up)
    assert sums(tally(readings).rows) == sums(tally(mixed_up).rows)
    found = {
        (int(row["series"]), int(row["hour"])): tuple(
            int(row[name]) for name in ("count", "hash", "first_ns", "last_ns")
        )
        for row in tally(readings).rows
    }
    assert found == by_hand(readings)


@given(READINGS, st.integers(0, 40))
def test_parts_add_up(readings: list[tuple[int, int, float]], at: int) -> None:
    parts = [tally(part).rows for part in (readings[:at], readings[at:]) if part]
    assert sums(np.concatenate(parts)) == sums(tally(readings).rows)


@given(READINGS, st.data())
def test_what_is_there_twice_counts_once(readings: list[tuple[int, int, float]], data: st.DataObject) -> None:
    twice = readings + data.draw(st.lists(st.sampled_from(readings), max_size=5))
    assert sums(tally(twice).rows) == sums(tally(readings).rows)


@given(READINGS.filter(lambda some: len(some) > 1), st.data())
def test_no_reading_can_change_unseen(readings: list[tuple[int, int, float]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(readings) - 1))
    series, time_ns, value = readings[at]
    changed = data.draw(
        st.sampled_from([(series, time_ns + 1, value), (series, time_ns, value + 1 if abs(value) < 1e15 else -value)])
    )
    others = [*readings[:at], *readings[at + 1 :]]
    if changed[:2] not in {one[:2] for one in others}:
        assert sums(tally([*others, changed]).rows) != sums(tally(readings).rows)
    assert sums(tally(others).rows) != sums(tally(readings).rows)


def test_bits_of_values_count() -> None:
    time_ns = np.full(6, NOW_NS)
    values = [
        mixed(time_ns[:2], np.array([0.0, -0.0])),
        mixed(time_ns[:2], np.array([2**63 - 1, 2**63 - 2])),
        mixed(time_ns[:2], np.array([True, False])),
        mixed(time_ns[:2], np.array(["", "가"], dtype=object)),
        mixed(time_ns[:2], np.array([5e-324, 1.0])),
    ]
    for pair in values:
        assert pair[0] != pair[1]


def test_a_reading_that_comes_again_in_another_segment_counts_once() -> None:
    """The last reading of a segment is the first of the next one, whichever is counted first."""
    before = [(0, NOW_NS + n, 1.0 * n) for n in range(10)]
    after = [(0, NOW_NS + n, 1.0 * n) for n in range(9, 20)]
    for order in ((before, after), (after, before)):
        known = Known()
        sequence = {id(before): 1, id(after): 2}
        rows = [known.counted(tally(some), sequence[id(some)], sequence[id(some)]).rows for some in order]
        assert folded(np.concatenate([with_epoch_0(one) for one in rows]))["count"].tolist() == [20]


def test_what_is_known_outlives_the_process() -> None:
    known, again = Known(), Known()
    for segment in range(1, 6):
        known.counted(tally([(0, NOW_NS + segment, 1.0), (1, NOW_NS + segment, 2.0)]), 1, segment)
    again.restore(known.edges())
    assert sorted(again.edges().tolist()) == sorted(known.edges().tolist())
    assert len(again.counted(tally([(0, NOW_NS + 5, 1.0)]), 2, 7).rows) == 0


def with_epoch_0(rows: Any) -> Any:
    rows = rows.copy()
    rows["epoch"] = 0
    return rows
