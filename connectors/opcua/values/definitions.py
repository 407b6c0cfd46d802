"""Data types of a server as plain descriptions: what stands where in a structure, and the names of numbers.

A description comes from the DataTypeDefinition attribute (OPC 10000-3 §8.47-8.52) or, for the types of the standard
itself, from asyncua's tables. Nothing is generated and nothing is executed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from functools import cache
from typing import Any, Final, Literal

from connectors.opcua.library import ua

ENUMERATION: Final = 29
"""Base of enumerations; on the wire an Int32."""
INT32: Final = 6
EXTENSION_OBJECT: Final = 22
VARIANT: Final = 24
_ABSTRACT: Final = {26: VARIANT, 27: VARIANT, 28: VARIANT, ENUMERATION: INT32}
"""Number, Integer, UInteger and Enumeration → what stands for them on the wire (OPC 10000-6 §5.1.2)."""
_LAST_BUILT_IN: Final = 25
_SPELLING: Final = re.compile(r"(list\[)?(type\[)?ua\.(\w+)\]*")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a structure.

    Attributes:
        name: as the server has it.
        kind: built-in type id on the wire; 0 = the structure `structure`, written without a header.
        structure: data type of a structure, node id as text.
        enumeration: data type of an enumeration, node id as text; empty = none.
        rank: -1 = one value, else the number of dimensions of an array.
        optional: whether a bit of the encoding mask says that it is there.
    """

    name: str
    kind: int
    structure: str = ""
    enumeration: str = ""
    rank: int = -1
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure: all of its fields in a row, those named by a mask, or one of them (OPC 10000-6 §5.2.6-5.2.8)."""

    name: str
    layout: Literal["plain", "optional", "union"]
    fields: tuple[Field, ...]


@dataclass(slots=True)
class Types:
    """What is known of a server's data types; node ids are text, with this server's namespace indexes.

    Attributes:
        structures: by data type.
        enumerations: text of each number, by data type.
        encodings: data type by the id of its binary encoding.
    """

    structures: dict[str, Structure] = field(default_factory=dict)
    enumerations: dict[str, Mapping[int, str]] = field(default_factory=dict)
    encodings: dict[str, str] = field(default_factory=dict)

    def structure(self, data_type: str) -> Structure | None:
        """The structure with this data type."""
        return self.structures.get(data_type) or _standard_by_type(data_type)

    def encoded(self, encoding: str) -> Structure | None:
        """The structure with this binary encoding."""
        data_type = self.encodings.get(encoding)
        return self.structure(data_type) if data_type is not None else _standard_by_encoding(encoding)

    def texts(self, enumeration: str) -> Mapping[int, str]:
        """The text of each number; empty when nothing is known."""
        return self.enumerations.get(enumeration) or _standard_enumeration(enumeration)


def built_in(data_type: Any) -> int | None:
    """What a data type of the standard is on the wire; None for a structure or a type of the server's own.

    Args:
        data_type: asyncua node id.
    """
    number = data_type.Identifier
    if data_type.NamespaceIndex or not isinstance(number, int):
        return None
    if 0 < number <= _LAST_BUILT_IN:
        return number
    return _ABSTRACT.get(number) or _aliases().get(number)


@cache
def _aliases() -> dict[int, int]:
    """Simple types of the standard, such as Duration, by their number."""
    out = {}
    for name in dir(ua.ObjectIds):
        cls = getattr(ua, name, None)
        number = getattr(ua.ObjectIds, name)
        kind = _kind_of(cls.__name__) if isinstance(cls, type) and cls.__name__ != name else None
        if kind and isinstance(number, int):
            out[number] = kind
    return out


def _kind_of(name: str) -> int | None:
    kind = getattr(ua.VariantType, name, None)
    return None if kind is None else int(kind.value)


@cache
def _standard_by_encoding(encoding: str) -> Structure | None:
    try:
        return _described(ua.extension_objects_by_typeid.get(ua.NodeId.from_string(encoding)))
    except ua.UaError:
        return None


@cache
def _standard_by_type(data_type: str) -> Structure | None:
    kind, _, number = data_type.partition("=")
    name = ua.ObjectIdNames.get(int(number)) if kind == "i" and number.isdigit() else None
    cls = getattr(ua, name, None) if name else None
    return _described(cls) if dataclasses.is_dataclass(cls) else None


@cache
def _standard_enumeration(data_type: str) -> Mapping[int, str]:
    kind, _, number = data_type.partition("=")
    name = ua.ObjectIdNames.get(int(number)) if kind == "i" and number.isdigit() else None
    cls = getattr(ua, name, None) if name else None
    if isinstance(cls, type) and issubclass(cls, Enum) and not issubclass(cls, IntFlag):
        return {int(one.value): one.name for one in cls}
    return {}


def _described(cls: Any) -> Structure | None:
    """Asyncua's class for a structure of the standard; None where it says too little."""
    if cls is None or not dataclasses.is_dataclass(cls):
        return None
    fields = [_described_field(one.name, str(one.type)) for one in dataclasses.fields(cls)]
    if any(one is None for one in fields):
        return None
    name = getattr(cls, "__name__", "")
    return Structure(name, "plain", tuple(one for one in fields if one is not None))


def _described_field(name: str, spelling: str) -> Field | None:
    match = _SPELLING.fullmatch(spelling.strip("'"))
    cls = getattr(ua, match[3], None) if match else None
    if match is None or cls is None:
        return None
    rank = 1 if match[1] else -1
    data_type = f"i={getattr(ua.ObjectIds, match[3], 0)}"
    kind = EXTENSION_OBJECT if match[2] else _kind_of(match[3]) or _aliases().get(int(data_type[2:]), 0)
    if kind:
        return Field(name, kind, rank=rank)
    if dataclasses.is_dataclass(cls):
        return Field(name, 0, data_type, rank=rank)
    if issubclass(cls, IntFlag):
        return Field(name, _kind_of(cls.datatype() if hasattr(cls, "datatype") else "UInt32") or 0, rank=rank)
    return Field(name, INT32, enumeration=data_type, rank=rank) if issubclass(cls, Enum) else None
