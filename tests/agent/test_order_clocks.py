"""Orders about alarms where clocks are wrong: no NTP, one that is set back, a viewer a minute off."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from agent.alarm_orders import ORDER, AlarmOrders
from agent.collector import Collector
from pipelines.clock import SystemClock
from pipelines.orders import AlarmOrder
from tests.agent.gas_room import GAS, LEVEL, running, site_of
from tests.connectors.modbus.device import Device
from tests.pipelines.waiting import until
from tests.set_clock import SetClock

pytestmark = pytest.mark.wire
LEVEL_HIGH: Final = "GD-01/level_high"
MINUTE: Final = 60 * 10**9
NOW: Final = time.time_ns()


@dataclass
class Steady(SetClock):
    """One whose steady time a test sets too."""

    steady_s: float = 0.0

    def monotonic_s(self) -> float:
        """As it was set."""
        return self.steady_s


def order(action: str, sent_ns: int, **more: Any) -> AlarmOrder:
    said = {"id": secrets.token_hex(16), "sent_ns": sent_ns, "by": "반장-1", "action": action, "alarm": LEVEL_HIGH}
    return AlarmOrder.model_validate(said | more)


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    async with (
        Device(registers={GAS: 0, LEVEL: 95}) as device,
        running(site_of(device.port), tmp_path / "state", SystemClock()) as found,
    ):
        await until(lambda: found.status()["alarms"]["unacknowledged"]["caution"])
        yield found


def orders_of(collector: Collector, clock: SetClock, here: SetClock | None = None) -> AlarmOrders:
    return AlarmOrders(collector.alarming, collector.topics, clock, lambda: (LEVEL_HIGH,), here)


async def test_an_order_that_was_done_is_not_done_again_when_the_clock_is_set_back(collector: Collector) -> None:
    clock = SetClock(NOW)
    orders = orders_of(collector, clock)
    first = order("shelve", NOW, for_s=3600)
    assert (await orders.take(first.packed())).done
    clock.at_ns += 10 * MINUTE  # set forward by hand, and others order something meanwhile
    assert (await orders.take(order("unshelve", clock.at_ns).packed())).done
    assert (await orders.take(first.packed())).done, "answered as it was; nothing is done"
    assert not collector.status()["alarms"]["shelved"]
    clock.at_ns = NOW  # NTP puts it right
    again = await orders.take(first.packed())
    assert (again.done, again.state) == (True, "SHELVED"), "what became of it then"
    assert not collector.status()["alarms"]["shelved"]


async def test_on_the_same_pc_an_order_is_taken_though_the_agent_does_not_believe_the_clock(
    collector: Collector,
) -> None:
    """A PC without NTP whose battery is empty: the agent goes by an estimate, the viewer beside it by that clock."""
    wall, estimate = SetClock(NOW), SetClock(NOW + 300 * 86_400 * 10**9)
    orders = orders_of(collector, estimate, wall)
    said = order("acknowledge", wall.at_ns).model_dump()
    answer = await orders.routes[ORDER](said)
    assert (answer["done"], answer["at_ns"] > NOW) == (True, True)
    late = order("acknowledge", wall.at_ns - MINUTE).model_dump()
    assert (await orders.routes[ORDER](late))["why"] == "old", "its sender has given it up"
    assert (await orders.take(order("acknowledge", wall.at_ns).packed())).why == "old", "from elsewhere it is not known"


@pytest.mark.parametrize(
    ("off_s", "why"), [(-61, "old"), (-31, "old"), (-29, ""), (29, ""), (31, "ahead"), (60, "ahead")]
)
async def test_a_viewer_whose_clock_is_off(collector: Collector, off_s: int, why: str) -> None:
    orders = orders_of(collector, SetClock(NOW))
    assert (await orders.take(order("acknowledge", NOW + off_s * 10**9).packed())).why == why


async def test_a_flood_is_refused_and_over_after_a_minute(collector: Collector) -> None:
    clock = Steady(NOW)
    orders = orders_of(collector, clock)
    for _ in range(512):
        assert (await orders.take(order("acknowledge", NOW, alarm="GD-01/other").packed())).why == "no_such"
    assert (await orders.take(order("acknowledge", NOW).packed())).why == "busy"
    clock.at_ns += 2 * MINUTE
    assert (await orders.take(order("acknowledge", clock.at_ns).packed())).why == "busy", "the clock was set, no more"
    clock.steady_s += 61
    assert (await orders.take(order("acknowledge", clock.at_ns).packed())).done
