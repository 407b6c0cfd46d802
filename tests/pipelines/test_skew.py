"""How far a device's clock is off: latency does not count, drift does."""

from __future__ import annotations

import random

import pytest

from pipelines.skew import Skew

NOW = 1_790_000_000_000_000_000


@pytest.mark.parametrize("off_s", [0.0, 12.5, -7200.0])
def test_latency_does_not_count(off_s: float) -> None:
    chance, skew = random.Random(24), Skew()
    for second in range(600):
        late_s = 0.002 + chance.expovariate(2.0)
        now_ns = NOW + int((second + late_s) * 1e9)
        skew.see(NOW + int((second + off_s) * 1e9), now_ns, second + late_s)
    assert skew.seconds == pytest.approx(off_s, abs=0.05)


def test_what_was_minutes_ago_is_forgotten() -> None:
    skew = Skew()
    assert skew.seconds is None
    for second in range(1200):
        off_s = 0.0 if second < 600 else -30.0
        skew.see(NOW + int((second + off_s) * 1e9), NOW + second * 10**9, float(second))
    assert skew.seconds == -30.0
    skew.forget()
    assert skew.seconds is None


def test_a_clock_set_back_is_noticed_and_a_stall_is_not() -> None:
    skew = Skew()
    for second in range(60):
        skew.see(NOW + second * 10**9, NOW + second * 10**9, float(second))
    for late_s in (40, 30, 20, 10):  # what waited comes at once
        skew.see(NOW + (100 - late_s) * 10**9, NOW + 100 * 10**9, 100.0)
    skew.see(NOW + 100 * 10**9, NOW + 100 * 10**9, 100.0)
    assert skew.seconds == 0.0
    for second in range(101, 111):
        skew.see(NOW + (second - 1800) * 10**9, NOW + second * 10**9, float(second))
    assert skew.seconds == -1800.0
