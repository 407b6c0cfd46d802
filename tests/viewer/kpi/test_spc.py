"""Control charts, Nelson's tests and capability, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from viewer.kpi.capability import capability, verdict
from viewer.kpi.nelson import TESTS, nelson
from viewer.kpi.result import Evidence
from viewer.kpi.spc import CONSTANTS, Limits, individuals, subgroups
from viewer.kpi.words import FEW_SAMPLES, NO_LIMITS, NO_SAMPLES, NO_SPREAD

UNIT = Limits(0.0, 1.0, -3.0, 3.0, 25)
NONE = float("nan")
PERIOD = Evidence(period=(0, 1), samples=0, cover=100.0)


def test_individuals() -> None:
    """10 12 11 13 9: mean 11; ranges 2 1 2 4, MR̄ 2.25; σ = 2.25/1.128 = 1.9947; 11 ± 3σ; D4 = 3.267 x 2.25 = 7.351."""
    chart = individuals(np.array([10.0, 12, 11, 13, 9]))
    assert chart is not None
    assert (chart.place.center, chart.place.samples) == (11.0, 5)
    assert chart.sigma == pytest.approx(1.9947, abs=1e-4)
    assert (chart.place.lower, chart.place.upper) == (pytest.approx(5.016, abs=1e-3), pytest.approx(16.984, abs=1e-3))
    assert (chart.spread.center, chart.spread.lower) == (2.25, 0.0)
    assert chart.spread.upper == pytest.approx(7.351, abs=1e-3)


def test_what_is_missing_is_bridged_by_no_range() -> None:
    """10 12 – 13 9: the ranges are 2 and 4, and not the 1 from 12 to 13."""
    chart = individuals(np.array([10.0, 12, NONE, 13, 9]))
    assert chart is not None
    assert (chart.spread.center, chart.spread.samples, chart.place.center) == (3.0, 2, 11.0)
    assert individuals(np.array([10.0, NONE, 12.0])) is None
    assert individuals(np.array([])) is None


def test_subgroups() -> None:
    """Means 10 12 11, x̿ = 11; ranges 2 2 5, R̄ = 3; A2(3) = 1.023: 11 ± 3.069; R to 2.574 x 3 = 7.722; σ = 3/1.693."""
    values = np.array([[9.0, 10, 11], [11, 12, 13], [8, 12, 13], [1, NONE, 99]])
    chart = subgroups(values)
    assert chart is not None
    assert (chart.place.center, chart.place.samples) == (11.0, 3)
    assert (chart.place.lower, chart.place.upper) == (pytest.approx(7.931), pytest.approx(14.069))
    assert (chart.spread.center, chart.spread.lower, chart.spread.upper) == (3.0, 0.0, pytest.approx(7.722))
    assert chart.sigma == pytest.approx(1.772, abs=1e-3)
    assert subgroups(np.full((2, 4), NONE)) is None
    with pytest.raises(ValueError, match="2 to 10"):
        subgroups(np.zeros((3, 11)))


def test_constants_agree_with_their_definition() -> None:
    """d2 is the mean range of n normal values; A2 = 3/(d2 √n), and D3, D4 lie evenly around 1 unless D3 is cut at 0."""
    generator = np.random.default_rng(7)
    for size, one in CONSTANTS.items():
        ranges = np.ptp(generator.standard_normal((40_000, size)), axis=1)
        assert one.d2 == pytest.approx(ranges.mean(), rel=0.01)
        assert one.a2 == pytest.approx(3 / (one.d2 * np.sqrt(size)), abs=0.001)
        assert one.d4 == pytest.approx(1 + 3 * ranges.std() / ranges.mean(), rel=0.02)
        assert one.d3 == pytest.approx(max(0.0, 2 - one.d4), abs=0.001)


SLOPE = [-0.5, -0.3, -0.1, 0.1, 0.3, 0.5]
SAW = [0.5, -0.5] * 7


@pytest.mark.parametrize(
    ("number", "values", "marked"),
    [
        (1, [0, 3.0, 3.01, -3.01], [2, 3]),
        (2, [-1, *[0.5] * 9, 0.5], [9, 10]),
        (2, [*[0.5] * 4, 0.0, *[0.5] * 8], []),
        (3, [*SLOPE, 0.2], [5]),
        (3, [-x for x in SLOPE], [5]),
        (3, [-0.5, -0.3, -0.1, -0.1, 0.3, 0.5], []),
        (4, SAW, [13]),
        (4, SAW[:13], []),
        (5, [2.1, 0, 2.1], [2]),
        (5, [2.1, 2.1, 0], [1]),
        (5, [2.1, -2.1, 0], []),
        (5, [2.1, 0, 0, 2.1], []),
        (6, [-1.1, -1.1, 0, -1.1, -1.1], [4]),
        (6, [1.1, 1.1, -1.1, 1.1], []),
        (7, [0.9, -0.9, 0] * 5, [14]),
        (7, [0.9, -0.9, 0, 1.0] * 5, []),
        (8, [1.1, -1.1] * 4, [7]),
        (8, [1.1, -1.1] * 3 + [0.9, 1.1], []),
    ],
)
def test_nelson(number: int, values: list[float], marked: list[int]) -> None:
    """Each pattern is marked where it is complete, and nowhere else; one point less, or the other side, is none."""
    assert np.flatnonzero(nelson(np.array(values, dtype=float), UNIT)[number]).tolist() == marked


def test_what_is_missing_breaks_a_run() -> None:
    values = np.array([*[0.5] * 5, NONE, *[0.5] * 8])
    assert not any(marks.any() for number, marks in nelson(values, UNIT).items() if number != 7)
    assert nelson(np.array([2.1, NONE, 2.1]), UNIT)[5].tolist() == [False, False, True]
    assert nelson(np.array([]), UNIT)[1].tolist() == []


def test_no_distance_without_a_spread() -> None:
    flat = nelson(np.full(20, 5.0), Limits(5.0, 0.0, 5.0, 5.0, 20))
    assert set(flat) == set(TESTS)
    assert not any(marks.any() for marks in flat.values())


def test_capability() -> None:
    """10 12 11 13 9 in 2…18: σ = 1.9947, Cp 16/11.968 = 1.337, Cpk 7/5.984 = 1.170; s = √2.5, Pp 1.687, Ppk 1.476."""
    found = capability(np.array([10.0, 12, 11, 13, 9]), 2.0, 18.0, PERIOD)
    assert found.cp.value == pytest.approx(1.337, abs=1e-3)
    assert found.cpk.value == pytest.approx(1.170, abs=1e-3)
    assert found.pp.value == pytest.approx(1.687, abs=1e-3)
    assert found.ppk.value == pytest.approx(1.476, abs=1e-3)
    assert (found.cpk.evidence.samples, found.cpk.notes) == (5, (FEW_SAMPLES,))


def test_capability_with_one_limit_or_none() -> None:
    """Only 18 above: (18 − 11)/5.984 = 1.170, and no Cp; nothing measured, no spread, no limit: it says why."""
    values = np.array([10.0, 12, 11, 13, 9])
    one = capability(values, None, 18.0, PERIOD)
    assert (one.cp.value, one.cp.why) == (None, NO_LIMITS)
    assert one.cpk.value == pytest.approx(1.170, abs=1e-3)
    assert capability(values, None, None, PERIOD).cpk.why == NO_LIMITS
    assert capability(np.full(30, 5.0), 2.0, 18.0, PERIOD).cpk.why == NO_SPREAD
    assert capability(np.array([]), 2.0, 18.0, PERIOD).cpk.why == NO_SAMPLES
    assert capability(np.array([5.0]), 2.0, 18.0, PERIOD).ppk.why == NO_SAMPLES
    assert capability(np.tile([4.0, 6.0], (25, 1)), 2.0, 8.0, PERIOD).cpk.notes == ()
    with pytest.raises(ValueError, match="not below"):
        capability(values, 18.0, 2.0, PERIOD)


def test_verdicts() -> None:
    assert [verdict(one).ko for one in (1.67, 1.33, 1.32, 0.99, -1)] == ["우수", "양호", "보통", "부족", "부족"]
