from __future__ import annotations

import math
import struct
import uuid
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary, variant_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.opcua.columnar.columns import RawColumns
from connectors.opcua.columnar.scalars import BAD_NO_DATA, EPOCH_TICKS, iso_of
from connectors.opcua.decode import decode_array, decode_data_change
from pipelines.point import BAD_DATA_ENCODING_UNSUPPORTED, UNCERTAIN

V = ua.VariantType
WHEN = datetime(2026, 3, 4, 5, 6, 7, 891_234, tzinfo=UTC)
WHEN_NS = int(WHEN.timestamp()) * 10**9 + 891_234_000
PUBLISH_NS = 1_700_000_000_000_000_007

INTEGERS = {
    V.SByte: (-(2**7), 2**7 - 1),
    V.Byte: (0, 2**8 - 1),
    V.Int16: (-(2**15), 2**15 - 1),
    V.UInt16: (0, 2**16 - 1),
    V.Int32: (-(2**31), 2**31 - 1),
    V.UInt32: (0, 2**32 - 1),
    V.Int64: (-(2**63), 2**63 - 1),
    V.UInt64: (0, 2**64 - 1),
}
GUID = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")
FLOATS = [0.0, -0.0, 5e-324, 1e308, math.nan, math.inf, -math.inf, 0.1]


def item(handle: int, value: Any, kind: Any = None, **more: Any) -> ua.MonitoredItemNotification:
    variant = value if isinstance(value, ua.Variant) else ua.Variant(value, kind)
    return ua.MonitoredItemNotification(ClientHandle=handle, Value=ua.DataValue(variant, **more))


def encode(*items: ua.MonitoredItemNotification) -> bytes:
    encoded: bytes = struct_to_binary(ua.DataChangeNotification(MonitoredItems=list(items)))
    return encoded


def rows(body: bytes) -> list[tuple[int, int, Any, int]]:
    out: list[tuple[int, int, Any, int]] = []
    for c in decode_data_change(body, PUBLISH_NS):
        out += zip(c.handle.tolist(), c.time_ns.tolist(), c.value.tolist(), c.status.tolist(), strict=True)
    return sorted(out, key=lambda row: row[0])


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float):
        return struct.pack("<d", ours) == struct.pack("<d", theirs)
    return type(ours) is type(theirs) and ours == theirs


def expected(value: Any, kind: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}0Z"
    if isinstance(value, bytes):
        return value.hex()
    if kind == V.StatusCode:
        return f"0x{value.value:08X}"
    if isinstance(value, ua.XmlElement | ua.LocalizedText):
        return value.Value if isinstance(value, ua.XmlElement) else value.Text
    if isinstance(value, ua.NodeId | ua.QualifiedName):
        return value.to_string()
    return value if isinstance(value, bool | int | float) else str(value)


SCALARS: list[tuple[Any, Any]] = [
    *((end, kind) for kind, ends in INTEGERS.items() for end in ends),
    (True, V.Boolean),
    (False, V.Boolean),
    *((value, V.Double) for value in FLOATS),
    *((value, V.Float) for value in [0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 1.401298464324817e-45]),
    *((text, V.String) for text in ["", "한글", 'quote " \\ \n']),
    (WHEN, V.DateTime),
    (GUID, V.Guid),
    (b"\x00\xff", V.ByteString),
    (ua.XmlElement("<a>온</a>"), V.XmlElement),
    (ua.NodeId("a;b", 2), V.NodeId),
    (ua.NodeId(7, 3), V.NodeId),
    (ua.QualifiedName("q", 2), V.QualifiedName),
    (ua.LocalizedText("온도", "ko"), V.LocalizedText),
    (ua.StatusCode(0x80310000), V.StatusCode),
]


@pytest.mark.parametrize(("value", "kind"), SCALARS, ids=lambda v: str(v)[:20])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_every_scalar_equals_what_asyncua_decodes(value: Any, kind: Any, count: int) -> None:
    body = encode(*(item(i, value, kind, SourceTimestamp=WHEN) for i in range(count)))
    theirs = struct_from_binary(ua.DataChangeNotification, Buffer(body)).MonitoredItems
    found = rows(body)
    assert [row[0] for row in found] == [one.ClientHandle for one in theirs] == list(range(count))
    for (_, time_ns, ours, status), one in zip(found, theirs, strict=True):
        assert same(ours, expected(one.Value.Value.Value, kind))
        assert (time_ns, status) == (WHEN_NS, 0)


stamps = st.one_of(st.none(), st.just(WHEN))
codes = st.sampled_from([0, 0x0000_0480, 0x4090_0000, 0x8031_0000])
values = st.one_of(
    *(st.tuples(st.integers(low, high), st.just(kind)) for kind, (low, high) in INTEGERS.items()),
    st.tuples(st.floats(), st.just(V.Double)),
    st.tuples(st.floats(width=32), st.just(V.Float)),
    st.tuples(st.booleans(), st.just(V.Boolean)),
    st.tuples(st.text(max_size=20), st.just(V.String)),
    st.tuples(st.uuids(), st.just(V.Guid)),
    st.tuples(st.binary(max_size=9), st.just(V.ByteString)),
)
runs = st.lists(st.tuples(values, st.integers(1, 30), stamps, stamps, codes), min_size=1, max_size=12)


@settings(deadline=None, max_examples=150)
@given(runs)
def test_mixed_runs_equal_what_asyncua_decodes(plan: list[Any]) -> None:
    items = []
    for (value, kind), length, source, server, code in plan:
        for _ in range(length):
            more = {"StatusCode": ua.StatusCode(code)} if code else {"StatusCode": None}
            items.append(item(len(items), value, kind, SourceTimestamp=source, ServerTimestamp=server, **more))
    body = encode(*items)
    found = rows(body)
    theirs = struct_from_binary(ua.DataChangeNotification, Buffer(body)).MonitoredItems
    assert len(found) == len(theirs)
    for (handle, time_ns, ours, status), one in zip(found, theirs, strict=True):
        value = one.Value
        assert handle == one.ClientHandle
        assert same(ours, expected(value.Value.Value, value.Value.VariantType))
        assert status == (value.StatusCode.value if value.StatusCode is not None else 0)
        assert time_ns == (WHEN_NS if value.SourceTimestamp or value.ServerTimestamp else PUBLISH_NS)


def test_readings_of_one_tag_stay_in_order_across_layouts() -> None:
    items = [item(0, i, V.Int32, StatusCode=ua.StatusCode(0x480) if i % 3 else None) for i in range(100)]
    (columns,) = decode_data_change(encode(*items), PUBLISH_NS)
    assert columns.value.tolist() == list(range(100))


def test_source_time_goes_before_server_time_and_keeps_100_ns() -> None:
    ticks = EPOCH_TICKS + 17_000_000_001_234_567
    one = struct.pack("<IBBiqq", 3, 0x0D, 6, -5, ticks, ticks + 1)
    two = struct.pack("<IBBiq", 4, 0x09, 6, -6, ticks + 1)
    body = struct.pack("<i", 2) + one + two
    (columns,) = decode_data_change(body, PUBLISH_NS)
    assert columns.time_ns.tolist() == [1_700_000_000_123_456_700, 1_700_000_000_123_456_800]


def test_picoseconds_stand_where_the_standard_has_them() -> None:
    ticks = EPOCH_TICKS + 10
    one = struct.pack("<IBBdIqHqH", 1, 0x3F, 11, 2.5, 0x4000_0000, ticks, 77, ticks + 5, 99)
    (columns,) = decode_data_change(struct.pack("<i", 20) + one * 20, PUBLISH_NS)
    assert columns.value.tolist() == [2.5] * 20
    assert columns.time_ns.tolist() == [1000] * 20
    assert columns.status.tolist() == [0x4000_0000] * 20


@pytest.mark.parametrize(
    ("ticks", "status"),
    [
        (0, 0),
        (-1, 0),
        (2**63 - 1, 0),
        (-(2**63), 0),
        (2_650_467_743_990_000_000, 0),
        (1, UNCERTAIN),
        (2_600_000_000_000_000_000, UNCERTAIN),
    ],
)
def test_a_source_time_that_is_no_time_falls_back_and_a_broken_one_is_uncertain(ticks: int, status: int) -> None:
    server = EPOCH_TICKS + 10**7
    body = struct.pack("<i", 1) + struct.pack("<IBBiqq", 3, 0x0D, 6, -5, ticks, server)
    (columns,) = decode_data_change(body, PUBLISH_NS)
    assert (columns.time_ns.tolist(), columns.status.tolist()) == ([10**9], [status])
    body = struct.pack("<i", 1) + struct.pack("<IBBiq", 3, 0x05, 6, -5, ticks)
    (columns,) = decode_data_change(body, PUBLISH_NS)
    assert (columns.time_ns.tolist(), columns.timed.tolist()) == ([PUBLISH_NS], [False])


def test_times_as_text_stay_within_the_years_of_the_standard() -> None:
    assert iso_of(0) == iso_of(-1) == "1601-01-01T00:00:00.0000000Z"
    assert iso_of(2**63 - 1) == "9999-12-31T23:59:59.0000000Z"
    assert iso_of(EPOCH_TICKS + 1) == "1970-01-01T00:00:00.0000001Z"


@pytest.mark.parametrize(
    "variant",
    [
        ua.Variant([1, 2], V.Int32),
        ua.Variant([], V.Double),
        ua.Variant([[1, 2], [3, 4]], V.Int32),
        ua.Variant(ua.Range(1, 2), V.ExtensionObject),
        ua.Variant("x" * 300, V.String),
        ua.Variant(b"x" * 300, V.ByteString),
        ua.Variant(ua.LocalizedText("x" * 300), V.LocalizedText),
    ],
    ids=lambda v: str(v)[:40],
)
def test_what_is_no_short_scalar_is_set_apart_as_it_is(variant: Any) -> None:
    body = encode(
        item(1, 1.5, V.Double), item(2, variant, SourceTimestamp=WHEN, StatusCode=ua.StatusCode(0x480)), item(3, 2.5)
    )
    scalars, apart = decode_data_change(body, PUBLISH_NS)
    assert (scalars.handle.tolist(), scalars.value.tolist()) == ([1, 3], [1.5, 2.5])
    assert isinstance(apart, RawColumns)
    assert apart.value.tolist() == [variant_to_binary(variant)]
    assert (apart.handle.tolist(), apart.time_ns.tolist(), apart.status.tolist()) == ([2], [WHEN_NS], [0x480])


@pytest.mark.parametrize("variant", [ua.Variant(None, k) for k in (V.Null, V.String, V.ByteString)], ids=str)
def test_null_is_a_bad_reading_and_never_dropped(variant: Any) -> None:
    body = encode(item(1, 1.5, V.Double), item(2, variant), item(3, 2.5, V.Double))
    assert [row[3] for row in rows(body)] == [0, BAD_NO_DATA, 0]


def test_a_message_like_the_one_before_is_decoded_like_it() -> None:
    kinds = [V.Double, V.UInt32, V.Boolean, V.Int16, V.UInt64]

    def message(first: int, kinds: list[Any]) -> None:
        pairs = [(first + i, kind) for i, kind in enumerate(kinds * 8)]
        items = [item(i, one % 2 == 0 if kind == V.Boolean else one, kind) for i, (one, kind) in enumerate(pairs)]
        assert [row[2] for row in rows(encode(*items))] == [row.Value.Value.Value for row in items]

    message(0, kinds)
    message(100, kinds)  # by the shape of the first
    message(200, kinds[::-1])  # as many items, another shape
    message(300, kinds)


def test_a_missing_value_keeps_its_bad_status_and_is_never_a_number() -> None:
    body = struct.pack("<i", 2) + struct.pack("<IBI", 1, 0x02, 0x8031_0000) + struct.pack("<IB", 2, 0)
    found = rows(body)
    assert [row[3] for row in found] == [0x8031_0000, BAD_NO_DATA]
    assert all(math.isnan(row[2]) for row in found)


def test_text_that_is_no_utf_8_is_bad() -> None:
    body = struct.pack("<i", 1) + struct.pack("<IBBi", 1, 0x01, 12, 2) + b"\xff\xfe"
    assert rows(body)[0][3] == BAD_DATA_ENCODING_UNSUPPORTED


def test_boolean_bytes_above_one_are_true() -> None:
    body = struct.pack("<i", 20) + struct.pack("<IBBB", 1, 1, 1, 7) * 20
    assert [row[2] for row in rows(body)] == [True] * 20


def test_read_results_have_positions_instead_of_handles() -> None:
    values = [ua.DataValue(ua.Variant(i, V.UInt16)) for i in range(30)] + [ua.DataValue(ua.Variant("x", V.String))]
    raw = struct.pack("<i", 31) + b"".join(struct_to_binary(value) for value in values)
    found, end = decode_array(raw, 0, len(raw), PUBLISH_NS, handles=False)
    assert end == len(raw)
    assert {c.value.dtype.name: c.handle.tolist() for c in found} == {"int64": list(range(30)), "object": [30]}


@pytest.mark.parametrize("count", [-1, 0])
def test_null_and_empty_arrays_hold_nothing(count: int) -> None:
    assert decode_data_change(struct.pack("<i", count), 0) == []


SAMPLE = encode(
    *(item(i, i, V.Int32, SourceTimestamp=WHEN) for i in range(20)),
    item(1, "text", V.String),
    item(2, GUID, V.Guid),
    item(3, [1.0], V.Double),
    item(4, 2.5, V.Float),
)[:-4]  # without the count of diagnostic infos


@pytest.mark.parametrize("length", range(len(SAMPLE)))
def test_every_truncation_is_a_value_error(length: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_data_change(SAMPLE[:length], 0)


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 40))
def test_malformed_bytes_are_a_value_error_or_readings(noise: bytes, at: int, count: int) -> None:
    for body in (struct.pack("<i", count) + noise, SAMPLE[:at] + noise + SAMPLE[at:]):
        try:
            found = decode_data_change(body, 0)
        except ValueError:
            continue
        assert all(len(c.handle) == len(c.value) == len(c.status) == len(c.time_ns) for c in found)
        assert all(c.status.dtype == np.uint32 and c.time_ns.dtype == np.int64 for c in found)
