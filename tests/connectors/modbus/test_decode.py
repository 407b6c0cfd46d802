"""Against struct: every type, every order, every extreme, mixed as a plan mixes them."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.decode import Decoder
from connectors.modbus.plan import plan
from pipelines.point import BAD_CONFIGURATION_ERROR, BAD_DATA_ENCODING_UNSUPPORTED

from .conftest import connection

CODES = {
    "float16": ">e", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
DTYPES = (
    dict.fromkeys(CODES, "int64")
    | {"uint64": "uint64", "float32": "float64", "float64": "float64"}
    | {"float16": "float64"}
)
EXTREMES: dict[str, list[bytes]] = {
    name: [struct.pack(code, value) for value in values]
    for name, code, values in [
        ("int16", ">h", [-(2**15), -1, 0, 1, 2**15 - 1]),
        ("uint16", ">H", [0, 1, 2**15, 2**16 - 1]),
        ("int32", ">i", [-(2**31), -1, 0, 2**31 - 1]),
        ("uint32", ">I", [0, 2**31, 2**32 - 1]),
        ("int64", ">q", [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1]),
        ("uint64", ">Q", [0, 2**53 + 1, 2**63, 2**64 - 1]),
        ("float16", ">e", [0.0, -0.0, 6e-8, 65504.0, math.inf, -math.inf, math.nan, 0.1]),
        ("float32", ">f", [0.0, -0.0, 1e-45, 3.4028234663852886e38, math.inf, -math.inf, math.nan, 0.1]),
        ("float64", ">d", [0.0, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, 0.1]),
    ]
}  # fmt: skip
EXTREMES["float32"] += [bytes.fromhex("7fa00000"), bytes.fromhex("ffa00001")]  # signalling NaN
EXTREMES["float64"] += [bytes.fromhex("7ff4000000000001")]
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
WIRE = {
    ("ABCD", 2): "AB", ("CDAB", 2): "AB", ("BADC", 2): "BA", ("DCBA", 2): "BA",
    ("ABCD", 4): "ABCD", ("CDAB", 4): "CDAB", ("BADC", 4): "BADC", ("DCBA", 4): "DCBA",
    ("EFGHABCD", 8): "EFGHABCD", ("CDABGHEF", 8): "CDABGHEF", ("FEHGBADC", 8): "FEHGBADC",
    ("DCBAHGFE", 8): "DCBAHGFE", ("ABCD", 8): "ABCDEFGH",
    ("CDAB", 8): "GHEFCDAB", ("BADC", 8): "BADCFEHG", ("DCBA", 8): "HGFEDCBA",
}  # fmt: skip
"""The table in ModbusConnection's docstring, spelled out."""


def on_wire(big_endian: bytes, order: str) -> bytes:
    return bytes(big_endian[ord(letter) - ord("A")] for letter in WIRE[order, len(big_endian)])


def decode(data: bytes, *tags: dict[str, Any], **more: Any) -> dict[int, tuple[str, Any, int]]:
    settings = connection(1, *tags, max_gap=124, **more)
    (request,) = plan(settings)
    decoder = Decoder(settings, request)
    assert decoder.size == len(data)
    out: dict[int, tuple[str, Any, int]] = {}
    for column in decoder.decode(data):
        assert column.value.dtype.name == column.dtype
        for tag, value, status in zip(column.tag.tolist(), column.value, column.status.tolist(), strict=True):
            assert tag not in out
            out[tag] = (column.dtype, value, status)
    return out


def same(value: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return struct.pack("d", value) == struct.pack("d", expected) or (math.isnan(value) and math.isnan(expected))
    return int(value) == expected


LONG = ["EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"]


@pytest.mark.parametrize("order", ORDERS + LONG)
@pytest.mark.parametrize("kind", CODES)
def test_extremes(kind: str, order: str) -> None:
    if order in LONG and struct.calcsize(CODES[kind]) != 8:
        with pytest.raises(ValueError, match=f"byte_order {order} is for 64-bit types, and datatype is {kind}"):
            connection(1, {"address": 7, "datatype": kind, "byte_order": order})
        return
    for raw in EXTREMES[kind]:
        got = decode(on_wire(raw, order), {"address": 7, "datatype": kind, "byte_order": order})
        dtype, value, status = got[0]
        assert (dtype, status) == (DTYPES[kind], 0)
        assert same(value, struct.unpack(CODES[kind], raw)[0]), (raw, value)


values = st.sampled_from(sorted(CODES)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.sampled_from(ORDERS),
        st.one_of(st.sampled_from(EXTREMES[kind]), st.binary(min_size=(n := struct.calcsize(CODES[kind])), max_size=n)),
        st.integers(0, 3),
    )
)


@given(st.lists(values, min_size=1, max_size=20), st.sampled_from(ORDERS))
def test_mixed(items: list[tuple[str, str, bytes, int]], default: str) -> None:
    data, tags = b"", []
    for kind, order, raw, gap in items:
        data += bytes(2 * gap) if data else b""
        own = {} if order == default else {"byte_order": order}
        tags.append({"address": 100 + len(data) // 2, "datatype": kind, **own})
        data += on_wire(raw, order)
    got = decode(data, *tags, byte_order=default)
    assert sorted(got) == list(range(len(items)))
    for index, (kind, _, raw, _) in enumerate(items):
        assert got[index][0] == DTYPES[kind]
        assert same(got[index][1], struct.unpack(CODES[kind], raw)[0])


@given(st.binary(min_size=6, max_size=6), st.sampled_from(ORDERS))
def test_bits_of_registers(data: bytes, order: str) -> None:
    tags = [{"address": a, "datatype": "bool", "bit": b} for a in range(3) for b in range(16)]
    tags += [{"address": a, "datatype": "bool"} for a in range(3)]
    got = decode(data, *tags, byte_order=order)
    words = [int.from_bytes(data[i : i + 2], "little" if order in {"BADC", "DCBA"} else "big") for i in (0, 2, 4)]
    assert [bool(got[i][1]) for i in range(48)] == [bool(word >> bit & 1) for word in words for bit in range(16)]
    assert [bool(got[48 + i][1]) for i in range(3)] == [word != 0 for word in words]
    assert {item[0] for item in got.values()} == {"bool"}


@given(st.binary(min_size=5, max_size=5), st.sampled_from(["coil", "discrete"]))
def test_coils(data: bytes, table: str) -> None:
    tags = [{"address": 10 + a, "datatype": "bool", "table": table} for a in (0, 1, 7, 8, 15, 16, 31, 32, 36)]
    got = decode(data, *tags)
    number = int.from_bytes(data, "little")
    assert [bool(got[i][1]) for i in range(9)] == [bool(number >> a & 1) for a in (0, 1, 7, 8, 15, 16, 31, 32, 36)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ABCDEF", "ABCDEF"), (b"AB\0DEF", "AB"), (b"\0BCDEF", ""), (b"AB    ", "AB    "), ("압출".encode(), "압출"),
        (b"AB\xff\xfeEF", None), (b"AB\0\xff\xfeF", "AB"), ("한".encode("cp949") + bytes(4), None),
    ],
)  # fmt: skip
def test_strings(raw: bytes, text: str | None, order: str) -> None:
    swapped = b"".join(raw[i + 1 : i + 2] + raw[i : i + 1] for i in range(0, 6, 2))
    tag = {"address": 0, "datatype": "string", "length": 3, "byte_order": order}
    other = {"address": 3, "datatype": "string", "length": 1}
    got = decode((swapped if order in {"BADC", "DCBA"} else raw) + b"ok", tag, other)
    assert got[0][0] == "object"
    assert got[0][2] == (BAD_DATA_ENCODING_UNSUPPORTED if text is None else 0)
    assert got[0][1] == (text or "")
    assert got[1] == ("object", "ok", 0)


def test_one_response_does_not_change_another() -> None:
    settings = connection(1, *({"address": i, "datatype": kind} for i, kind in enumerate(["uint16", "bool", "int16"])))
    decoder = Decoder(settings, plan(settings)[0])
    first = decoder.decode(b"\0\1\0\1\0\1")
    kept = [column.value.copy() for column in first]
    decoder.decode(b"\xff\xff\0\0\xff\xff")
    decoder.failed(BAD_CONFIGURATION_ERROR)
    for column, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(column.value, before)
        assert not column.status.any()
    coils = connection(1, {"address": 0, "datatype": "bool", "table": "coil"})
    bits = Decoder(coils, plan(coils)[0])
    (one,), (zero,) = bits.decode(b"\1"), bits.decode(b"\0")
    assert one.value[0]
    assert not zero.value[0]


def test_failed_covers_every_tag() -> None:
    settings = connection(1, *({"address": 4 * i, "datatype": kind} for i, kind in enumerate(CODES)))
    columns = Decoder(settings, plan(settings)[0]).failed(BAD_CONFIGURATION_ERROR)
    assert sorted(tag for column in columns for tag in column.tag.tolist()) == list(range(len(CODES)))
    assert all((column.status == BAD_CONFIGURATION_ERROR).all() for column in columns)
