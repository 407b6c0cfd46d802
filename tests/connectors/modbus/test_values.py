"""Counters that go on, second looks at jumps, and what a restart keeps."""

from __future__ import annotations

import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.tick import resume_ns
from pipelines.clock import SystemClock
from pipelines.derive.counter import Total
from pipelines.place import Place
from pipelines.point import BAD_CONFIGURATION_ERROR, BAD_NO_COMMUNICATION, GOOD, UNCERTAIN
from pipelines.source import Source

from .conftest import connection, link_to, read, table
from .device import Device


def counted(*raws: int, modulus: int = 2**16, most: float | None = None) -> list[tuple[int, int, str]]:
    total = Total((modulus,))
    out = []
    for raw in raws:
        status, found = total.take(raw, most)
        out.append((total.total, status, found))
    return out


def test_oracles_of_counters() -> None:
    assert counted(65530, 4)[1] == (65540, GOOD, ""), "+10 over the end"
    assert counted(1200, 0, 3)[1:] == [(1200, UNCERTAIN, "reset"), (1203, GOOD, "")], "a reset, then +3"
    assert counted(1000, 980)[1] == (1000, UNCERTAIN, "reset"), "a reset suspected, and not -20"
    assert counted(5, 5, 5)[2] == (5, GOOD, "")
    assert counted(2**32 - 1, 0, modulus=2**32)[1] == (2**32, GOOD, "")
    assert counted(9998, 1, modulus=10**4)[1] == (10001, GOOD, ""), "BCD of four digits"


def test_a_known_rate_sharpens_the_judgement() -> None:
    assert counted(65000, 100, most=1000)[1] == (65636, GOOD, "")
    assert counted(60000, 100, most=1000)[1] == (60100, UNCERTAIN, "reset"), "too far for the rate: reset, 100 since"
    assert counted(60000, 59000, most=100)[1] == (60000, UNCERTAIN, "reset"), "preset: nothing is invented"
    assert counted(10, 5000, most=100)[1] == (5000, UNCERTAIN, "implausible"), "flagged, not clamped"


@given(
    st.sampled_from([2**16, 2**32, 10**4]),
    st.integers(0, 10**4 - 1),
    st.lists(st.integers(0, 600), min_size=1, max_size=50),
)
def test_a_total_never_falls_and_equals_the_truth_over_rollovers(modulus: int, start: int, steps: list[int]) -> None:
    total, truth = Total((modulus,)), start
    total.take(start, None)
    for step in steps:
        truth += step
        before = total.total
        status, _ = total.take(truth % modulus, None)
        assert (total.total, status) == (truth, GOOD)
        assert total.total >= before


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.sampled_from([None, 50.0])), min_size=1, max_size=60))
def test_a_total_never_falls_whatever_comes(readings: list[tuple[int, float | None]]) -> None:
    total, before = Total((2**16,)), 0
    for raw, most in readings:
        total.take(raw, most)
        assert total.total >= before
        before = total.total


class Script:
    """Registers of unit 1, holding, that take the next set of values with each request."""

    def __init__(self, device: Device, *sets: dict[int, int]) -> None:
        self.sets = list(sets)
        device.lie = self.answer

    def answer(self, device: Device, transaction: int, query: bytes, _good: bytes) -> list[bytes | float]:
        values = self.sets.pop(0) if len(self.sets) > 1 else self.sets[0]
        device.registers.update({(1, 3, address): value for address, value in values.items()})
        return [device.frame(transaction, query[6], device.answer(query[6], query[7:]))]


def words(code: str, value: Any) -> dict[int, int]:
    data = struct.pack(code, value)
    return dict(enumerate(struct.unpack(f">{len(data) // 2}H", data)))


@pytest.mark.wire
async def test_the_total_survives_rollover_reset_and_restart() -> None:
    tag = {"address": 0, "counter": True, "name": "shots"}
    async with Device() as device:
        settings = connection(device.port, tag, {"address": 1}, period_s=0.01)
        Script(device, {0: 65530}, {0: 4}, {0: 0}, {0: 7})
        link = link_to(settings)
        first = await read(link, 4)
        assert link.context.parts.since(0) == [(0, "_total")]
        got = table(*first)
        assert [row[1] for row in got[0]] == [65530, 4, 0, 7], "the raw counter as it is"
        assert [row[1:] for row in got[2]] == [(65530, 0), (65540, 0), (65540, UNCERTAIN), (65547, 0)]
        assert [row[0] for row in got[2]] == [row[0] for row in got[0]]
        Script(device, {0: 10}, {0: 12})
        resume = first[-1].resume
        assert resume is not None
        assert resume_ns(resume) == got[0][-1][0]
        again = await read(link_to(settings, resume), 2)
        assert [row[1] for row in table(*again)[2]] == [65550, 65552], "what was made meanwhile is counted"
        assert not any(gap.cause == "counter_rebased" for delivery in again for gap in delivery.gaps)


@pytest.mark.wire
@pytest.mark.parametrize("state", [b"", b"{}", b'{"": [1]}', b"{broken", b'{"/shots@1.holding.0.uint16": "x"}'])
async def test_a_lost_count_is_told(state: bytes) -> None:
    async with Device(registers={(1, 3, 0): 20}) as device:
        settings = connection(device.port, {"address": 0, "counter": True, "name": "shots"})
        known_ns = SystemClock().now_ns() - 10**9
        (first, second) = await read(link_to(settings, struct.pack("<q", known_ns) + state), 2)
    (time_ns, total, status) = table(first)[1][0]
    assert (total, status) == (20, 0)
    rebased = [gap for gap in (*first.gaps, *second.gaps) if gap.cause == "counter_rebased"]
    assert [(gap.tag, gap.start_ns, gap.end_ns) for gap in rebased] == [(1, known_ns, time_ns)]


@pytest.mark.wire
async def test_a_bad_counter_has_a_bad_total() -> None:
    async with Device(refused={(1, 3, 0)}) as device:
        settings = connection(device.port, {"address": 0, "counter": True})
        (first,) = await read(link_to(settings))
        assert [rows[0][2] for rows in table(first).values()] == [BAD_CONFIGURATION_ERROR] * 2
    async with Device(exceptions={1: 11}) as device:
        settings = connection(device.port, {"address": 0, "counter": True})
        (first,) = await read(link_to(settings))
        assert [rows[0][2] for rows in table(first).values()] == [BAD_NO_COMMUNICATION] * 2


@pytest.mark.wire
async def test_a_torn_value_is_read_again_and_never_delivered() -> None:
    """High word new, low word old: 0x0001_FFFF becomes 0x0002_0000, in between the device shows 0x0002_FFFF."""
    tags = ({"address": 0, "datatype": "uint32", "max_jump": 100}, {"address": 2})
    async with Device() as device:
        settings = connection(device.port, *tags, period_s=0.01)
        shown = (0x1FFFF, 0x1FFFF, 0x2FFFF, 0x20000, 0x20001)
        Script(device, *(words(">I", value) for value in shown))
        link = link_to(settings)
        got = table(*await read(link, 3))
    assert [row[1:] for row in got[0]] == [(0x1FFFF, 0)] * 2 + [(0x20000, 0), (0x20001, 0)]
    assert len(device.requests) == 5, "one request more, once, and one at the beginning"
    assert link.context.stats.rejected == {"torn": 1}


@pytest.mark.wire
@pytest.mark.parametrize("counter", [False, True])
async def test_the_first_value_of_a_link_may_be_torn(counter: bool) -> None:
    """Nothing to compare it with: it is read twice, and what both looks do not agree on is never good."""
    tag = {"address": 0, "datatype": "uint32", "max_jump": 100, "counter": counter}
    async with Device() as device:
        settings = connection(device.port, tag, {"address": 2}, period_s=0.01)
        Script(device, *(words(">I", value) for value in (0x2FFFF, 0x20000, 0x20001)))
        link = link_to(settings)
        got = table(*await read(link, 2))
    assert [row[1:] for row in got[0]] == [(0x20000, UNCERTAIN), (0x20001, 0)]
    assert not counter or [row[1] for row in got[2]] == [0x20000, 0x20001]
    assert link.context.stats.rejected == {"torn": 1}
    assert len(device.requests) == 3


@pytest.mark.wire
async def test_after_a_long_pause_a_value_is_seen_twice() -> None:
    """What is plausible grows with the time gone by, until nothing is implausible any more."""
    kept = [1000, 1000, SystemClock().now_ns() - 3600 * 10**9]
    resume = struct.pack("<q", kept[2]) + orjson.dumps({"/n@1.holding.0.uint32": kept})
    tag = {"address": 0, "name": "n", "datatype": "uint32", "max_jump": 100, "counter": True}
    async with Device() as device:
        settings = connection(device.port, tag, period_s=0.01)
        Script(device, *(words(">I", value) for value in (66000, 1400, 1400)))
        got = table(*await read(link_to(settings, resume), 2))
    assert [row[1] for row in got[0]] == [1400, 1400]
    assert [row[1] for row in got[1]] == [1400, 1400]


@pytest.mark.wire
async def test_a_confirmed_jump_is_taken_and_an_unconfirmed_one_is_uncertain() -> None:
    tag = {"address": 0, "datatype": "float32", "max_jump": 5}
    async with Device() as device:
        settings = connection(device.port, tag, period_s=0.01)
        shown = (20.0, 20.0, 900.0, 901.0, 902.0, 5.0, 400.0, 401.0)
        Script(device, *(words(">f", value) for value in shown))
        link = link_to(settings)
        got = table(*await read(link, 5))
    assert [row[1:] for row in got[0][:7]] == [
        (20.0, 0), (20.0, 0), (900.0, 0), (901.0, 0), (902.0, 0), (400.0, UNCERTAIN), (401.0, 0),
    ]  # fmt: skip
    assert len(device.requests) == len(got[0]) + 1, "one was read in vain"
    assert link.context.stats.rejected["torn"] == 1


@pytest.mark.wire
async def test_a_counter_over_its_end_is_no_jump() -> None:
    async with Device() as device:
        settings = connection(device.port, {"address": 0, "counter": True, "max_jump": 50}, period_s=0.01)
        Script(device, {0: 65530}, {0: 4}, {0: 900}, {0: 901}, {0: 902})
        got = table(*await read(link_to(settings), 4))
    assert [row[1:] for row in got[1]] == [(65530, 0), (65540, 0), (66437, UNCERTAIN), (66438, 0)]
    assert len(device.requests) == 5, "only the implausible step was read again"


@pytest.mark.wire
async def test_the_total_is_a_field_in_the_store_and_scaled_like_its_counter() -> None:
    tag = {"address": 0, "counter": True, "name": "energy", "scale": 0.1, "engineering_unit": "kWh"}
    place = Place("meter", "demo", "site", "L1", "M")
    async with Device() as device:
        settings = connection(device.port, tag, period_s=0.01, machine="M")
        state: dict[str, bytes] = {}
        bodies = []
        for raws in ([{0: 65530}, {0: 4}], [{0: 14}]):
            Script(device, *raws)
            source = Source(settings, [place], state)
            link = link_to(settings, source.link_resume, parts=source.parts)
            for delivery in await read(link, len(raws)):
                for lines in source.encode(delivery, SystemClock().now_ns()):
                    bodies.append(lines.body.decode())
                    state |= lines.resume
    fields = [body.splitlines()[-1].split(" ")[1].split(",") for body in bodies if "energy=" in body]
    values = [dict(field.split("=") for field in line) for line in fields]
    assert [(float(one["energy"]), float(one["energy_total"])) for one in values] == [
        (6553.0, 6553.0), (0.4, 6554.0), (1.4, 6555.0),
    ]  # fmt: skip
