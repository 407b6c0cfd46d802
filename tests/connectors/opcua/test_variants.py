"""The decoder of arrays and structures against asyncua's encoder, and on bytes that nobody meant."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import variant_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.opcua.values.definitions import Field, Structure, Types
from connectors.opcua.values.flatten import Parts, json_of
from connectors.opcua.values.variants import (
    BAD_DECODING_ERROR,
    BAD_LIMITS_EXCEEDED,
    BAD_TYPE_UNKNOWN,
    Decoded,
    Limits,
    decode_variant,
)

V = ua.VariantType
LIMITS = Limits(1024, 4096)


def decode(variant: Any, types: Types | None = None, limits: Limits = LIMITS) -> Decoded:
    raw = variant if isinstance(variant, bytes) else variant_to_binary(variant)
    return decode_variant(raw, types or Types(), limits)


def parts(found: Decoded, arrays: Any = "elements") -> dict[str, Any]:
    assert found.node is not None, f"{found.status:08X}"
    made = Parts(Types(), arrays)
    made.add(found.node)
    out: dict[str, Any] = {}
    for rows in made.rows.values():
        values = [one for several in rows.value for one in several.tolist()]
        states = [one for several in rows.status for one in several.tolist()]
        out |= {name: state or value for name, value, state in zip(rows.suffix, values, states, strict=True)}
    return out


KINDS = {
    V.Boolean: st.booleans(),
    V.SByte: st.integers(-(2**7), 2**7 - 1),
    V.Byte: st.integers(0, 2**8 - 1),
    V.Int16: st.integers(-(2**15), 2**15 - 1),
    V.UInt32: st.integers(0, 2**32 - 1),
    V.Int64: st.integers(-(2**63), 2**63 - 1),
    V.UInt64: st.integers(0, 2**64 - 1),
    V.Double: st.floats(allow_nan=False),
    V.Float: st.floats(width=32, allow_nan=False),
    V.String: st.text(max_size=20),
    V.Guid: st.uuids(),
    V.ByteString: st.binary(max_size=9),
}


@st.composite
def arrays(draw: Any) -> tuple[Any, list[Any], tuple[int, ...]]:
    kind = draw(st.sampled_from(list(KINDS)))
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    count = 1
    for one in shape:
        count *= one
    return kind, draw(st.lists(KINDS[kind], min_size=count, max_size=count)), shape


def nested(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    if len(shape) == 1:
        return flat
    size = len(flat) // shape[0]
    return [nested(flat[at * size : (at + 1) * size], shape[1:]) for at in range(shape[0])]


@settings(deadline=None, max_examples=150)
@given(arrays())
def test_arrays_and_matrices_equal_what_was_encoded(made: Any) -> None:
    kind, flat, shape = made
    found = parts(decode(ua.Variant(nested(flat, shape), kind)))
    wanted = [one.hex() if isinstance(one, bytes) else str(one) if kind == V.Guid else one for one in flat]
    assert list(found.values()) == wanted
    first, last = "".join("_0" for _ in shape), "".join(f"_{one - 1}" for one in shape)
    assert (next(iter(found)), list(found)[-1]) == (first, last)


AXIS = Structure("Axis", "plain", (Field("Position", 11), Field("Limits", 10, rank=1)))
TREE = Structure("Tree", "plain", (Field("Value", 6), Field("Below", 0, "ns=2;i=2", rank=1)))
MATRIX = Structure("Matrix", "plain", (Field("Cells", 4, rank=2), Field("Name", 12)))
KNOWN = Types(
    {"ns=2;i=1": AXIS, "ns=2;i=2": TREE, "ns=2;i=3": MATRIX},
    {},
    {"ns=2;i=11": "ns=2;i=1", "ns=2;i=12": "ns=2;i=2", "ns=2;i=13": "ns=2;i=3"},
)


def wrapped(number: int, body: bytes) -> Any:
    return ua.Variant(ua.ExtensionObject(ua.NodeId(number, 2), body), V.ExtensionObject)


def test_structures_by_their_description() -> None:
    axis = struct.pack("<diff", 1.5, 2, 0.5, 2.5)
    assert parts(decode(wrapped(11, axis), KNOWN)) == {"_Position": 1.5, "_Limits_0": 0.5, "_Limits_1": 2.5}
    matrix = struct.pack("<iiihhhhi", 2, 2, 2, 1, 2, 3, 4, -1)
    found = parts(decode(wrapped(13, matrix), KNOWN))
    assert found == {"_Cells_0_0": 1, "_Cells_0_1": 2, "_Cells_1_0": 3, "_Cells_1_1": 4, "_Name": 0x809B_0000}


@pytest.mark.parametrize(
    ("number", "body", "status"),
    [
        (11, struct.pack("<d", 1.5), BAD_DECODING_ERROR),
        (11, struct.pack("<diff", 1.5, 2, 0.5, 2.5) + b"x", BAD_DECODING_ERROR),
        (11, struct.pack("<di", 1.5, 2**31 - 1), BAD_LIMITS_EXCEEDED),
        (13, struct.pack("<iii", 2, 2**16, 2**16), BAD_LIMITS_EXCEEDED),
        (13, struct.pack("<iii", 2, -1, 2), BAD_DECODING_ERROR),
        (99, b"", BAD_TYPE_UNKNOWN),
        (12, struct.pack("<ii", 1, 1) * 40 + struct.pack("<ii", 1, 0), BAD_LIMITS_EXCEEDED),
    ],
)
def test_bodies_that_do_not_fit(number: int, body: bytes, status: int) -> None:
    assert decode(wrapped(number, body), KNOWN).status == status


def test_numbers_json_has_not_are_texts() -> None:
    found = decode(ua.Variant([[float("nan"), 1.5], [float("inf"), float("-inf")]], V.Double))
    assert found.node is not None
    assert json_of(found.node).value == '[["NaN",1.5],["Infinity","-Infinity"]]'


def test_names_never_collide() -> None:
    odd = Structure("Odd", "plain", (Field("a b", 6), Field("a_b", 6), Field("quality", 6)))
    types = Types({"ns=2;i=1": odd}, {}, {"ns=2;i=11": "ns=2;i=1"})
    assert parts(decode(wrapped(11, struct.pack("<iii", 1, 2, 3)), types)) == {"_a_b": 1, "_a_b_": 2, "_quality_": 3}


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.sampled_from([11, 12, 13]), st.booleans())
def test_any_bytes_are_a_value_or_a_status(noise: bytes, number: int, whole: bool) -> None:
    found = decode(noise if whole else wrapped(number, noise), KNOWN)
    assert (found.node is None) == bool(found.status & 0x8000_0000)
    if found.node is not None:
        parts(found)
        parts(found, "json")
