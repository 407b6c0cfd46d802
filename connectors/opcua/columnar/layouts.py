"""Items of a fixed size: where their columns are, and many of them taken out of a message at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.columnar.columns import Part
from connectors.opcua.columnar.scalars import BAD_NO_DATA, iso_of
from pipelines.point import BAD, SEVERITY_MASK

DATETIME: Final = 13
STATUS: Final = 19
KINDS: Final = {
    0: ("", "float64"),
    1: ("<u1", "bool"),
    2: ("<i1", "int64"),
    3: ("<u1", "int64"),
    4: ("<i2", "int64"),
    5: ("<u2", "int64"),
    6: ("<i4", "int64"),
    7: ("<u4", "int64"),
    8: ("<i8", "int64"),
    9: ("<u8", "uint64"),
    10: ("<f4", "float64"),
    11: ("<f8", "float64"),
    DATETIME: ("<i8", "object"),
    STATUS: ("<u4", "object"),
}
"""Built-in type id → (dtype on the wire, dtype of the scan); OPC 10000-6 §5.1.2."""
_TAIL: Final = (
    (0x02, "status", "<u4"),
    (0x04, "source", "<i8"),
    (0x10, "sp", "<u2"),
    (0x08, "server", "<i8"),
    (0x20, "vp", "<u2"),
)
"""What follows a value, by bit of the mask (OPC 10000-6 §5.2.2.17)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Bytes of a fixed size.

    Attributes:
        dtype: its fields; `mask` and `vtype` among them when it is a whole item.
        kind: dtype of the scan, empty for a tail.
        vtype: built-in type id, 0 = no value.
        size: bytes.
    """

    dtype: np.dtype[np.void]
    kind: str
    vtype: int
    size: int


@cache
def layout_of(prefix: int, mask: int, vtype: int) -> Layout | None:
    """The layout of an item, or None when its size is not fixed.

    Args:
        prefix: bytes of a client handle in front, 4 or 0.
        mask: encoding mask of the DataValue, without its two unused bits.
        vtype: first byte of the Variant, 0 when the mask says there is none.
    """
    if vtype not in KINDS:
        return None
    code, kind = KINDS[vtype]
    fields = [("handle", "<u4")] if prefix else []
    fields.append(("mask", "<u1"))
    if mask & 0x01:
        fields.append(("vtype", "<u1"))
        if code:
            fields.append(("value", code))
    dtype = np.dtype(fields + [(name, numpy) for bit, name, numpy in _TAIL if mask & bit])
    return Layout(dtype, kind, vtype if mask & 0x01 else 0, dtype.itemsize)


@cache
def tail_of(mask: int) -> Layout:
    """What follows the value of an item with this mask."""
    dtype = np.dtype([(name, numpy) for bit, name, numpy in _TAIL if mask & bit])
    return Layout(dtype, "", 0, dtype.itemsize)


def gather(octets: NDArray[np.uint8], at: NDArray[np.int64], layout: Layout) -> NDArray[np.void]:
    """The items that start at `at`, shape (n,).

    Args:
        octets: the message.
        at: positions, each with `layout.size` bytes behind it.
        layout: their layout.
    """
    rows = octets[at[:, None] + np.arange(layout.size)]
    out: NDArray[np.void] = rows.view(layout.dtype)[:, 0]
    return out


def part_of(layout: Layout, order: NDArray[np.int64], items: NDArray[np.void], *, handles: bool) -> Part:
    """Items of one layout as columns.

    Args:
        layout: their layout.
        order: place of each in its message, shape (n,).
        items: their bytes, shape (n,).
        handles: whether they have a client handle; else their place stands for it.
    """
    tail = tail_columns(items)
    value = items["value"] if "value" in (layout.dtype.names or ()) else np.zeros(len(items), np.int64)
    status = tail[0]
    if layout.vtype == 0:
        status = status.copy()
        status[status & SEVERITY_MASK != BAD] = BAD_NO_DATA
    return Part(
        order, items["handle"].astype(np.int64) if handles else order, _values(layout, value), status, *tail[1:]
    )


def tail_columns(items: NDArray[np.void]) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Status, source and server ticks of items, 0 where there is none."""
    names = items.dtype.names or ()
    nothing = np.zeros(len(items), np.int64)
    return (
        items["status"].astype(np.uint32) if "status" in names else nothing.astype(np.uint32),
        items["source"].astype(np.int64) if "source" in names else nothing,
        items["server"].astype(np.int64) if "server" in names else nothing,
    )


def objects(values: Sequence[Any]) -> NDArray[Any]:
    """Any values as an object array, shape (n,)."""
    out: NDArray[Any] = np.empty(len(values), object)
    out[:] = values
    return out


def texts_of(vtype: int, raw: NDArray[Any]) -> NDArray[Any]:
    """DateTimes as ISO 8601, StatusCodes as hexadecimal, shape (n,)."""
    if vtype == DATETIME:
        return objects([iso_of(ticks) for ticks in raw.tolist()])
    return objects([f"0x{code:08X}" for code in raw.tolist()])


def _values(layout: Layout, raw: NDArray[Any]) -> NDArray[Any]:
    if layout.vtype == 0:
        return np.full(len(raw), np.nan)
    if layout.kind == "bool":
        return raw.astype(np.bool_)
    if layout.kind == "object":
        return texts_of(layout.vtype, raw)
    return raw.astype(layout.kind)
