"""One bad register never hides its neighbours: against pyModbusTCP's server with holes in its map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from pyModbusTCP.server import DataBank, ModbusServer

from connectors.modbus.isolate import Backoff
from pipelines.point import BAD_CONFIGURATION_ERROR

from .conftest import connection, link_to, table

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.wire


class Holes(DataBank):  # type: ignore[misc]
    """Register a holds a; a request that touches a hole is refused with exception 2."""

    def __init__(self) -> None:
        super().__init__(h_regs_size=1, coils_size=1, d_inputs_size=1, i_regs_size=1)
        self.holes: set[int] = set()
        self.most = 125
        self.asked: list[range] = []

    def get_holding_registers(self, address: int, number: int = 1, srv_info: Any = None) -> list[int] | None:
        del srv_info
        asked = range(address, address + number)
        self.asked.append(asked)
        return None if self.holes & set(asked) or number > self.most else list(asked)


@pytest.fixture
def holes() -> Iterator[tuple[Holes, int]]:
    bank = Holes()
    server = ModbusServer(host="127.0.0.1", port=0, no_block=True, data_bank=bank)
    server.start()
    try:
        yield bank, server._service.server_address[1]
    finally:
        server.stop()


@pytest.mark.parametrize("bad", [{0}, {99}, {41}, {41, 42}, {10, 80}, {3, 50, 97}])
async def test_neighbours_are_read_in_the_same_tick_at_little_cost(holes: tuple[Holes, int], bad: set[int]) -> None:
    bank, port = holes
    bank.holes = bad
    link = link_to(connection(port, *({"address": at} for at in range(100)), period_s=0.02, timeout_s=2))
    async with link:
        deliveries = link.deliveries()
        got = table(await anext(deliveries))
        assert len(bank.asked) <= 1 + 2 * len(bad) * math.ceil(math.log2(100))
        assert {tag: rows[0][2] for tag, rows in got.items() if rows[0][2]} == dict.fromkeys(
            bad, BAD_CONFIGURATION_ERROR
        )
        assert {tag: rows[0][1] for tag, rows in got.items() if not rows[0][2]} == {
            tag: tag for tag in range(100) if tag not in bad
        }
        assert link.context.stats.refused == dict.fromkeys(bad, BAD_CONFIGURATION_ERROR)
        del bank.asked[:]
        got = table(await anext(deliveries))
        assert got.keys() == set(range(100)) - bad
        assert len(bank.asked) <= len(bad) + 1, "joined around what is refused"
        assert not any(bad & set(asked) for asked in bank.asked)
        bank.holes = set()
        seen: set[int] = set()
        while seen != set(range(100)):
            seen = set(table(await anext(deliveries)))
        while len(bank.asked) > 1:
            del bank.asked[:]
            await anext(deliveries)
        assert link.context.stats.refused == {}


async def test_a_later_hole_is_joined_around_too(holes: tuple[Holes, int]) -> None:
    bank, port = holes
    bank.holes = {20}
    link = link_to(connection(port, *({"address": at} for at in range(64)), period_s=0.02, timeout_s=2))
    async with link:
        deliveries = link.deliveries()
        await anext(deliveries)
        bank.holes = {20, 50}
        assert len(table(await anext(deliveries))) == 63
        del bank.asked[:]
        assert table(await anext(deliveries)).keys() == set(range(64)) - {20, 50}
        assert len(bank.asked) == 3
        assert set(link.context.stats.refused) == {20, 50}


async def test_a_device_that_gives_less_at_once_costs_no_tag(holes: tuple[Holes, int]) -> None:
    """No register is refused, only too many of them: exception 2 or 3 until the request is short enough."""
    bank, port = holes
    bank.most = 32
    link = link_to(connection(port, *({"address": at} for at in range(100)), period_s=0.02, timeout_s=2))
    async with link:
        deliveries = link.deliveries()
        for _ in range(3):
            got = table(await anext(deliveries))
            assert {tag: rows[0][1:] for tag, rows in got.items()} == {tag: (tag, 0) for tag in range(100)}
    assert link.context.stats.refused == {}
    assert len(bank.asked) == 3 + 3 * 4


def test_the_retest_comes_later_and_later() -> None:
    backoff, waits, now_s = Backoff(first_s=10, most_s=600), [], 0.0
    for _ in range(8):
        backoff.failed(now_s)
        waits.append(backoff.wait_s)
        assert backoff.rests(now_s + backoff.wait_s - 0.1)
        now_s += backoff.wait_s
        assert not backoff.rests(now_s)
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600]
