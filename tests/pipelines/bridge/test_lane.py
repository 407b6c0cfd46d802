"""How long a bridge rests while a store stays away."""

import time

import pytest

from pipelines.bridge.lane import Away
from pipelines.delivery.patience import Patience
from pipelines.errors import SinkUnavailable


@pytest.mark.parametrize("asked_s", [None, 60])
def test_rests_are_short_of_what_an_agent_waits_for_what_is_held_here(asked_s: int | None) -> None:
    patience = Patience()
    for took_s in (0.1, 0.1, 600.0):
        patience.learn(took_s)
    away = Away()
    for _ in range(200):
        away.failed(SinkUnavailable("store", "HTTP 500", asked_s))
        rest_s = away.until_s - time.monotonic() - (asked_s or 0)
        assert rest_s <= 10.0 < patience.overtaken_s
    assert away.failures == 200
