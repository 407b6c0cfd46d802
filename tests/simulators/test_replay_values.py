"""Recorded DataValues at other times, against asyncua's own encoding."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.replay.values import WAITING, moved, waiting
from simulators.witness import ns_of

PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "Boolean": st.booleans(), "SByte": st.integers(-128, 127), "Byte": st.integers(0, 255),
    "Int16": st.integers(-(2**15), 2**15 - 1), "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1), "Float": st.floats(width=32, allow_nan=False),
    "Double": st.floats(allow_nan=False), "String": st.text(),
}  # fmt: skip
TIMES = st.none() | st.datetimes(datetime(2001, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 - as asyncua has them
SHIFTS = st.integers(-(10**18), 10**18).map(lambda us: us // 1000 * 1000)
NOW = 1_800_000_000_000_000_000


@st.composite
def variants(draw: st.DrawFn) -> ua.Variant:
    name = draw(st.sampled_from(sorted(PLAIN)))
    if draw(st.booleans()):
        return ua.Variant(draw(st.lists(PLAIN[name], max_size=4)), ua.VariantType[name], is_array=True)
    return ua.Variant(draw(PLAIN[name]), ua.VariantType[name])


@settings(max_examples=60)
@given(variants(), st.sampled_from([0, 0x4000_0000, 0x8034_0000]), TIMES, TIMES, SHIFTS)
def test_only_the_times_are_others(value: Any, status: int, source: Any, server: Any, shift_ns: int) -> None:
    recorded = ua.DataValue(value, ua.StatusCode(status), SourceTimestamp=source, ServerTimestamp=server)
    (told, code), time_ns, data = moved(struct_to_binary(recorded), shift_ns, NOW)
    found = struct_from_binary(ua.DataValue, Buffer(data))
    assert (found.Value, found.StatusCode) == (value, recorded.StatusCode)
    assert code == status
    assert told == (None if status >= 0x8000_0000 else value.Value if not value.is_array else told)
    for before, after in ((source, found.SourceTimestamp), (server, found.ServerTimestamp)):
        expected = NOW if before is None else ns_of(before) + shift_ns
        assert ns_of(after) == expected
    assert time_ns == ns_of(found.SourceTimestamp)


def test_a_tape_that_begins_again_brings_nothing_from_before() -> None:
    recorded = struct_to_binary(ua.DataValue(ua.Variant(1.5), SourceTimestamp=datetime(2020, 1, 1)))  # noqa: DTZ001
    assert moved(recorded, 0, NOW)[1] < NOW
    assert moved(recorded, 0, NOW, NOW - 1)[1] == NOW


def test_a_clock_that_stood_before_1970_stays_there() -> None:
    before = datetime(1961, 1, 1)  # noqa: DTZ001
    recorded = struct_to_binary(ua.DataValue(ua.Variant(1.5), SourceTimestamp=before))
    assert moved(recorded, 1000, NOW)[1] == ns_of(before) + 1000 < 0


def test_before_anything_was_recorded_a_node_waits() -> None:
    found, time_ns, data = waiting(NOW)
    assert (found, time_ns) == ((None, WAITING), NOW)
    read = struct_from_binary(ua.DataValue, Buffer(data))
    assert read.Value.Value is None
    assert ns_of(read.SourceTimestamp) == NOW
