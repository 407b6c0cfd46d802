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
