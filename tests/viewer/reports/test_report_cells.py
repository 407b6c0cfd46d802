"""Cells: a number is rounded once, as spreadsheets round, and nothing collected is a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.viewer.reports.shift import SHIFT, seen
from viewer.kpi.catalog import CATALOG
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.words import INDICATIVE, MANUAL, Text
from viewer.reports.cell import Missing, Number, figure_cell, number, rounded, shown


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.125, 2, "0.13"),
        (2.5, 0, "3"),
        (-2.5, 0, "-3"),
        (1234567.891, 1, "1,234,567.9"),
        (-0.001, 2, "0.00"),
        (77.9545, 2, "77.95"),
    ],
)
def test_halves_go_away_from_zero_as_in_a_spreadsheet(value: float, decimals: int, text: str) -> None:
    assert shown(number(value, decimals=decimals)) == text


@given(st.floats(-1e12, 1e12), st.integers(0, 4))
def test_what_was_rounded_stays(value: float, decimals: int) -> None:
    once = rounded(value, decimals)
    assert rounded(once, decimals) == once
    assert abs(once - value) <= 0.5 * 10**-decimals * (1 + 1e-9) + abs(value) * 1e-15
    assert shown(Number(once, decimals)) != "-0"


def test_a_number_with_more_digits_than_it_shows_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 digits"):
        Number(1.25, 1)


def test_units_stand_behind_and_percent_sticks() -> None:
    assert shown(number(12.3456, "%")) == "12.35%"
    assert shown(number(5, Text("건", "cases")), "en") == "5 cases"
    assert shown(number(5, Text("건", "cases")), "ko") == "5 건"


@pytest.mark.parametrize("code", CATALOG)
def test_no_figure_without_samples_has_a_number(code: str) -> None:
    cell = figure_cell(missing(code, Evidence(period=SHIFT, samples=0)))
    assert isinstance(cell, Missing)
    assert (shown(cell, "ko"), shown(cell, "en")) == ("미수집", "No data")


def test_badges_of_a_figure() -> None:
    hint = Result("Q-FDR", 2.0, Evidence(period=SHIFT, samples=3, cover=94.9, manual=True))
    cell, plain = figure_cell(hint), figure_cell(seen(2.0, "Q-FDR"))
    assert isinstance(cell, Number)
    assert cell.badges == (INDICATIVE, MANUAL)
    assert isinstance(plain, Number)
    assert plain.badges == ()
