"""What must hold of any states, counters and windows."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.calendar import Span
from pipelines.derive.energy.factors import Factor
from pipelines.derive.signals import DOWN, UNKNOWN
from viewer.kpi.counted import Made, made, standard_s
from viewer.kpi.energy import Used, emission
from viewer.kpi.failure import between_failures, to_repair
from viewer.kpi.oee import oee, utilisation
from viewer.kpi.production import Crew, man_hours, man_hours_per_piece, per_hour
from viewer.kpi.result import Evidence, Result
from viewer.kpi.spans import Spans, failures, standing_since, times

FACTORS = [
    Factor(
        carrier="lng", value=2.0, unit="kgCO2/Nm3", valid_from=date(1960, 1, 1), scope="s", source="s", verified=True
    )
]
MANY = settings(max_examples=60, deadline=None)
END = 1000

runs = st.lists(st.tuples(st.integers(1, 120), st.integers(0, 8), st.integers(0, 30)), max_size=12).map(
    lambda rows: Spans.of(_one_after_the_other(rows))
)
windows = st.lists(st.integers(0, END), min_size=2, max_size=8, unique=True).map(
    lambda cuts: list(pairwise(sorted(cuts)))[::2]
)
counted = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 5), st.integers(0, 3)), max_size=30).map(
    lambda rows: np.cumsum(np.array([(0, 0, 0), *rows], dtype=np.int64), axis=0)
)


def _one_after_the_other(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Stretches of a length and a state, with a hole behind each."""
    at, found = 0, []
    for length, code, hole in rows:
        found.append((at, at + length, code))
        at += length + hole
    return found


def split(found: list[Span], at: int) -> tuple[list[Span], list[Span]]:
    """Windows before and from a moment on."""
    first = [(low, min(high, at)) for low, high in found if low < at]
    return first, [(max(low, at), high) for low, high in found if high > at]


@MANY
@given(runs, windows, st.integers(0, END))
def test_times_of_windows_split_anywhere_add_up(spans: Spans, found: list[Span], at: int) -> None:
    first, second = split(found, at)
    whole = times(spans, found)
    assert (times(spans, first) + times(spans, second)).by_state == whole.by_state
    assert whole.window_ns == sum(high - low for low, high in found)
    assert whole.busy_ns + whole.planned_ns + whole.unknown_ns == whole.window_ns
    assert whole.operating_ns + whole.stop_ns == whole.busy_ns


@MANY
@given(runs, windows, st.integers(0, END), st.integers(0, END))
def test_failures_of_a_period_split_anywhere_add_up(spans: Spans, found: list[Span], at: int, end: int) -> None:
    """Also where only the working time since a standing failure began is known; no failure without any repair."""
    at = min(at, end)
    whole = failures(spans, (0, end), found)
    assert failures(spans, (0, at), found) + failures(spans, (at, end), found) == whole
    since = standing_since(spans, at)
    known = [(max(low, since), high) for low, high in found if high > since]
    assert failures(spans, (at, end), known) == failures(spans, (at, end), found)
    assert whole <= np.count_nonzero(spans.code == DOWN)
    assert bool(failures(spans, (0, 10**6), found)) == bool(times(spans, found).down_ns)


@MANY
@given(counted, runs, windows, st.integers(0, END), st.booleans())
def test_pieces_of_windows_split_anywhere_add_up(
    rows: np.ndarray, spans: Spans, found: list[Span], at: int, by_state: bool
) -> None:
    time_ns, good, bad = rows.T
    total = good + bad
    states = spans if by_state else None
    whole = made(time_ns, total, good, found, states)
    parts = [made(time_ns, total, good, one, states) for one in split(found, at)]
    for name in ("total", "good", "bad", "samples", "unplaced"):
        assert sum(getattr(one, name) or 0 for one in parts) == (getattr(whole, name) or 0)
    everything = made(time_ns, total, good, [(-1, 10**6)], spans)
    assert (everything.total or 0) + everything.unplaced == total[-1]


@MANY
@given(runs, windows, st.integers(1, 500), st.integers(0, 500), st.floats(0.01, 100))
def test_both_profiles_agree_on_the_whole(spans: Spans, found: list[Span], good: int, bad: int, ideal_s: float) -> None:
    of = times(spans, found)
    pieces = Made(good + bad, good, good + bad)
    iso, tpm = (oee(of, pieces, pieces.total * ideal_s, (0, END), profile) for profile in ("iso22400", "tpm_kr"))
    if of.run_ns:
        assert iso.whole.value == pytest.approx(tpm.whole.value)
        for one in (iso, tpm):
            product = one.availability.value * one.performance.value * one.quality.value / 1e4
            assert product == pytest.approx(one.whole.value)


@MANY
@given(runs, windows, st.integers(0, END), st.integers(0, END))
def test_unknown_time_is_never_downtime(spans: Spans, found: list[Span], low: int, high: int) -> None:
    """States that are not known from `low` to `high` give the figures of the windows without that time."""
    low, high = min(low, high), max(low, high)
    with_hole = times(Spans.of([(low, high, UNKNOWN), *_outside(spans, low, high)]), found)
    told_nothing = times(Spans.of(_outside(spans, low, high)), found)
    without = times(spans, [*split(found, low)[0], *split(found, high)[1]])
    assert with_hole.by_state == told_nothing.by_state
    assert with_hole.by_state[1:] == without.by_state[1:]
    for figure in (utilisation, lambda of, period: oee(of, Made(9, 8, 9), 9.0, period, "iso22400").whole):
        assert figure(with_hole, (0, END)).value == pytest.approx(figure(without, (0, END)).value)


def _outside(spans: Spans, low: int, high: int) -> list[tuple[int, int, int]]:
    rows = zip(spans.start_ns.tolist(), spans.end_ns.tolist(), spans.code.tolist(), strict=True)
    return [
        piece
        for start, end, code in rows
        for piece in ((start, min(end, low), code), (max(start, high), end, code))
        if piece[0] < piece[1]
    ]


@MANY
@given(runs, windows, counted)
def test_no_figure_without_samples(spans: Spans, found: list[Span], rows: np.ndarray) -> None:
    """Where states, or counts, tell nothing within the windows, what is made of them has no value, and says why."""
    time_ns, good, bad = rows.T
    of, pieces = times(spans, found), made(time_ns, good + bad, good, found, spans)
    ratios = oee(of, pieces, standard_s([(pieces, 1.0)]), (0, END), "tpm_kr")
    results = [utilisation(of, (0, END)), ratios.availability, ratios.whole, per_hour(of, pieces, found, (0, END))]
    results += [between_failures(of, 1, (0, END)), to_repair(of, 1, (0, END))]
    for one in results:
        assert (one.value is None) == (one.why is not None)
        assert one.value is None or one.evidence.samples > 0
        assert of.samples or one.value is None
    assert pieces.samples or (ratios.quality.value, ratios.performance.value) == (None, None)


@MANY
@given(
    st.lists(st.tuples(st.integers(0, END), st.integers(1, 300), st.integers(1, 9)), max_size=5),
    windows,
    st.integers(0, END),
)
def test_man_hours_of_windows_split_anywhere_add_up(
    rows: list[tuple[int, int, int]], found: list[Span], at: int
) -> None:
    crews = [Crew(start, start + length, heads) for start, length, heads in rows]
    parts = [man_hours(crews, one) or 0 for one in split(found, at)]
    assert sum(parts) == pytest.approx(man_hours(crews, found) or 0)
    if not crews:
        assert man_hours_per_piece(crews, Made(5, 5, 5), found, (0, END)).value is None


@MANY
@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.integers(0, 20))
def test_emission_of_a_period_split_anywhere_adds_up(kwh: list[float], at: int) -> None:
    hour = 3600 * 10**9
    used = Used("lng", np.arange(len(kwh)) * hour, np.array(kwh), np.full(len(kwh), 100.0))
    first, second, whole = ((0, at * hour), (at * hour, 20 * hour), (0, 20 * hour))
    parts = [emission([used], FACTORS, one).value or 0 for one in (first, second)]
    assert sum(parts) == pytest.approx(emission([used], FACTORS, whole).value)


def test_a_result_refuses_what_is_no_number() -> None:
    with pytest.raises(ValueError, match="nan"):
        Result("P-UPH", float("nan"), Evidence(period=(0, 1), samples=1))


def test_spans_refuse_to_overlap() -> None:
    with pytest.raises(ValueError, match="disjoint"):
        Spans.of([(0, 10, 1), (5, 12, 2)])
    with pytest.raises(ValueError, match="not \\[9\\]"):
        Spans.of([(0, 10, 9)])
