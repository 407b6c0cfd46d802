"""Ways to read registers: type, byte order and width, and the values they give. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint16]
"""Registers of one table without holes, uint16, shape (reads, registers)."""
Column = NDArray[Any]
"""Values of one way to read: float64, int64, uint64 or bytes, shape (reads, places)."""

ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")
"""Word order and byte order of a value of 32 bits; for 64 bits the same two choices (see `ModbusConnection`)."""
_SWAPPED_BYTES: Final = frozenset({"BADC", "DCBA"})
_LOW_WORD_FIRST: Final = frozenset({"CDAB", "DCBA"})


@dataclass(frozen=True, slots=True)
class Way:
    """A way to read registers.

    Attributes:
        kind: uint16 int16 uint32 int32 float32 uint64 int64 float64 bcd16 bcd32 text.
        order: the family of the order, one of `ORDERS`; for 16 bits it says what the neighbours have.
        layout: the bytes on the wire, A most significant; longer than `order` for 64 bits.
        width: registers.
    """

    kind: str
    order: str
    layout: str
    width: int

    @property
    def name(self) -> str:
        """Kind and bytes as people write them: `float32 CDAB`, `uint16`, `uint16 BA`."""
        plain = "AB" if self.width == 1 else "ABCDEFGH"[: 2 * self.width]
        return self.kind if self.layout == plain and self.width == 1 else f"{self.kind} {self.layout}"


_HALVES: Final = (("CDAB", "CDABGHEF"), ("ABCD", "EFGHABCD"), ("BADC", "FEHGBADC"), ("DCBA", "DCBAHGFE"))
"""64-bit layouts whose halves do not follow the order of their words."""


def _ways() -> tuple[Way, ...]:
    found = []
    for order in ORDERS:
        pair = "BA" if order in _SWAPPED_BYTES else "AB"
        found += [Way(kind, order, pair, 1) for kind in ("uint16", "int16", "bcd16", "text")]
        found += [Way(kind, order, order, 2) for kind in ("float32", "uint32", "int32", "bcd32")]
        found += [Way(kind, order, _eight(order), 4) for kind in ("float64", "uint64", "int64")]
    for order, layout in _HALVES:
        found += [Way(kind, order, layout, 4) for kind in ("float64", "uint64", "int64")]
    return tuple(found)


def _eight(order: str) -> str:
    pairs = ["AB", "CD", "EF", "GH"]
    if order in _LOW_WORD_FIRST:
        pairs.reverse()
    return "".join(pair[::-1] if order in _SWAPPED_BYTES else pair for pair in pairs)


WAYS: Final = _ways()
"""Every way: for 16 bits 2 byte orders, for 32 bits 4 orders, for 64 bits 8 (see `ModbusConnection`)."""
ODD_LAYOUTS: Final = frozenset(layout for _, layout in _HALVES)
_NUMPY: Final = {
    "uint16": ">u2", "int16": ">i2", "bcd16": ">u2", "text": "S2", "float32": ">f4", "uint32": ">u4", "int32": ">i4",
    "bcd32": ">u4", "float64": ">f8", "uint64": ">u8", "int64": ">i8",
}  # fmt: skip


def read(words: Words, way: Way) -> Column:
    """The value at every place where the registers suffice.

    Args:
        words: uint16, shape (reads, registers).
        way: how to read.

    Returns:
        Shape (reads, registers - width + 1). Floats as float64, BCD as int64 with -1 where a digit is above 9.
    """
    places = words.shape[1] - way.width + 1
    if places <= 0:
        return np.empty((words.shape[0], 0), np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(words.astype(">u2"), way.width, axis=1)
    raw = np.ascontiguousarray(windows).view(np.uint8).reshape(words.shape[0], places, 2 * way.width)
    source = [way.layout.index(letter) for letter in sorted(way.layout)]
    value = np.ascontiguousarray(raw[:, :, source]).view(_NUMPY[way.kind])[:, :, 0]
    if way.kind.startswith("bcd"):
        return _digits(value.astype(np.uint32), 4 * way.width)
    if way.kind.startswith("float"):
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            return value.astype(np.float64)
    if way.kind == "text":
        return value
    return value.astype(np.uint64 if way.kind == "uint64" else np.int64)


def _digits(raw: NDArray[np.uint32], count: int) -> NDArray[np.int64]:
    """Binary coded decimals, -1 where a nibble is none."""
    out = np.zeros(raw.shape, np.int64)
    bad = np.zeros(raw.shape, bool)
    for place in range(count):
        nibble = raw >> np.uint32(4 * place) & np.uint32(0xF)
        bad |= nibble > 9  # noqa: PLR2004 - the highest decimal digit
        out += nibble.astype(np.int64) * 10**place
    out[bad] = -1
    return out
