"""Schedule, times, resume, exceptions and mute units, against a device of our own making."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

import numpy as np
import pytest

from connectors.missed import BACKPRESSURE, OVERRUN
from connectors.modbus.link import _HAND_OVER_S
from pipelines.clock import SystemClock
from pipelines.errors import LinkClosed, LinkRefused, LinkTimeout
from pipelines.point import (
    BAD,
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    Delivery,
    Gap,
)

from .conftest import collect, connection, link_to, read, table
from .device import Device, far_device, value_of

pytestmark = pytest.mark.wire


def stamp(delivery: Delivery) -> int:
    assert delivery.resume is not None
    return int(struct.unpack("<q", delivery.resume)[0])


async def test_values_times_and_resume() -> None:
    tags = ({"address": 5}, {"address": 7, "table": "input"}, {"address": 300, "unit": 9}, {"address": 6})
    async with Device() as device:
        before = SystemClock().now_ns()
        link = link_to(connection(device.port, *tags))
        deliveries = await read(link, 3)
        after = SystemClock().now_ns()
    got = table(*deliveries)
    expected = [value_of(1, 3, 5), value_of(1, 4, 7), value_of(9, 3, 300), value_of(1, 3, 6)]
    for tag, value in enumerate(expected):
        assert [row[1:] for row in got[tag]] == [(value, 0)] * 3
    assert got[0] != got[1]
    assert [row[0] for row in got[0]] == [row[0] for row in got[3]], "one response, one time"
    assert all(before < row[0] < after for rows in got.values() for row in rows)
    for delivery in deliveries:
        assert len(delivery.scans) == 1
        assert stamp(delivery) == max(int(scan.time_ns.max()) for scan in delivery.scans)
        assert delivery.gaps == ()
    assert link.context.stats.requests == len(device.requests)
    assert set(device.functions) <= {1, 2, 3, 4}


async def test_the_time_is_the_midpoint() -> None:
    async with Device(delay_s=0.2) as device:
        before = SystemClock().now_ns()
        (delivery,) = await read(link_to(connection(device.port, {"address": 0}, timeout_s=5)))
        after = SystemClock().now_ns()
    margin = (after - before - 200_000_000) // 2
    assert abs(stamp(delivery) - (before + after) // 2) <= margin


async def test_a_reply_that_waits_for_us_bears_the_time_at_which_it_came() -> None:
    """The process stands still after it asked; the device, in a process of its own, has answered long before."""
    waits_s = 0.5
    with far_device(value=7) as port:
        link = link_to(connection(port, {"address": 0}, timeout_s=5))
        async with link:
            deliveries = link.deliveries()
            loop = asyncio.get_running_loop()
            asking = asyncio.ensure_future(anext(deliveries))
            while not link.context.stats.requests:  # noqa: ASYNC110 - a counter tells nobody that it moved
                await asyncio.sleep(0)
            asked_ns = SystemClock().now_ns()
            loop.call_soon(time.sleep, waits_s)
            delivery = await asking
    assert table(delivery)[0][0][1:] == (7, 0)
    assert abs(stamp(delivery) - asked_ns) < waits_s * 1e9 / 4


async def test_what_was_read_is_handed_over_before_a_long_cycle_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.modbus.link._HAND_OVER_S", _HAND_OVER_S)
    async with Device(delay_s=0.08) as device:
        link = link_to(connection(device.port, *({"address": 200 * i} for i in range(4)), timeout_s=5, period_s=30))
        async with link:
            deliveries, got = link.deliveries(), []
            while sum(len(scan) for delivery in got for scan in delivery.scans) < 4:
                got.append(await anext(deliveries))
                assert len(device.requests) <= len(got) + 1
    assert [row[1] for rows in table(*got).values() for row in rows] == [value_of(1, 3, 200 * i) for i in range(4)]
    stamps = [stamp(delivery) for delivery in got]
    assert stamps == sorted(set(stamps))
    assert len(got) == 4


@pytest.mark.slow
async def test_each_period_is_kept() -> None:
    async with Device() as device:
        tags = ({"address": 0}, {"address": 50, "period_s": 0.2}, {"address": 1})
        deliveries = await read(link_to(connection(device.port, *tags, period_s=0.05)), 9)
    got = table(*deliveries)
    assert len(got[0]) == len(got[2]) > len(got[1])
    assert sorted(got) == [0, 1, 2]


async def test_a_slow_consumer_makes_overruns_and_no_backlog() -> None:
    async with Device() as device:
        link = link_to(connection(device.port, {"address": 0}, period_s=0.01))
        async with link:
            deliveries = link.deliveries()
            await anext(deliveries)
            asked = len(device.requests)
            await asyncio.sleep(0.1)  # the consumer is busy: nothing to observe
            assert len(device.requests) == asked
            await anext(deliveries)
            assert len(device.requests) == asked + 1
        assert link.context.stats.overruns >= 5


async def test_left_out_ticks_are_told_as_gaps_with_their_number() -> None:
    async with Device() as device:
        settings = connection(device.port, {"address": 0}, {"address": 50, "period_s": 30}, period_s=0.02)
        link = link_to(settings)
        async with link:
            deliveries = link.deliveries()
            known_ns = table(await anext(deliveries))[0][0][0]
            await asyncio.sleep(0.15)  # the consumer is busy: nothing to observe
            delivery = await anext(deliveries)
        (gap,) = delivery.gaps
        assert (gap.tag, gap.cause, gap.start_ns) == (0, "backpressure", known_ns)
        assert gap.end_ns == table(delivery)[0][0][0]
        assert gap.count == link.context.stats.overruns >= 5


async def test_in_flight_keeps_replies_apart() -> None:
    async with Device() as device:
        tags = [{"address": 200 * i} for i in range(30)]
        (delivery,) = await read(link_to(connection(device.port, *tags, in_flight=16, timeout_s=2)))
    got = table(delivery)
    assert [got[i][0][1] for i in range(30)] == [value_of(1, 3, 200 * i) for i in range(30)]
    (scan,) = delivery.scans
    assert (np.diff(scan.time_ns) >= 0).all()


@pytest.mark.parametrize(("pause_s", "late"), [(10.0, True), (0.0, False)])
async def test_resume_names_the_gap(pause_s: float, late: bool) -> None:
    async with Device() as device:
        settings = connection(device.port, {"address": 0}, {"address": 900}, {"address": 1, "period_s": 60}, period_s=2)
        resumed_ns = SystemClock().now_ns() - round(pause_s * 1e9)
        (first,) = await read(link_to(settings, struct.pack("<q", resumed_ns), absence="agent_down"))
    ends = {tag: rows[0][0] for tag, rows in table(first).items()}
    gaps = {gap.tag: (gap.cause, gap.start_ns, gap.end_ns, gap.count) for gap in first.gaps}
    assert gaps == ({tag: ("agent_down", resumed_ns, ends[tag], None) for tag in (0, 1)} if late else {})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (1, BAD_NOT_SUPPORTED), (2, BAD_CONFIGURATION_ERROR), (3, BAD_CONFIGURATION_ERROR), (4, BAD_DEVICE_FAILURE),
        (5, BAD_NO_COMMUNICATION), (6, BAD_NO_COMMUNICATION), (8, BAD_DEVICE_FAILURE), (9, BAD),
        (10, BAD_NO_COMMUNICATION), (11, BAD_NO_COMMUNICATION),
    ],
)  # fmt: skip
async def test_an_exception_is_a_status_for_that_unit_alone(code: int, status: int) -> None:
    async with Device(exceptions={2: code}) as device:
        tags = ({"address": 0}, {"address": 0, "unit": 2, "datatype": "float32"}, {"address": 4})
        deliveries = await read(link_to(connection(device.port, *tags)), 3)
        assert device.opened == 1
    got = table(*deliveries)
    assert got[1][0][2] == status
    for tag in (0, 2):
        assert [row[1:] for row in got[tag]] == [(value_of(1, 3, 4 * (tag == 2)), 0)] * 3


async def test_one_refused_register_does_not_spoil_its_neighbours() -> None:
    async with Device(refused={(1, 3, 37)}) as device:
        settings = connection(device.port, *({"address": i} for i in range(64)), period_s=0.01)
        link = link_to(settings)
        async with link:
            deliveries = link.deliveries()
            first = await anext(deliveries)
            asked = len(device.requests)
            assert asked <= 1 + 2 * 6, "halved six times"
            got = table(first)
            assert got.keys() == set(range(64))
            for tag in range(64):
                expected = BAD_CONFIGURATION_ERROR if tag == 37 else 0
                assert got[tag][0][2] == expected
                assert expected or got[tag][0][1] == value_of(1, 3, tag)
            second = await anext(deliveries)
            assert len(device.requests) - asked == 2, "one on either side of the refused tag, which rests"
            assert link.context.stats.refused == {37: BAD_CONFIGURATION_ERROR}
            assert 37 not in table(second)
            device.refused.clear()
            while 37 not in (rows := table(await anext(deliveries))):
                pass
            assert rows[37][0][1:] == (value_of(1, 3, 37), 0)
            asked = len(device.requests)
            assert len(table(await anext(deliveries))) == 64
            assert len(device.requests) == asked + 1, "whole again"
            assert not link.context.stats.refused


async def test_a_hole_between_two_tags_costs_no_tag() -> None:
    async with Device(refused={(1, 4, 3)}) as device:
        tags = ({"address": 0, "table": "input"}, {"address": 6, "table": "input"})
        (delivery,) = await read(link_to(connection(device.port, *tags)))
    assert [rows[0][2] for rows in table(delivery).values()] == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("in_flight", [1, 3])
async def test_a_mute_unit_does_not_stop_the_others(in_flight: int) -> None:
    async with Device(mute={3}) as device:
        tags = [{"address": 10, "unit": unit} for unit in range(1, 8)]
        settings = connection(device.port, *tags, period_s=0.02, timeout_s=1.5, in_flight=in_flight)
        link = link_to(settings)
        seen: list[Delivery] = []
        async with link, asyncio.timeout(20):
            async for delivery in link.deliveries():
                seen.append(delivery)
                if len(seen) == 3:
                    device.mute.clear()
                if any(not row[2] for row in table(delivery).get(2, [])):
                    break
        asked = sum(unit == 3 for unit, _ in device.requests)
        assert 1 < device.opened <= asked, "opened again for no more than what the mute unit was asked in vain"
    got = table(*seen)
    for tag in (0, 1, 3, 4, 5, 6):
        assert {row[1:] for row in got[tag]} == {(value_of(tag + 1, 3, 10), 0)}
    ticks = {len(got[tag]) for tag in (0, 1, 3, 4, 5, 6)}
    assert min(ticks) >= 2
    assert max(ticks) - min(ticks) <= 1, "none was left out, but for the tick in which the link was closed"
    assert got[2][0][2] == BAD_NO_COMMUNICATION
    assert got[2][-1][1:] == (value_of(3, 3, 10), 0)
    late = {OVERRUN, BACKPRESSURE}  # a busy machine lets this test wait, as well as the link
    assert all(gap.tag == 2 or gap.cause in late for delivery in seen for gap in delivery.gaps)


@pytest.mark.slow
async def test_a_unit_that_fell_silent_gets_a_gap_when_it_is_back() -> None:
    async with Device() as device:
        settings = connection(device.port, {"address": 1}, {"address": 1, "unit": 2}, period_s=0.02, timeout_s=0.4)
        link = link_to(settings)
        async with link, asyncio.timeout(20):
            deliveries = link.deliveries()
            known_ns = table(await anext(deliveries))[1][0][0]
            device.mute.add(2)
            assert table(await anext(deliveries))[1][0][2] == BAD_NO_COMMUNICATION
            device.mute.clear()
            gaps: list[Gap] = []
            while not gaps:
                delivery = await anext(deliveries)
                gaps = [gap for gap in delivery.gaps if gap.tag == 1]
    (gap,) = gaps
    back_ns, value, status = table(delivery)[1][0]
    assert (gap.tag, gap.cause, gap.start_ns, gap.end_ns) == (1, "no_communication", known_ns, back_ns)
    assert (value, status) == (value_of(2, 3, 1), 0)


async def test_all_units_mute_end_the_link() -> None:
    async with Device(mute={1, 2}) as device:
        settings = connection(device.port, {"address": 1}, {"address": 1, "unit": 2}, timeout_s=0.4)
        with pytest.raises(LinkTimeout, match="unit 2: no reply within"):
            async with asyncio.timeout(20), link_to(settings) as link:
                async for delivery in link.deliveries():
                    assert {row[2] for rows in table(delivery).values() for row in rows} == {BAD_NO_COMMUNICATION}


async def test_a_lying_unit_is_left_alone() -> None:
    def lie(_d: Device, _t: int, query: bytes, good: bytes) -> list[bytes | float]:
        return [b"\0\0" + good[2:]] if query[6] == 2 else [good]

    async with Device(lie=lie) as device:
        link = link_to(connection(device.port, {"address": 1}, {"address": 1, "unit": 2}, {"address": 1, "unit": 3}))
        deliveries = await read(link, 2)
    got = table(*deliveries)
    assert [row[2] for row in got[1]] == [BAD_NO_COMMUNICATION]
    assert [len(got[tag]) for tag in (0, 2)] == [2, 2]
    assert link.context.stats.rejected == {"transaction": 1}


async def test_readings_taken_before_the_end_are_delivered() -> None:
    async with Device() as device:
        settings = connection(device.port, {"address": 1}, {"address": 900})
        device.lie = lambda owner, _t, _q, good: [good] if len(owner.requests) == 1 else []
        seen: list[Delivery] = []
        with pytest.raises(LinkTimeout):
            await collect(link_to(settings), seen)
    assert table(*seen)[0][0][1:] == (value_of(1, 3, 1), 0)
    assert stamp(seen[-1]) == table(*seen)[0][0][0]


async def test_the_device_hangs_up() -> None:
    async with Device(hang_up=True) as device:
        with pytest.raises(LinkClosed, match=f"modbus://127.0.0.1:{device.port} unit 1: the device closed"):
            await read(link_to(connection(device.port, {"address": 1})))


async def test_what_did_not_answer_before_the_end_keeps_its_gap() -> None:
    """The next link goes on from the newest reply, so what is older must be told by this one."""
    known_ns = SystemClock().now_ns() - 10**10
    async with Device() as device:
        settings = connection(device.port, {"address": 1}, {"address": 900})
        device.lie = lambda owner, _t, _q, good: [good] if len(owner.requests) == 1 else []
        seen: list[Delivery] = []
        with pytest.raises(LinkTimeout):
            await collect(link_to(settings, struct.pack("<q", known_ns), absence="agent_down"), seen)
        device.lie = None
        again = await read(link_to(settings, seen[-1].resume))
    gaps = [(gap.tag, gap.cause, gap.start_ns) for delivery in seen for gap in delivery.gaps]
    assert gaps == [(0, "agent_down", known_ns), (1, "agent_down", known_ns)]
    (told,) = [gap for gap in seen[-1].gaps if gap.tag == 1]
    newest_ns = stamp(seen[-1])
    assert told.end_ns >= newest_ns, "the next link's gap begins there"
    assert {gap.start_ns for gap in again[0].gaps} == {newest_ns}


@pytest.mark.parametrize("more", [{}, {"host": "no-such-host.invalid"}])
async def test_nobody_there(more: dict[str, Any]) -> None:
    async with Device() as device:
        settings = connection(device.port, {"address": 1}, {"address": 1, "unit": 7}, **more)
    with pytest.raises(LinkRefused, match=r"^modbus://[\w.-]+:\d+ unit 1,7: no connection \("):
        await read(link_to(settings))
