"""Values as Modbus registers and bits, and quantisation: what the wire can carry of a physical value.

Numbers are big-endian in a register (MODBUS Application Protocol V1.1b3 §4.2); the order of the registers of a longer
value is the manufacturer's choice: ABCD, CDAB (words swapped), BADC (bytes swapped), DCBA (both).
"""

from __future__ import annotations

import struct
from typing import Any, Final

FORMATS: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")


def register_count(datatype: str) -> int:
    """Registers a value of `datatype` takes; a bit takes one address."""
    return 1 if datatype == "bool" else struct.calcsize(FORMATS[datatype]) // 2


def integer_limits(datatype: str) -> tuple[int, int]:
    """Lowest and highest value, from the name of the type."""
    bits = int(datatype.removeprefix("u").removeprefix("int"))
    return (0, 2**bits - 1) if datatype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def quantise(value: Any, datatype: str, decimals: int) -> Any:
    """The raw value a register holds: scaled by 10^decimals, rounded and clipped; a float32 loses its digits."""
    if datatype == "bool":
        return bool(value)
    scaled = value * 10**decimals if decimals else value
    if datatype.startswith("float"):
        return struct.unpack(FORMATS[datatype], struct.pack(FORMATS[datatype], float(scaled)))[0]
    low, high = integer_limits(datatype)
    return min(max(round(scaled), low), high)


def engineering(raw: Any, decimals: int) -> Any:
    """The engineering value of a raw one: raw / 10^decimals, and the raw value itself without decimals."""
    return raw / 10**decimals if decimals else raw


def to_bytes(raw: Any, datatype: str, order: str = "ABCD") -> bytes:
    """Register bytes of a raw value, in wire order."""
    return ordered(struct.pack(FORMATS[datatype], raw), order)


def from_bytes(data: bytes, datatype: str, order: str = "ABCD") -> Any:
    """The raw value that register bytes in wire order stand for."""
    return struct.unpack(FORMATS[datatype], ordered(data, order))[0]


def ordered(data: bytes, order: str) -> bytes:
    """Whole registers from ABCD into that order, and back."""
    if order in {"CDAB", "DCBA"}:
        data = b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))
    if order in {"BADC", "DCBA"}:
        data = b"".join(data[i : i + 2][::-1] for i in range(0, len(data), 2))
    return data
