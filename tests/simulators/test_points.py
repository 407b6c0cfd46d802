"""Encoded values are those of asyncua to the byte, and filters let through what the standard says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from simulators.points import OVERFLOW, Gate, encoded, flagged, source_ns

TIME_NS = 1_767_323_045_678_901_000


@pytest.mark.parametrize("status", [0, 0x4000_0000, 0x8031_0000])
@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("Boolean", True),
        ("Byte", 255),
        ("UInt16", 65_535),
        ("Int32", -(2**31)),
        ("UInt32", 2**32 - 1),
        ("Float", 1.5),
        ("Double", 0.1),
        ("Double", float("inf")),
        ("String", "프레스 1호기"),
        ("String", ""),
    ],
)
def test_a_value_is_encoded_as_asyncua_does(datatype: str, value: Any, status: int) -> None:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=TIME_NS // 1000)
    shown = ua.Variant(value, ua.VariantType[datatype]) if status < 0x8000_0000 else ua.Variant(None)
    theirs = ua.DataValue(shown, ua.StatusCode(status), SourceTimestamp=when, ServerTimestamp=when)
    ours = encoded(value, datatype, status, TIME_NS)
    assert ours == struct_to_binary(theirs)
    assert source_ns(ours) == TIME_NS
    marked = struct_from_binary(ua.DataValue, Buffer(flagged(ours)))
    assert marked.StatusCode.value == status | OVERFLOW
    assert (marked.Value, marked.SourceTimestamp, marked.ServerTimestamp) == (
        (decoded := struct_from_binary(ua.DataValue, Buffer(ours))).Value,
        decoded.SourceTimestamp,
        decoded.ServerTimestamp,
    )


@pytest.mark.parametrize(
    ("trigger", "deadband", "passed"),
    [
        (0, 0.0, [(1.0, 0), (1.4, 64), (2.1, 0)]),
        (1, 0.0, [(1.0, 0), (1.4, 0), (1.4, 64), (1.6, 64), (2.1, 0), (1.8, 0)]),
        (1, 0.5, [(1.0, 0), (1.4, 64), (2.1, 0)]),
        (1, 0.1, [(1.0, 0), (1.4, 0), (1.4, 64), (1.6, 64), (2.1, 0), (1.8, 0)]),
    ],
)
def test_a_filter_counts_from_the_last_value_that_passed(
    trigger: int, deadband: float, passed: list[tuple[float, int]]
) -> None:
    gate = Gate(trigger, deadband)
    offered = [(1.0, 0), (1.4, 0), (1.4, 64), (1.6, 64), (2.1, 0), (1.8, 0)]
    assert [found for found in offered if gate.passes(found)] == passed


def test_a_deadband_needs_two_numbers() -> None:
    gate = Gate(1, 0.5)
    offered = [(1.0, 0), (None, 0), (None, 64), (1.1, 64), (1.2, 64)]
    assert [found for found in offered if gate.passes(found)] == offered[:-1]
