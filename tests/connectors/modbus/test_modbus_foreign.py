"""Servers that are not ours: every type, order and extreme, bit by bit."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from pipelines.point import BAD_CONFIGURATION_ERROR, BAD_DATA_ENCODING_UNSUPPORTED, Delivery

from .conftest import connection, link_to, read, table

pytestmark = pytest.mark.wire

ITEMS: list[tuple[str, Any]] = [
    ("int16", -(2**15)), ("int16", 2**15 - 1), ("int16", -1), ("uint16", 2**16 - 1),
    ("int32", -(2**31)), ("int32", 2**31 - 1), ("uint32", 2**32 - 1), ("uint32", 0x01020304),
    ("float32", struct.unpack("f", struct.pack("f", 123.456))[0]), ("float32", 3.4028234663852886e38),
    ("float32", 1.401298464324817e-45), ("float32", -0.0), ("float32", math.nan), ("float32", math.inf),
    ("float32", -math.inf),
    ("int64", -(2**63)), ("int64", 2**63 - 1), ("uint64", 2**64 - 1), ("uint64", 0x0102030405060708),
    ("float64", 0.1), ("float64", 1.7976931348623157e308), ("float64", 5e-324), ("float64", -0.0),
    ("float64", math.nan), ("float64", math.inf), ("float64", -math.inf),
    ("string", "압출기 A1 "), ("string", None), ("string", '"\\\n, =# \\  '),
]  # fmt: skip
"""The map that tests/foreign/*/server.* document."""
DTYPES = {"string": object, "uint64": "uint64", "float32": "float64", "float64": "float64", "bool": "bool"}


def same(ours: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return struct.pack("d", ours) == struct.pack("d", expected) or (math.isnan(ours) and math.isnan(expected))
    return bool(ours == expected)


ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


def items_in(order: str) -> list[dict[str, Any]]:
    """A tag for each item of the map, in both tables of registers."""
    base = 1000 * ORDERS.index(order)
    return [
        {"table": kind, "address": base + 8 * i, "datatype": datatype} | ({"length": 8} if datatype == "string" else {})
        for kind in ("holding", "input")
        for i, (datatype, _) in enumerate(ITEMS)
    ]


def check_items(delivery: Delivery) -> None:
    """Each of `items_in` is there with its value, or bad where it has none."""
    got = table(delivery)
    assert len(got) == 2 * len(ITEMS)
    for index, ((_, value, status),) in got.items():
        datatype, expected = ITEMS[index % len(ITEMS)]
        if expected is None:
            assert status == BAD_DATA_ENCODING_UNSUPPORTED
        else:
            assert status == 0
            assert same(value, expected), (datatype, value, expected)


@pytest.mark.parametrize("server", ["modbus_serial", "libmodbus"])
@pytest.mark.parametrize("order", ORDERS)
async def test_every_type(server: str, order: str, request: pytest.FixtureRequest) -> None:
    port = request.getfixturevalue(server)
    (delivery,) = await read(link_to(connection(port, *items_in(order), byte_order=order, timeout_s=5)))
    check_items(delivery)


@pytest.mark.parametrize("server", ["modbus_serial", "libmodbus"])
async def test_bits(server: str, request: pytest.FixtureRequest) -> None:
    port = request.getfixturevalue(server)
    tags = [{"table": kind, "address": 7 * i, "datatype": "bool"} for kind in ("coil", "discrete") for i in range(40)]
    tags += [{"table": "holding", "address": 56, "datatype": "bool", "bit": bit} for bit in range(16)]
    (delivery,) = await read(link_to(connection(port, *tags, timeout_s=5)))
    got = table(delivery)
    for i in range(80):
        assert got[i][0][1:] == (7 * (i % 40) % 3 == 0, 0)
    assert [bool(got[80 + bit][0][1]) for bit in range(16)] == [bool(0x0102 >> bit & 1) for bit in range(16)]


@pytest.mark.parametrize(("server", "beyond"), [("modbus_serial", 60000), ("libmodbus", 4000)])
async def test_an_address_the_device_lacks(server: str, beyond: int, request: pytest.FixtureRequest) -> None:
    port = request.getfixturevalue(server)
    link = link_to(connection(port, {"address": beyond - 2}, {"address": beyond}, {"address": 24}, timeout_s=5))
    (delivery,) = await read(link)
    got = table(delivery)
    assert [got[i][0][2] for i in range(3)] == [0, BAD_CONFIGURATION_ERROR, 0]
    assert got[2][0][1] == 65535
