"""BCD, sentinels, power factors, decimals of the device, encodings: hand-computed values."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.modbus.decode import Decoder
from connectors.modbus.plan import plan
from pipelines.normalize import Normalizer
from pipelines.point import (
    BAD_DATA_ENCODING_UNSUPPORTED,
    BAD_OUT_OF_RANGE,
    BAD_SENSOR_FAILURE,
    Scan,
)

from .conftest import connection
from .test_decode import WIRE, decode, on_wire

WRONG = BAD_DATA_ENCODING_UNSUPPORTED


def one(data: bytes, **tag: Any) -> tuple[str, Any, int]:
    return decode(data, {"address": 0, **tag})[0]


def stored(data: bytes, **tag: Any) -> tuple[float, int]:
    """Value and status after scaling and range, as the pipeline stores them."""
    settings = connection(1, {"address": 0, "table": "input", **tag})
    (column,) = Decoder(settings, plan(settings)[0]).decode(data)
    (scan,) = Normalizer(settings.tag_list()).normalize(
        Scan(column.tag, np.zeros(1, np.int64), column.value, column.status)
    )
    return float(scan.value[0]), int(scan.status[0])


def test_oracles_of_real_devices() -> None:
    voltage = bytes.fromhex("43663333")  # SDM630, 230.2 V
    meter = {"datatype": "float32", "least_magnitude": 1e-4, "range": {"low": 0, "high": 300}}
    value, status = stored(voltage, **meter)
    assert status == 0
    assert value == struct.unpack(">f", voltage)[0]
    assert abs(value - 230.2) < 1e-5
    value, status = stored(voltage, **meter, byte_order="CDAB")
    assert (f"{value:.1e}", status) == ("4.2e-08", WRONG), "words swapped: within 0-300 V, and yet flagged"
    assert stored(bytes.fromhex("20d50001"), datatype="int16", decimals_from=1) == (840.5, 0)  # TK: PV 8405, dp 1
    open_sensor = stored((31000).to_bytes(2, "big"), datatype="int16", sentinels={31000: "sensor_open"})
    assert open_sensor[1] == BAD_SENSOR_FAILURE
    assert stored((3000).to_bytes(2, "big"), datatype="uint16", scale=0.01) == (30.0, 0)  # iG5A: 30.00 Hz


@given(
    st.sampled_from([("bcd16", 4), ("bcd32", 8), ("bcd64", 16)]), st.data(), st.sampled_from(["ABCD", "CDAB", "DCBA"])
)
def test_bcd(kind: tuple[str, int], data: st.DataObject, order: str) -> None:
    name, digits = kind
    number = data.draw(st.integers(0, 10**digits - 1))
    raw = bytes.fromhex(f"{number:0{digits}d}")
    assert one(on_wire(raw, order), datatype=name, byte_order=order) == ("int64", number, 0)


@pytest.mark.parametrize("kind", ["bcd16", "bcd32", "bcd64"])
def test_a_nibble_above_nine_is_never_a_number(kind: str) -> None:
    size = {"bcd16": 2, "bcd32": 4, "bcd64": 8}[kind]
    for place in range(2 * size):
        for digit in "abcdef":
            text = "1" * (2 * size)
            raw = bytes.fromhex(text[:place] + digit + text[place + 1 :])
            assert one(raw, datatype=kind)[1:] == (0, WRONG)


def test_special_values_leave_their_neighbours_alone() -> None:
    tags = [
        {"address": 0, "datatype": "bcd16"}, {"address": 1, "datatype": "uint16"}, {"address": 2, "datatype": "bcd16"},
        {"address": 3, "datatype": "int16", "sentinels": {31000: "sensor_open", -30000: "under_range"}},
        {"address": 4, "datatype": "int16", "decimals_from": 5}, {"address": 5, "datatype": "uint16"},
        {"address": 6, "datatype": "float32", "decode": "pf_4q"}, {"address": 8, "datatype": "float32"},
        {"address": 10, "datatype": "int16", "decimals_from": 11},
    ]  # fmt: skip
    data = bytes.fromhex("1234 00aa 9a99 8ad0 ffec 0002") + struct.pack(">ff", 1.25, 1.25) + bytes.fromhex("0001 0007")
    got = decode(data, *tags)
    assert {at: item[1:] for at, item in got.items()} == {
        0: (1234, 0), 1: (0xAA, 0), 2: (0, WRONG), 3: (-30000, BAD_OUT_OF_RANGE), 4: (-0.2, 0), 5: (2, 0),
        6: (0.75, 0), 7: (1.25, 0), 8: (1e-6, WRONG),
    }  # fmt: skip
    assert [got[at][0] for at in (3, 4, 5, 6)] == ["int64", "float64", "int64", "float64"]


@pytest.mark.parametrize(
    ("coded", "factor", "status"),
    [
        (0.95, 0.95, 0), (1.0, 1.0, 0), (-1.0, -1.0, 0), (-0.5, -0.5, 0), (1.25, 0.75, 0), (-1.25, -0.75, 0),
        (2.0, 0.0, 0), (-2.0, 0.0, 0), (2.5, None, BAD_OUT_OF_RANGE), (-3.0, None, BAD_OUT_OF_RANGE),
    ],
)  # fmt: skip
def test_four_quadrant_power_factor(coded: float, factor: float | None, status: int) -> None:
    got = one(struct.pack(">d", coded), datatype="float64", decode="pf_4q")
    assert got[2] == status
    assert factor is None or got[1] == factor


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
@pytest.mark.parametrize(
    ("encoding", "raw", "text"),
    [
        ("cp949", "압출기1".encode("cp949") + b"\0", "압출기1"),
        ("euc-kr", "가열로 ".encode("euc-kr") + b"\0", "가열로 "),
        ("latin-1", b"25 \xb0C\0\0\0", "25 °C"), ("ascii", b"PUMP    ", "PUMP    "), ("ascii", b"25 \xb0C\0\0\0", None),
        ("utf-8", "한1".encode() + bytes(4), "한1"), (None, "한1".encode("cp949") + bytes(5), None),
    ],
)  # fmt: skip
def test_encodings(encoding: str | None, raw: bytes, text: str | None, order: str) -> None:
    swap = order in {"BADC", "DCBA"}
    wire = b"".join(raw[i : i + 2][::-1] if swap else raw[i : i + 2] for i in range(0, len(raw), 2))
    tag = {"datatype": "string", "length": len(raw) // 2, "byte_order": order, "encoding": encoding}
    assert one(wire, **tag) == ("object", text or "", WRONG if text is None else 0)


def test_every_arrangement_of_eight_bytes_has_one_name() -> None:
    assert len({word for (_, size), word in WIRE.items() if size == 8}) == 8


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ({"datatype": "float32", "counter": True}, "counter needs an unsigned integer or BCD, and datatype is float32"),
        ({"datatype": "int16", "decode": "pf_4q"}, "decode needs a float"),
        ({"datatype": "int64", "decimals_from": 9}, "decimals_from needs a number of 16 or 32 bits"),
        ({"datatype": "uint16", "encoding": "ascii"}, "encoding needs datatype string"),
        ({"datatype": "uint16", "sentinels": {70000: "sensor_open"}}, r"70000, which no uint16 can be \(0 to 65535\)"),
        ({"datatype": "bcd16", "sentinels": {-1: "sensor_open"}}, r"-1, which no bcd16 can be \(0 to 9999\)"),
        ({"datatype": "bool", "max_jump": 3}, "max_jump needs a number"),
        ({"datatype": "int16", "least_magnitude": 3}, "least_magnitude needs a float"),
        ({"datatype": "uint16", "counter": True, "decimals_from": 4}, "remove decimals_from"),
    ],
)
def test_what_does_not_suit_a_type_is_refused(tag: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        connection(1, {"address": 0, **tag})


def test_what_lies_in_a_forbidden_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tag t0 lies in a forbidden range \(holding 10-12\)"):
        connection(1, {"address": 9, "datatype": "uint32"}, forbidden=[{"from": 10, "to": 12}])
    with pytest.raises(ValueError, match=r"to \(3\) must not be below from \(10\)"):
        connection(1, {"address": 9}, forbidden=[{"from": 10, "to": 3}])
    assert connection(1, {"address": 9}, forbidden=[{"from": 9, "to": 9, "unit": 7}]).forbidden[0].unit == 7
