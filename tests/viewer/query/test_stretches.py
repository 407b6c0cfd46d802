"""Stretches of time and the pieces they take, against counting one by one; addresses of units."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.viewer.query.shift import COMPANY, SITE
from viewer.catalog import Catalog
from viewer.kpi.catalog import CATALOG
from viewer.query.needs import needs
from viewer.query.stretches import merged, shares
from viewer.query.unit import Unit
from viewer.routes.asked import find_unit, unit_text

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)
A = Catalog.of([SITE]).sites[COMPANY, "A"]


@given(SPANS, st.integers(0, 30), st.integers(1, 9), st.integers(1, 9))
def test_shares_are_what_is_counted(spans: list[tuple[int, int]], start: int, width: int, count: int) -> None:
    taken = {at for low, high in spans for at in range(low, high)}
    found = shares(merged(spans), start, width, count)
    assert found.tolist() == pytest.approx(
        [sum(at in taken for at in range(start + n * width, start + (n + 1) * width)) / width for n in range(count)]
    )


@given(SPANS)
def test_merged_stretches_are_disjoint_and_the_same_time(spans: list[tuple[int, int]]) -> None:
    found = merged(spans)
    assert all(low < high for low, high in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))
    assert {at for one in found for at in range(*one)} == {at for one in spans for at in range(*one)}


@pytest.mark.parametrize("unit", [Unit(), Unit("L1"), Unit("L1", "PRS-01"), Unit("", "MTR-01")])
def test_an_address_names_a_unit(unit: Unit) -> None:
    assert find_unit(unit_text(A, unit), [A]) == (A, unit)
    assert find_unit(unit_text(A, unit), []) is None


@pytest.mark.parametrize(
    "text", ["", "a/b", "x/A/-/-", f"{COMPANY}/A/none/-", f"{COMPANY}/A/-/none", f"{COMPANY}/A/L1/-/-"]
)
def test_another_address_names_none(text: str) -> None:
    assert find_unit(text, [A]) is None


def test_a_line_or_machine_that_is_not_there() -> None:
    for unit in (Unit("none"), Unit("", "none")):
        with pytest.raises(KeyError):
            unit.machines(A)


def test_every_figure_says_what_it_needs() -> None:
    assert all(needs([code]) for code in CATALOG)
