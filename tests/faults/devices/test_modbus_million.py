"""The campaign: a server lies in one of twenty replies, and no reading is ever under a wrong tag or altered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .modbus_lies import LIES, Judge, lying_server
from .modbus_runs import places_of, run, settings_of

if TYPE_CHECKING:
    from tests.faults.conftest import Figure, Size

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(5)]

TIMEOUT_S = 0.02


async def test_a_lying_server(size: Size, figure: Figure) -> None:
    reads = size(5_000, 1_000_000)
    places = places_of(units=3, tags=40)
    judge = Judge(places, stale_s=0.75 * TIMEOUT_S)
    with lying_server(0.05, LIES, timeout_s=TIMEOUT_S) as port:
        settings = settings_of(port, places, timeout_s=TIMEOUT_S, dead_unit_share=0.5)
        stats = await run(settings, judge, reads)
    figure("reads", asked=f"{reads}", measured=stats.requests)
    figure("values under a wrong tag", asked="0", measured=judge.wrong)
    figure("altered values", asked="0", measured=judge.altered)
    figure("values of an earlier request", asked="0", measured=judge.stale)
    figure("values taken", asked="most", measured=judge.good)
    figure("replies refused, by reason", asked="each lie", measured=dict(stats.rejected))
    assert (judge.wrong, judge.altered, judge.stale) == (0, 0, 0)
    assert judge.good > 0.85 * stats.requests
    assert stats.rejected.total() > 0.02 * stats.requests
    assert {"unit", "function", "transaction", "byte_count"} <= stats.rejected.keys()
