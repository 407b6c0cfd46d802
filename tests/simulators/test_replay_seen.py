"""What recorded registers mean, said a second time without the agent's decoder: both say the same of any bytes."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.record.seen import seen_by
from agent.site import Site
from connectors.modbus.decode import Decoder
from connectors.modbus.plan import plan
from pipelines.point import BAD
from simulators.replay.seen import meaning, seen_of

LONG = ["EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"]
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
WIDE = {"int64", "uint64", "float64", "bcd64"}
TYPES = [
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bcd16", "bcd32", "bcd64", "float16", "float32",
    "float64", "string",
]  # fmt: skip


@st.composite
def tags(draw: st.DrawFn) -> dict[str, Any]:
    datatype = draw(st.sampled_from(TYPES))
    order = draw(st.sampled_from(ORDERS + (LONG if datatype in WIDE else [])))
    tag: dict[str, Any] = {"name": "x", "address": 3, "datatype": datatype, "byte_order": order}
    if datatype == "string":
        tag |= {"length": draw(st.integers(1, 6)), "encoding": draw(st.sampled_from(["utf-8", "cp949", "ascii"]))}
    if datatype in {"int16", "int32", "bcd16"} and draw(st.booleans()):
        tag["decimals_from"] = 2
    return tag


def site_of(*tag: dict[str, Any]) -> Site:
    connection = {"name": "plc", "type": "modbus", "host": "h", "machine": "M", "tags": tag}
    return Site.model_validate(
        {"company": "c", "site": "s", "line": "l", "machines": {"M": {"class": "m"}}, "connections": [connection]}
    )


def bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


@given(tag=tags(), data=st.binary(min_size=18, max_size=18), decimals=st.integers(0, 9))
def test_the_same_of_any_bytes(tag: dict[str, Any], data: bytes, decimals: int) -> None:
    swapped = tag["byte_order"] in {"BADC", "DCBA"}
    data = data[:4] + decimals.to_bytes(2, "little" if swapped else "big") + data[6:]
    site = site_of(tag)
    connection = site.connections[0]
    (request,) = plan(connection)  # type: ignore[arg-type]
    first, end = 2 * request.address, 2 * (request.address + request.count)
    (column,) = Decoder(connection, request).decode(data[first:end])  # type: ignore[arg-type]
    (seen,) = seen_of(seen_by(site))
    words = {at: int.from_bytes(data[2 * at : 2 * at + 2], "big") for at in range(9)}
    value = meaning(seen, words)
    if isinstance(value, dict):
        assert value["status"] == column.status[0]
    elif isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        assert column.value[0] != column.value[0]
    else:
        assert column.status[0] < BAD
        assert bits(value) == bits(column.value.tolist()[0])
        assert type(value) is type(column.value.tolist()[0])
