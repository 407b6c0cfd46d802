"""Notifications and read results as columns: no object per value (docs/decisions/0004).

A MonitoredItemNotification is a client handle and a DataValue; a ReadResponse holds DataValues alone. A DataValue is
a mask byte, then Value, Status, SourceTimestamp, SourcePicoSeconds, ServerTimestamp and ServerPicoSeconds where the
mask says so (OPC 10000-6 §5.2.2.17). Mask and variant type give every numeric item a fixed size, so a run of equal
items is one NumPy view, and items that take turns are gathered by their positions. Values that are no scalars are
found and set apart as bytes (`RawColumns`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.columnar.columns import Columns, Part, RawColumns, joined, oldest_first
from connectors.opcua.columnar.layouts import Layout, gather, layout_of, objects, part_of, tail_columns, tail_of
from connectors.opcua.columnar.scalars import BAD_NO_DATA, LENGTH, LONG_BYTES, TEXT_IDS, text_at, variant_at
from connectors.opcua.columnar.shapes import Group, Shape, Shapes
from connectors.opcua.columnar.skip import Skipper
from pipelines.point import BAD, SEVERITY_MASK

__all__ = ["Columns", "RawColumns", "decode_array", "decode_data_change", "decode_items", "oldest_first"]

_SHORT_RUN: Final = 12
"""Items in a row from which a NumPy view is looked for."""
_SHAPES: Final = Shapes()


def decode_items(
    data: bytes, start: int, end: int, count: int, publish_ns: int, *, handles: bool
) -> tuple[list[Columns], int]:
    """Decode `count` items.

    Args:
        data: bytes that hold the items.
        start: position of the first item.
        end: position after the last byte that may be read.
        count: number of items.
        publish_ns: time for items without any, ns since 1970 UTC.
        handles: True for MonitoredItemNotifications, False for DataValues alone.

    Returns:
        (columns, one for each value dtype that occurs and one for values that are no scalars; position after the last
        item).

    Raises:
        ValueError: the bytes are cut off or malformed.
    """
    if count < 0 or count > end - start:
        raise ValueError(f"{count} items cannot be in {end - start} bytes")
    prefix = 4 if handles else 0
    octets = np.frombuffer(data, np.uint8)
    shape = _SHAPES.like(octets, prefix, start, end, count)
    if shape is None:
        items = _Items(data, start, end, count, prefix)
        while items.index < count:
            items.step()
        shape = items.shape(start)
        long = [one for one in items.long.values() if one.order]
        _SHAPES.keep(prefix, count, shape, whole=not long)
    else:
        long = []
    parts: dict[str, list[Part]] = {}
    for group in shape.groups:
        found = part_of(group.layout, group.order, group.items(data, octets, start), handles=handles)
        parts.setdefault(group.layout.kind, []).append(found)
    for several in long:
        parts.setdefault("raw" if several.raw else "object", []).append(several.part(octets, handles=handles))
    raw = parts.pop("raw", None)
    out = [joined(kind, found, publish_ns) for kind, found in parts.items()]
    if raw:
        out.append(joined("object", raw, publish_ns, RawColumns))
    return out, start + shape.size


@dataclass(slots=True)
class _Long:
    """Items of variable size with one mask: texts, or values left as they are."""

    mask: int
    raw: bool
    order: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    own: dict[int, int] = field(default_factory=dict)

    def part(self, octets: NDArray[np.uint8], *, handles: bool) -> Part:
        """The columns; null is bad, and so is what `own` says."""
        order = np.array(self.order, np.int64)
        tails = np.array(self.tails, np.int64)
        tail = tail_of(self.mask & 0x3E)
        nothing = np.zeros(len(order), np.int64)
        status, source, server = (
            tail_columns(gather(octets, tails, tail)) if tail.size else (nothing.astype(np.uint32), nothing, nothing)
        )
        handle = order
        if handles:
            handle = gather(octets, np.array(self.heads, np.int64), _HANDLE)["handle"].astype(np.int64)
        usable = status & SEVERITY_MASK != BAD
        for at, code in self.own.items():
            if usable[at]:
                status[at] = code
        value = objects(["" if one is None else one for one in self.values])
        return Part(order, handle, value, status, source, server)


_HANDLE: Final = Layout(np.dtype([("handle", "<u4")]), "", 0, 4)


class _Items:
    """Where decoding stands, and what was found so far by layout."""

    def __init__(self, data: bytes, at: int, end: int, count: int, prefix: int) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.count = count
        self.prefix = prefix
        self.index = 0
        self.runs: list[Group] = []
        self.singles: dict[int, tuple[Layout, list[int], list[int]]] = {}
        self.long: dict[tuple[int, bool], _Long] = {}

    def shape(self, start: int) -> Shape:
        """Where everything of a fixed size is, relative to `start`."""
        singles = [
            Group(layout, key >> 8, np.array(order, np.int64), at[0] - start, np.array(at, np.int64) - start)
            for key, (layout, order, at) in self.singles.items()
        ]
        for run in self.runs:
            run.first -= start
        return Shape(self.at - start, self.prefix, [*self.runs, *singles])

    def step(self) -> None:
        """Take a run of equal items, or one item."""
        data, at, end, prefix = self.data, self.at, self.end, self.prefix
        head = at + prefix
        if head + 2 > end and (head + 1 > end or data[head] & 0x01):
            raise ValueError("an item is cut off")
        mask = data[head]
        vtype = data[head + 1] if mask & 0x01 else 0
        key = mask << 8 | vtype
        found = self.singles.get(key)
        layout = layout_of(prefix, mask & 0x3F, vtype) if found is None else found[0]
        if layout is None:
            if vtype in TEXT_IDS:
                self._texts(mask, vtype)
            else:
                self._other(mask, vtype)
            return
        size = layout.size
        if at + size > end:
            raise ValueError("an item is cut off")
        ahead = head + (_SHORT_RUN - 1) * size
        if (
            self.count - self.index >= _SHORT_RUN
            and ahead + 2 <= end
            and data[ahead] == mask
            and (not mask & 0x01 or data[ahead + 1] == vtype)
        ):
            length = _run(data, at, min(self.count - self.index, (end - at) // size), layout, mask, vtype)
            if length >= _SHORT_RUN:
                order = np.arange(self.index, self.index + length, dtype=np.int64)
                self.runs.append(Group(layout, mask, order, at))
                self.index += length
                self.at += length * size
                return
        if found is None:
            found = self.singles[key] = (layout, [], [])
        found[1].append(self.index)
        found[2].append(at)
        self.index += 1
        self.at = at + size

    def _texts(self, mask: int, vtype: int) -> None:
        """Strings in a row, up to the first item of another mask or type, or a long one."""
        data, at, end, prefix = self.data, self.at, self.end, self.prefix
        found = self._several(mask, raw=False)
        order, heads, tails, values = found.order, found.heads, found.tails, found.values
        behind = tail_of(mask & 0x3E).size
        index = self.index
        while index < self.count:
            head = at + prefix
            if head + 6 > end or data[head] != mask or data[head + 1] != vtype:
                break
            (length,) = LENGTH.unpack_from(data, head + 2)
            if length > LONG_BYTES:
                break
            text, stop, own = text_at(data, head + 2, end, length)
            if stop + behind > end:
                raise ValueError("an item is cut off")
            if own:
                found.own[len(values)] = own
            order.append(index)
            heads.append(at)
            tails.append(stop)
            values.append(text)
            at = stop + behind
            index += 1
        if index == self.index:
            self._other(mask, vtype)
            return
        self.index, self.at = index, at

    def _other(self, mask: int, vtype: int) -> None:
        """One item that is neither of a fixed size nor a short String."""
        head = self.at + self.prefix
        known: tuple[str | bytes | None, int] | None
        known = None if vtype in TEXT_IDS else variant_at(self.data, head + 1, self.end)
        if known is None:
            skipper = Skipper(self.data, head + 1, self.end)
            skipper.variant()
            known = (self.data[head + 1 : skipper.at], skipper.at)
        value, stop = known
        found = self._several(mask, raw=isinstance(value, bytes))
        behind = tail_of(mask & 0x3E).size
        if stop + behind > self.end:
            raise ValueError("an item is cut off")
        if value is None:
            found.own[len(found.values)] = BAD_NO_DATA
        found.order.append(self.index)
        found.heads.append(self.at)
        found.tails.append(stop)
        found.values.append(value)
        self.index += 1
        self.at = stop + behind

    def _several(self, mask: int, *, raw: bool) -> _Long:
        found = self.long.get((mask, raw))
        if found is None:
            found = self.long[mask, raw] = _Long(mask, raw)
        return found


def _run(data: bytes, at: int, most: int, layout: Layout, mask: int, vtype: int) -> int:
    """How many items from `at` have this layout, looked at in pieces that grow."""
    step = 64
    length = 0
    while length < most:
        piece = np.frombuffer(data, layout.dtype, min(step, most - length), at + length * layout.size)
        other = piece["mask"] != mask
        if mask & 0x01:
            other |= piece["vtype"] != vtype
        first = int(other.argmax())
        if other[first]:
            return length + first
        length += len(piece)
        step *= 4
    return length


def decode_data_change(body: bytes, publish_ns: int) -> list[Columns]:
    """The monitored items of one DataChangeNotification body (OPC 10000-4 §7.25.2), without its extension header.

    Raises:
        ValueError: the bytes are cut off or malformed.
    """
    return decode_array(body, 0, len(body), publish_ns, handles=True)[0]


def decode_array(data: bytes, start: int, end: int, publish_ns: int, *, handles: bool) -> tuple[list[Columns], int]:
    """The same for a length-prefixed array that starts at `start`; a null array has no items.

    Raises:
        ValueError: the bytes are cut off or malformed.
    """
    if start + 4 > end:
        raise ValueError("an array is cut off")
    count = int.from_bytes(data[start : start + 4], "little", signed=True)
    if count <= 0:
        return [], start + 4
    return decode_items(data, start + 4, end, count, publish_ns, handles=handles)
