"""A Variant that is no scalar as a tree of values, within limits: arrays, structures, values in values.

Pure: bytes, type descriptions and limits go in. The frame was checked by `skip.py`; what is inside one value can only
spoil that value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from asyncua.ua.ua_binary import nodeid_from_binary, unpack_uatype
from numpy.typing import NDArray

from connectors.opcua.columnar.layouts import DATETIME, KINDS, STATUS, texts_of
from connectors.opcua.columnar.scalars import BAD_NO_DATA, BROKEN, TEXT, TEXT_IDS, text_at
from connectors.opcua.columnar.skip import CheckedBuffer, Skipper
from connectors.opcua.library import ua
from connectors.opcua.values.definitions import Field, Structure, Types
from pipelines.point import BAD, BAD_DATA_ENCODING_UNSUPPORTED, BAD_NOT_SUPPORTED, SEVERITY_MASK

BAD_DECODING_ERROR: Final = 0x8007_0000
BAD_LIMITS_EXCEEDED: Final = 0x8008_0000
BAD_TYPE_UNKNOWN: Final = 0x8011_0000
DEEPEST: Final = 32
"""Structures, arrays of structures and Variants in one another."""
_EXTENSION_OBJECT: Final = 22
_VARIANT: Final = 24
_MOST_DIMENSIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: `kind` is its dtype in a scan, `status` its own StatusCode, `enumeration` its data type's node id."""

    kind: str
    value: Any
    status: int = 0
    enumeration: str = ""


@dataclass(frozen=True, slots=True)
class Numbers:
    """An array of a fixed-size type: `values` is flat, of one of `pipelines.point.VALUE_DTYPES`."""

    values: NDArray[Any]
    shape: tuple[int, ...]
    enumeration: str = ""


@dataclass(frozen=True, slots=True)
class Many:
    """An array of anything else, flat."""

    items: list[Node]
    shape: tuple[int, ...]


Node: TypeAlias = "Leaf | Numbers | Many | dict[str, Node]"
"""A value; a dict is a structure by field name, without the optional fields that are absent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one value may hold.

    Attributes:
        elements: most single values, all arrays and fields together.
        text_bytes: longest text or ByteString, bytes.
    """

    elements: int
    text_bytes: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A value, or why there is none.

    Attributes:
        node: the value; None when `status` is bad.
        status: StatusCode of the whole.
        unknown: id of the binary encoding that is in the way, node id as text; empty = none.
    """

    node: Node | None
    status: int = 0
    unknown: str = ""


def decode_variant(raw: bytes, types: Types, limits: Limits) -> Decoded:
    """The value in the bytes of one Variant (OPC 10000-6 §5.2.2.16)."""
    decoder = _Decoder(raw, types, limits)
    try:
        node = decoder.value()
    except BROKEN:
        return Decoded(None, decoder.fault, decoder.unknown)
    if isinstance(node, Leaf) and node.status & SEVERITY_MASK == BAD:
        return Decoded(None, node.status)
    return Decoded(node)


class _Decoder(Skipper):
    """A position in the bytes of one value. `fault` says what an error means."""

    def __init__(self, raw: bytes, types: Types, limits: Limits) -> None:
        super().__init__(raw, 0, len(raw))
        self.types = types
        self.limits = limits
        self.left = limits.elements
        self.containers = 4 * limits.elements
        self.fault = BAD_DECODING_ERROR
        self.unknown = ""

    def value(self, depth: int = 0) -> Node:
        """A Variant."""
        self._deeper(depth)
        encoding = self._byte()
        kind = encoding & 0x3F
        if not encoding & 0x80:
            return self._one(kind, depth)
        count = self._int32()
        if count < 0:
            return Leaf("object", "", BAD_NO_DATA)
        at = self.at
        if not encoding & 0x40:
            return self._array(kind, (count,), depth)
        if count > self.left:
            self._refuse(f"{count} elements")
        self._pass(kind, count, depth)
        shape = self._dimensions()  # they stand behind the elements
        end, self.at = self.at, at
        if math.prod(shape) != count:
            raise ValueError(f"dimensions {shape} of {count} elements")
        node = self._array(kind, shape, depth)
        self.at = end
        return node

    def _pass(self, kind: int, count: int, depth: int) -> None:
        for _ in range(count):
            self._value(kind, depth)

    def _dimensions(self) -> tuple[int, ...]:
        count = self._int32()
        if not 0 < count <= _MOST_DIMENSIONS:
            raise ValueError(f"{count} dimensions")
        shape = tuple(self._int32() for _ in range(count))
        if min(shape) < 0:
            raise ValueError(f"dimensions {shape}")
        return shape

    def _array(self, kind: int, shape: tuple[int, ...], depth: int, field: Field | None = None) -> Node:
        """Elements, of a built-in type or of a structure without headers."""
        count = math.prod(shape)
        if count > self.left:
            self._refuse(f"{count} elements")
        enumeration = field.enumeration if field else ""
        if KINDS.get(kind, ("", ""))[0]:
            code, dtype = KINDS[kind]
            numpy = np.dtype(code)
            at = self.at
            self._forward(count * numpy.itemsize)
            self.left -= count
            raw = np.frombuffer(self.data, numpy, count, at)
            values = texts_of(kind, raw) if dtype == "object" else raw.astype(dtype)
            return Numbers(values, shape, enumeration)
        if field and not kind:
            structure = self._structure_of(field)
            return Many([self._fields(structure, depth + 1) for _ in range(count)], shape)
        return Many([self._one(kind, depth + 1) for _ in range(count)], shape)

    def _one(self, kind: int, depth: int, enumeration: str = "") -> Node:
        """One value of a built-in type."""
        if kind not in {_EXTENSION_OBJECT, _VARIANT}:
            self.left -= 1
            if self.left < 0:
                self._refuse("too many values")
        if kind in KINDS:
            return self._number(kind, enumeration)
        made = _MADE.get(kind)
        return made(self, depth + 1) if made else self._named(kind, depth)

    def _named(self, kind: int, depth: int) -> Leaf:
        """Ids and texts by asyncua's own decoder; what has no text is not supported."""
        start = self.at
        self._value(kind, depth)
        if kind not in TEXT:
            return Leaf("object", "", BAD_NOT_SUPPORTED)
        if self.at - start > self.limits.text_bytes:
            return Leaf("object", "", BAD_LIMITS_EXCEEDED)
        value = unpack_uatype(ua.VariantType(kind), CheckedBuffer(self.data, start, self.at - start))
        text = None if value is None else TEXT[kind](value)
        return Leaf("object", "", BAD_NO_DATA) if text is None else Leaf("object", text)

    def _number(self, kind: int, enumeration: str) -> Leaf:
        code, dtype = KINDS[kind]
        if not code:
            return Leaf("float64", math.nan, BAD_NO_DATA)
        numpy = np.dtype(code)
        at = self.at
        self._forward(numpy.itemsize)
        raw = np.frombuffer(self.data, numpy, 1, at)
        value = texts_of(kind, raw) if kind in {DATETIME, STATUS} else raw.astype(dtype)
        return Leaf(dtype, value[0] if dtype == "object" else value[0].item(), 0, enumeration)

    def _text(self, _depth: int) -> Leaf:
        at = self.at
        length = self._int32()
        self._forward(max(length, 0))
        if length > self.limits.text_bytes:
            return Leaf("object", "", BAD_LIMITS_EXCEEDED)
        text, _, own = text_at(self.data, at, self.end, length)
        return Leaf("object", text or "", own)

    def _bytes(self, _depth: int) -> Leaf:
        length = self._int32()
        if length < 0:
            return Leaf("object", "", BAD_NO_DATA)
        self._forward(length)
        if length > self.limits.text_bytes:
            return Leaf("object", "", BAD_LIMITS_EXCEEDED)
        return Leaf("object", self.data[self.at - length : self.at].hex())

    def _with_status(self, depth: int) -> Node:
        """A DataValue; its times are left out."""
        mask = self._byte()
        node: Node = self.value(depth) if mask & 0x01 else Leaf("float64", math.nan, BAD_NO_DATA)
        status = 0
        for bit, size in ((0x02, 4), (0x04, 8), (0x10, 2), (0x08, 8), (0x20, 2)):
            if mask & bit:
                self._forward(size)
                if bit == 0x02:  # noqa: PLR2004 (the mask's bit for Status)
                    status = int.from_bytes(self.data[self.at - 4 : self.at], "little")
        if isinstance(node, Leaf) and status and node.status & SEVERITY_MASK != BAD:
            return Leaf(node.kind, node.value, status, node.enumeration)
        return node if status & SEVERITY_MASK != BAD else Leaf("float64", math.nan, status)

    def _object(self, depth: int) -> Node:
        """An ExtensionObject with a binary body (OPC 10000-6 §5.2.2.15)."""
        self._deeper(depth)
        start = self.at
        self._node_id(depth)
        encoding = nodeid_from_binary(CheckedBuffer(self.data, start, self.at - start)).to_string()
        form = self._byte()
        if not form:
            return Leaf("object", "", BAD_NO_DATA)
        length = self._int32()
        end = self.at + max(length, 0)
        if form != 1:
            self._forward(max(length, 0))
            return Leaf("object", "", BAD_DATA_ENCODING_UNSUPPORTED)
        structure = self.types.encoded(encoding)
        if structure is None:
            self.unknown, self.fault = encoding, BAD_TYPE_UNKNOWN
            raise ValueError(f"no description of {encoding}")
        if end > self.end:
            raise ValueError(f"{structure.name} is cut off")
        limit, self.end = self.end, end
        node = self._fields(structure, depth)
        if self.at != end:
            raise ValueError(f"{structure.name} is longer than its description")
        self.end = limit
        return node

    def _fields(self, structure: Structure, depth: int) -> Node:
        """A structure without a header."""
        self._deeper(depth)
        self.containers -= 1
        if self.containers < 0:
            self._refuse("too many structures")
        if structure.layout == "union":
            switch = self._unsigned()
            if not switch:
                return Leaf("object", "", BAD_NO_DATA)
            if switch > len(structure.fields):
                raise ValueError(f"{structure.name} has no member {switch}")
            field = structure.fields[switch - 1]
            return {field.name: self._field(field, depth)}
        mask = self._unsigned() if structure.layout == "optional" else 0
        out: dict[str, Node] = {}
        for field in structure.fields:
            if field.optional:
                mask, present = mask >> 1, mask & 1
                if not present:
                    continue
            out[field.name] = self._field(field, depth)
        return out

    def _field(self, field: Field, depth: int) -> Node:
        if field.rank == -1:
            if field.kind:
                return self._one(field.kind, depth, field.enumeration)
            return self._fields(self._structure_of(field), depth + 1)
        if field.rank < 1:
            self.fault = BAD_NOT_SUPPORTED
            raise ValueError(f"{field.name} has rank {field.rank}")
        if field.rank > 1:
            return self._array(field.kind, self._dimensions(), depth, field)
        count = self._int32()
        if count < 0:
            return Leaf("object", "", BAD_NO_DATA)
        return self._array(field.kind, (count,), depth, field)

    def _structure_of(self, field: Field) -> Structure:
        structure = self.types.structure(field.structure)
        if structure is None:
            self.fault = BAD_TYPE_UNKNOWN
            raise ValueError(f"no description of {field.structure}")
        return structure

    def _deeper(self, depth: int) -> None:
        if depth > DEEPEST:
            self._refuse("nested too deep")

    def _refuse(self, why: str) -> None:
        self.fault = BAD_LIMITS_EXCEEDED
        raise ValueError(why)

    def _unsigned(self) -> int:
        return self._int32() & 0xFFFF_FFFF


_MADE: Final[dict[int, Callable[[_Decoder, int], Node]]] = {
    **dict.fromkeys(TEXT_IDS, _Decoder._text),  # noqa: SLF001
    15: _Decoder._bytes,  # noqa: SLF001
    _EXTENSION_OBJECT: _Decoder._object,  # noqa: SLF001
    23: _Decoder._with_status,  # noqa: SLF001
    _VARIANT: _Decoder.value,
}
"""Built-in type id → how to make it."""
