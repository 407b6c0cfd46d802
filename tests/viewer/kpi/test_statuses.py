"""Shares of what is bad or uncertain, by hand."""

from __future__ import annotations

import pytest

from viewer.kpi.statuses import Shares, by_readings, by_time

BAD, SENSOR, LAST_USABLE = 0x8031_0000, 0x808C_0000, 0x4090_0000


def test_by_readings() -> None:
    """90 values of which 10 are uncertain, and 10 bad readings without one: 100 came, 10 % bad, 10 % uncertain."""
    found = by_readings(90, {BAD: 7, SENSOR: 3, LAST_USABLE: 10})
    assert (found.known, found.bad, found.uncertain) == (100, pytest.approx(10.0), pytest.approx(10.0))
    assert list(found.by_status) == [LAST_USABLE, BAD, SENSOR]
    assert list(found.by_status.values()) == pytest.approx([10.0, 7.0, 3.0])


def test_by_time() -> None:
    """Good for 60, gone for 30, good for 10 until the end; what comes after the end is of no period."""
    found = by_time([(0, 0), (60, BAD), (90, 0), (120, BAD)], 100)
    assert found.bad == pytest.approx(30.0)
    assert found.uncertain == 0.0


def test_nothing_came() -> None:
    assert by_readings(0, {}) == Shares(0)
    assert by_time([], 100).bad is None
    assert Shares(0).uncertain is None
