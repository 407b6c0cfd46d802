"""How electricity was used, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.derive.energy.factors import load
from viewer.kpi.energy import Demand, Used
from viewer.kpi.energy_use import amount, by_factor, by_hour_of_day, hourly, idle, is_idle, peak_span

HOUR = 3600 * 10**9
DAY = 24 * HOUR
KST = 9 * HOUR
T0 = 1_788_735_600 * 10**9
"""2026-09-06 23:00 UTC, 08:00 in Korea."""
WORKING = [(T0, T0 + 2 * HOUR)]


def used(kwh: list[float], cover: list[float], start_ns: int = T0) -> Used:
    return Used("electricity", start_ns + HOUR * np.arange(len(kwh)), np.array(kwh), np.array(cover))


def test_amounts_of_a_day_leave_out_what_was_not_metered() -> None:
    hours = used([60, np.nan, 12], [100, 0, 50])
    found = amount(hours, (T0, T0 + 3 * HOUR))
    assert (found.kwh, found.cover, found.weak) == (72.0, pytest.approx(50.0), True)
    assert amount(hours, (T0 + HOUR, T0 + 2 * HOUR)).kwh is None, "never 0"
    assert [one.kwh for one in hourly(hours, (T0, T0 + 3 * HOUR))] == [60.0, 12.0]


def test_idle_share_by_hand() -> None:
    """Working hours 60 and 40 kWh; 20 kWh of an hour of which half was metered, so 40 kW: 20 / 120 = 16.67 %."""
    found = idle(hourly(used([60, 40, 20], [100, 100, 50]), (T0, T0 + 3 * HOUR)), WORKING)
    assert found is not None
    assert (found.share, found.idle_kw, found.busy_kw) == (pytest.approx(100 / 6), pytest.approx(40), pytest.approx(50))
    assert found.hours == 3


def test_hours_of_one_kind_say_nothing_of_the_share() -> None:
    found = idle(hourly(used([60, 40], [100, 100]), (T0, T0 + 2 * HOUR)), WORKING)
    assert found is not None
    assert (found.share, found.idle_kw, found.busy_kw) == (None, None, 50.0)
    assert idle([], WORKING) is None


def test_an_hour_that_touches_working_time_is_not_idle() -> None:
    assert not is_idle((T0 + 2 * HOUR - 1, T0 + 3 * HOUR), WORKING)
    assert is_idle((T0 + 2 * HOUR, T0 + 3 * HOUR), WORKING)


def test_the_mean_of_each_hour_of_the_day() -> None:
    hours = hourly(used([10, 20], [100, 100]), (T0, T0 + DAY)) + hourly(
        used([30, 99], [100, 50], T0 + DAY), (T0, T0 + 2 * DAY)
    )
    found = by_hour_of_day(hours, DAY, T0 + 7 * DAY)
    assert [(one.span[0] - T0 - 7 * DAY, one.kwh) for one in found] == [(0, 20.0), (HOUR, 20.0)]
    assert by_hour_of_day([], DAY, T0) == []


def test_each_hour_has_the_factor_of_its_day() -> None:
    """100 kWh at the end of 2022 by 0.4541, 100 kWh from 2023 on by 0.4173."""
    new_year = 1_672_531_200 * 10**9 - KST
    found = by_factor(hourly(used([100, 100], [100, 100], new_year - HOUR), (0, T0)), "electricity", load())
    assert [(one.factor.value if one.factor else None, one.kwh) for one in found] == [(0.4541, 100.0), (0.4173, 100.0)]
    assert [one.kg for one in found] == pytest.approx([45.41, 41.73])
    (none,) = by_factor(hourly(used([5], [100], 0), (0, T0)), "electricity", load())
    assert (none.factor, none.kwh, none.kg) == (None, 5.0, None)


def test_when_the_peak_was() -> None:
    demand = Demand(T0 + HOUR * np.arange(3), np.array([5.0, np.nan, 7.0]), HOUR)
    assert peak_span(demand, (T0, T0 + 3 * HOUR)) == (T0 + 2 * HOUR, T0 + 3 * HOUR)
    assert peak_span(demand, (T0, T0 + HOUR)) == (T0, T0 + HOUR)
    assert peak_span(demand, (T0 + HOUR, T0 + 2 * HOUR)) is None
