"""Each reply is handed over at once, as where every request takes long: with refusals, silence and a wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import LinkTimeout
from pipelines.point import BAD_CONFIGURATION_ERROR, BAD_NO_COMMUNICATION

from .conftest import collect, connection, link_to, once, table
from .device import Device, value_of

if TYPE_CHECKING:
    from pipelines.point import Delivery

pytestmark = pytest.mark.wire


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, _whole_ticks: None) -> None:
    monkeypatch.setattr("connectors.modbus.link._HAND_OVER_S", 0.0)


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_a_refused_register_among_requests_that_are_halved(in_flight: int) -> None:
    async with Device(refused={(1, 3, 37)}) as device:
        tags = [{"address": at} for at in (*range(64), 300, 600)]
        got = table(await once(link_to(connection(device.port, *tags, in_flight=in_flight, timeout_s=2))))
    assert {row: len(rows) for row, rows in got.items()} == dict.fromkeys(range(66), 1)
    assert [row for row, rows in got.items() if rows[0][2]] == [37]
    assert got[37][0][2] == BAD_CONFIGURATION_ERROR
    assert [got[row][0][1] for row in (0, 36, 38, 63, 64, 65)] == [
        value_of(1, 3, at) for at in (0, 36, 38, 63, 300, 600)
    ]


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_a_mute_unit_between_others(in_flight: int) -> None:
    async with Device(mute={2}) as device:
        tags = [{"address": 10, "unit": unit} for unit in (1, 2, 3)]
        got = table(await once(link_to(connection(device.port, *tags, in_flight=in_flight, timeout_s=0.1))))
    assert got[1][0][2] == BAD_NO_COMMUNICATION
    assert {rows[0][1:] for row, rows in got.items() if row != 1} == {(value_of(unit, 3, 10), 0) for unit in (1, 3)}


async def test_what_was_handed_over_is_not_lost_with_the_link() -> None:
    async with Device(refused=set()) as device:
        seen: list[Delivery] = []

        async def mute_after_the_first() -> None:
            await device.until(lambda: len(device.requests) == 1)
            device.mute.add(1)

        muting = asyncio.ensure_future(mute_after_the_first())
        link = link_to(connection(device.port, {"address": 0}, {"address": 300}, period_s=30, timeout_s=0.3))
        device.delay_s = 0.05
        with pytest.raises(LinkTimeout):
            await collect(link, seen)
        await muting
    assert {row: rows[0][1:] for row, rows in table(*seen).items()} == {0: (value_of(1, 3, 0), 0)}


async def test_what_the_consumer_makes_it_wait_is_no_fault_of_a_unit() -> None:
    """The request of the mute unit times out while the consumer, whose disk stalls, takes the reply of the other."""
    async with Device(mute={2}) as device:
        tags = [{"address": 10}, {"address": 10, "unit": 2}]
        link = link_to(connection(device.port, *tags, in_flight=2, timeout_s=0.1, period_s=30))
        async with link:
            deliveries = link.deliveries()
            assert table(await anext(deliveries)).keys() == {0}
            await asyncio.sleep(1.0)  # the consumer is busy: nothing to observe
            assert table(await anext(deliveries))[1][0][2] == BAD_NO_COMMUNICATION
            unit = link._units[2]
            assert unit.backoff.wait_s == pytest.approx(0.1 * (1 / unit.share - 1))
