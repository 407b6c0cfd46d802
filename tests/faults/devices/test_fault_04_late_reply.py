"""Fault 4: one reply in twenty comes after the timeout; none becomes the value of another tag, or of a later read.

With transaction ids the connection is dropped. On a line without them (RTU over TCP) the late reply is known by its
length, since what is asked next is asked in another shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .modbus_lies import Judge, lying_server
from .modbus_runs import places_of, run, settings_of

if TYPE_CHECKING:
    from tests.faults.conftest import Figure, Size

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.fault(4)]

TIMEOUT_S = 0.02


@pytest.mark.parametrize(("transport", "in_flight"), [("tcp", 1), ("tcp", 4), ("rtu_over_tcp", 1)])
async def test_late_replies(transport: str, in_flight: int, size: Size, figure: Figure) -> None:
    rtu = transport != "tcp"
    reads = size(600, 100_000) if rtu else size(2_000, 100_000)
    places = places_of(units=3, tags=20)
    judge = Judge(places, stale_s=0.75 * TIMEOUT_S)
    with lying_server(0.05, ("delay",), timeout_s=TIMEOUT_S, rtu=rtu, seed=4) as port:
        settings = settings_of(
            port, places, transport=transport, in_flight=in_flight, timeout_s=TIMEOUT_S, dead_unit_share=0.5
        )
        stats = await run(settings, judge, reads)
    name = f"{transport}, {in_flight} in flight"
    figure(f"values under a wrong tag ({name})", asked="0", measured=judge.wrong + judge.altered)
    figure(f"values of an earlier request ({name})", asked="0", measured=judge.stale)
    figure(f"reads ({name})", asked=f"{reads}", measured=stats.requests)
    figure(f"late replies recognised ({name})", asked="those that met an open line", measured=dict(stats.rejected))
    assert (judge.wrong, judge.altered, judge.stale) == (0, 0, 0)
    assert judge.good > 0.7 * stats.requests
    assert not rtu or stats.rejected["late"] > 0.005 * stats.requests
