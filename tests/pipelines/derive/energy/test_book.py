"""Energy by hour, lot and piece: it adds up wherever it is cut."""

from __future__ import annotations

import itertools
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.derive.energy.book import QUARTER_NS, Account, Book
from pipelines.derive.energy.span import HOUR_NS, Power, Span, of_counter
from pipelines.point import BAD, GOOD

S = 10**9
H0 = 490_000 * HOUR_NS
MIN = 60 * S


def test_energy_of_a_power_is_the_area_under_it() -> None:
    span = Span(H0, H0 + HOUR_NS, 0.0, 60.0)
    assert span.kwh(H0, H0 + HOUR_NS) == pytest.approx(30.0)
    assert span.kwh(H0, H0 + HOUR_NS // 2) == pytest.approx(7.5)
    assert span.kwh(0, H0) == 0.0


def test_a_polled_power_is_linear_between_readings_and_unknown_over_a_gap() -> None:
    power = Power(held=False, max_gap_ns=60 * S)
    assert power.take(H0, 10.0, GOOD) is None
    span = power.take(H0 + 36 * S, 20.0, GOOD)
    assert span is not None
    assert span.kwh(H0, H0 + 36 * S) == pytest.approx(0.15)
    assert power.take(H0 + 37 * S, 0.0, BAD) is None
    assert power.take(H0 + 38 * S, 20.0, GOOD) is None
    assert power.take(H0 + 200 * S, 20.0, GOOD) is None
    assert power.until(H0 + 300 * S) is None


def test_a_power_by_exception_holds() -> None:
    power = Power(held=True, max_gap_ns=60 * S)
    power.take(H0, 36.0, GOOD)
    assert power.until(H0 + 1000 * S) == Span(H0, H0 + 1000 * S, 36.0, 36.0)
    assert power.take(H0 + 2000 * S, 0.0, BAD) == Span(H0 + 1000 * S, H0 + 2000 * S, 36.0, 36.0)
    assert power.until(H0 + 3000 * S) is None


def test_an_hour_has_its_energy_pieces_and_demand() -> None:
    book = Book()
    book.made(H0 + 5 * MIN, 40)
    assert book.energy(Span(H0, H0 + 30 * MIN, 20.0, 20.0)) == []
    book.energy(Span(H0 + 30 * MIN, H0 + 45 * MIN, 80.0, 80.0))
    (hour,) = book.energy(Span(H0 + 45 * MIN, H0 + 70 * MIN, 40.0, 40.0))
    assert hour.kwh == pytest.approx(10 + 20 + 10)
    assert (hour.pieces, hour.known_ns, hour.lot) == (40, HOUR_NS, "")
    assert hour.demand_kw == pytest.approx(80.0)


def test_demand_is_that_of_quarters_by_the_clock() -> None:
    """A load of 15 minutes across two quarters of the clock is half of it in each."""
    hour = Account(H0, H0 + HOUR_NS, quarters=[(0.0, 0)] * 4)
    for start, kw in ((0, 10.0), (7.5, 100.0), (22.5, 10.0)):
        stop = {0: 7.5, 7.5: 22.5, 22.5: 60}[start]
        hour.add(Span(H0 + int(start * MIN), H0 + int(stop * MIN), kw, kw))
    assert hour.demand_kw == pytest.approx(55.0)


def test_a_quarter_that_is_not_known_is_no_demand() -> None:
    hour = Account(H0, H0 + HOUR_NS, quarters=[(0.0, 0)] * 4)
    hour.add(Span(H0, H0 + QUARTER_NS // 2, 500.0, 500.0))
    assert hour.demand_kw is None
    hour.add(of_counter(H0 + QUARTER_NS, H0 + 3 * QUARTER_NS, 100.0, max_gap_ns=60 * S))
    assert (hour.demand_kw, hour.kwh) == (None, pytest.approx(162.5))
    assert hour.known_ns == QUARTER_NS // 2


def test_a_lot_ends_where_the_next_begins() -> None:
    book = Book()
    book.lot(H0 + 10 * MIN, "L1")
    book.product("P-7")
    book.made(H0 + 20 * MIN, 5)
    book.lot(H0 + 40 * MIN, "L2")
    book.made(H0 + 41 * MIN, 2)
    ended = book.energy(Span(H0, H0 + 50 * MIN, 60.0, 60.0))
    assert [(one.lot, one.product, one.pieces, one.kwh) for one in ended] == [("L1", "P-7", 5, pytest.approx(30.0))]
    book.lot(H0 + 50 * MIN, "")
    assert [one.lot for one in book.energy(Span(H0 + 50 * MIN, H0 + 61 * MIN, 1.0, 1.0))] == ["", "L2"]


def test_a_silent_meter_does_not_hold_up_an_hour_for_ever() -> None:
    book = Book()
    book.energy(Span(H0, H0 + 30 * MIN, 20.0, 20.0))
    assert book.due(H0 + 61 * MIN) == []
    (hour,) = book.due(H0 + 62 * MIN)
    assert (hour.kwh, hour.known_ns) == (pytest.approx(10.0), HOUR_NS // 2)
    assert book.due(H0 + 63 * MIN) == []
    # The counter went on: the hour is told again, whole.
    (again,) = book.energy(of_counter(H0 + 30 * MIN, H0 + 90 * MIN, 20.0, max_gap_ns=MIN))
    assert (again.kwh, again.known_ns) == (pytest.approx(20.0), HOUR_NS // 2)


def test_hours_that_wait_for_a_meter_are_bounded() -> None:
    book = Book()
    for hour in range(100):
        book.made(H0 + hour * HOUR_NS, 1)
        book.lot(H0 + hour * HOUR_NS, f"L{hour}")
    assert [one.start_ns for one in book.hours] == [H0 + hour * HOUR_NS for hour in range(28, 100)]
    assert [one.lot for one in book.lots] == [f"L{hour}" for hour in range(28, 100)]


cuts = st.lists(st.integers(1, 5 * HOUR_NS - 1), unique=True, max_size=12).map(sorted)
powers = st.lists(st.floats(0, 1000), min_size=14, max_size=14)


@given(cuts, powers, st.lists(st.tuples(st.integers(0, 5 * HOUR_NS), st.integers(0, 50)), max_size=8).map(sorted))
def test_hours_and_lots_add_up_to_the_whole(changes: list[int], kw: list[float], pieces: list[tuple[int, int]]) -> None:
    """Cut anywhere by lots and hours, the parts are the whole; so they are when the book is kept and opened again."""
    spans = [
        Span(H0 + a, H0 + b, kw[i], kw[i + 1])
        for i, (a, b) in enumerate(itertools.pairwise([0, *changes, 5 * HOUR_NS]))
    ]
    whole = sum(span.kwh(0, 2 * H0) for span in spans)

    def run(*, restart: bool) -> list[Account]:
        book, ended = Book(), []
        book.lot(H0, "first")
        events: list[tuple[int, int, object]] = [(H0 + t, 1, n) for t, n in pieces]
        events += [(H0 + t, 0, f"lot{t}") for t in changes[::2]]
        events += [(span.end_ns, 2, span) for span in spans]
        for time_ns, _, what in sorted(events, key=lambda one: one[:2]):
            if restart:
                book = Book.restored(orjson.loads(orjson.dumps(book.state())))
            if isinstance(what, Span):
                ended += [replace(one) for one in book.energy(what)]
            elif isinstance(what, int):
                book.made(time_ns, what)
            else:
                book.lot(time_ns, str(what))
        return [*ended, *[replace(one) for one in (*book.hours, *book.lots)]]

    told = run(restart=False)
    lots, hours = ([one for one in told if bool(one.quarters) is kind] for kind in (False, True))
    assert sum(one.kwh or 0 for one in hours) == pytest.approx(whole)
    assert sum(one.kwh or 0 for one in lots) == pytest.approx(whole)
    assert sum(sum(kwh for kwh, _ in one.quarters) for one in hours) == pytest.approx(whole)
    assert sum(one.pieces or 0 for one in hours) == sum(n for _, n in pieces)
    assert sum(one.pieces or 0 for one in lots) == sum(n for _, n in pieces)
    assert run(restart=True) == told
