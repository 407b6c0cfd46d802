"""When a record is sent again: learned from what confirmations took, not from an outage of the store."""

import pytest

from pipelines.delivery.patience import Patience


@pytest.mark.parametrize(
    ("took_s", "silence_s", "overtaken_s"),
    [
        ([], 30.0, 5.0),
        ([0.1] * 600, 30.0, 5.0),
        ([0.1] * 400 + [11.0] * 20, 44.0, 14.0),
        ([0.1] * 400 + [20.0] * 20, 80.0, 15.0),
        ([600.0] * 12 + [0.1] * 300, 2400.0, 15.0),
        ([0.1] * 20 + [20.0] * 40, 80.0, 15.0),
        ([600.0] * 12 + [0.1] * 512, 30.0, 5.0),
        ([15.0] * 90 + [25.0] * 10, 100.0, 60.0),
        ([25.0], 100.0, 70.0),
    ],
    ids=[
        "none",
        "quick",
        "short outage",
        "outage",
        "long outage",
        "outage after a start",
        "forgotten",
        "slow",
        "slow from the first",
    ],
)
def test_limits(took_s: list[float], silence_s: float, overtaken_s: float) -> None:
    patience = Patience()
    for one in took_s:
        patience.learn(one)
    assert (patience.silence_s, patience.overtaken_s) == pytest.approx((silence_s, overtaken_s))
