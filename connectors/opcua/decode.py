"""Notifications and read results as columns: no object per value (docs/decisions/0004).

A MonitoredItemNotification is a client handle and a DataValue; a ReadResponse holds DataValues alone. A DataValue is
a mask byte, then Value, Status, SourceTimestamp, SourcePicoSeconds, ServerTimestamp and ServerPicoSeconds where the
mask says so (OPC 10000-6 §5.2.2.17). Mask and variant type give every numeric item a fixed size, so a run of equal
items is one NumPy view; short runs go through one compiled struct per layout.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.scalars import BAD_NO_DATA, EPOCH_TICKS, LIMIT_TICKS, iso_of, text_at, variant_at
from pipelines.point import BAD, SEVERITY_MASK, Scan

_SHORT_RUN: Final = 12
"""Items in a row from which a NumPy view is cheaper than a struct each."""
_DATETIME: Final = 13
_STATUS: Final = 19
_TEXTS: Final = (12, 16)
"""String and XmlElement are both UTF-8 behind a length (OPC 10000-6 §5.2.2.8)."""
_KINDS: Final = {
    0: ("", "float64"),
    1: ("B", "bool"),
    2: ("b", "int64"),
    3: ("B", "int64"),
    4: ("h", "int64"),
    5: ("H", "int64"),
    6: ("i", "int64"),
    7: ("I", "int64"),
    8: ("q", "int64"),
    9: ("Q", "uint64"),
    10: ("f", "float64"),
    11: ("d", "float64"),
    _DATETIME: ("q", "object"),
    _STATUS: ("I", "object"),
}
"""Built-in type id → (struct code, dtype of the scan); OPC 10000-6 §5.1.2."""
_NUMPY: Final = {"b": "<i1", "B": "<u1", "h": "<i2", "H": "<u2", "i": "<i4", "I": "<u4", "q": "<i8", "Q": "<u8"} | {
    "f": "<f4",
    "d": "<f8",
}
_TAIL: Final = (
    (0x02, "status", "I"),
    (0x04, "source", "q"),
    (0x10, "sp", "H"),
    (0x08, "server", "q"),
    (0x20, "vp", "H"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Decoded items of one value dtype, in the order they were sent.

    Attributes:
        handle: client handle, or position in the request for read results, int64, shape (n,).
        time_ns: source time, else server time, else publish time, ns since 1970 UTC, int64, shape (n,).
        value: one of `pipelines.point.VALUE_DTYPES`, shape (n,).
        status: StatusCode, uint32, shape (n,).
        timed: whether the server gave a usable source or server time, bool, shape (n,).
    """

    handle: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    value: NDArray[Any]
    status: NDArray[np.uint32]
    timed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Layout:
    """One fixed-size item: its struct, its NumPy dtype and where its columns are in the struct's tuple."""

    packed: struct.Struct
    dtype: np.dtype[np.void]
    kind: str
    vtype: int
    columns: dict[str, int]


@cache
def _layout(prefix: int, mask: int, vtype: int) -> _Layout | None:
    """The layout of an item, or None when its size is not fixed."""
    if vtype not in _KINDS:
        return None
    code, kind = _KINDS[vtype]
    fields = [("handle", "<u4", "I")] if prefix else []
    fields.append(("mask", "<u1", "B"))
    if mask & 0x01:
        fields.append(("vtype", "<u1", "B"))
        if code:
            fields.append(("value", _NUMPY[code], code))
    fields += [(name, _NUMPY[letter], letter) for bit, name, letter in _TAIL if mask & bit]
    return _Layout(
        struct.Struct("<" + "".join(letter for *_, letter in fields)),
        np.dtype([(name, numpy) for name, numpy, _ in fields]),
        kind,
        vtype if mask & 0x01 else 0,
        {name: index for index, (name, *_) in enumerate(fields)},
    )


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
        (columns, one for each value dtype that occurs; position after the last item).

    Raises:
        ValueError: the bytes are cut off or malformed.
    """
    if count < 0 or count > end - start:
        raise ValueError(f"{count} items cannot be in {end - start} bytes")
    items = _Items(data, start, end, count, 4 if handles else 0)
    while items.index < count:
        items.step()
    parts: dict[str, list[_Part]] = {}
    for layout, first, run in items.runs:
        parts.setdefault(layout.kind, []).append(_from_run(layout, first, run, handles=handles))
    for layout, order, rows in items.singles.values():
        parts.setdefault(layout.kind, []).append(_from_rows(layout, order, rows, handles=handles))
    if items.texts:
        parts.setdefault("object", []).append(_from_texts(items.texts, handles=handles))
    return [_joined(kind, found, publish_ns) for kind, found in parts.items()], items.at


class _Items:
    """Where decoding stands, and what was found so far by layout."""

    def __init__(self, data: bytes, at: int, end: int, count: int, prefix: int) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.count = count
        self.prefix = prefix
        self.index = 0
        self.runs: list[tuple[_Layout, int, NDArray[np.void]]] = []
        self.singles: dict[int, tuple[_Layout, list[int], list[tuple[Any, ...]]]] = {}
        self.texts: list[tuple[int, int, str | None, int, int, int]] = []

    def step(self) -> None:
        """Take a run of equal items, or the single items up to where one may start."""
        data, at, end, prefix = self.data, self.at, self.end, self.prefix
        if at + prefix + 2 > end and (at + prefix + 1 > end or data[at + prefix] & 0x01):
            raise ValueError("an item is cut off")
        mask = data[at + prefix]
        vtype = data[at + prefix + 1] if mask & 0x01 else 0
        layout = _layout(prefix, mask & 0x3F, vtype)
        if layout is None:
            row, self.at = _text_item(data, at, end, prefix, mask, vtype)
            self.texts.append((self.index, *row))
            self.index += 1
            return
        size = layout.packed.size
        if at + size > end:
            raise ValueError("an item is cut off")
        ahead = at + (_SHORT_RUN - 1) * size + prefix
        if self.count - self.index >= _SHORT_RUN and data[ahead : ahead + 2] == data[at + prefix : at + prefix + 2]:
            run = _run(data, at, min(self.count - self.index, (end - at) // size), layout, mask, vtype)
            if len(run) >= _SHORT_RUN:
                self.runs.append((layout, self.index, run))
                self.index += len(run)
                self.at += len(run) * size
                return
        key = (mask & 0x3F) << 8 | vtype
        found = self.singles.get(key)
        if found is None:
            found = self.singles[key] = (layout, [], [])
        found[1].append(self.index)
        found[2].append(layout.packed.unpack_from(data, at))
        self.index += 1
        self.at = at + size


def _run(data: bytes, at: int, most: int, layout: _Layout, mask: int, vtype: int) -> NDArray[np.void]:
    """The items from `at` that have this layout, looked at in pieces that double."""
    step = 64
    length = 0
    size = layout.packed.size
    while length < most:
        piece = np.frombuffer(data, layout.dtype, min(step, most - length), at + length * size)
        other = piece["mask"] != mask
        if mask & 0x01:
            other |= piece["vtype"] != vtype
        first = int(other.argmax())
        if other[first]:
            length += first
            break
        length += len(piece)
        step *= 4
    return np.frombuffer(data, layout.dtype, length, at)


def _text_item(
    data: bytes, at: int, end: int, prefix: int, mask: int, vtype: int
) -> tuple[tuple[int, str | None, int, int, int], int]:
    """One item of variable size: ((handle, text, status, source ticks, server ticks), position after it)."""
    handle = int.from_bytes(data[at : at + prefix], "little")
    at += prefix + 1
    if vtype in _TEXTS:
        text, at, own = text_at(data, at + 1, end)
    else:
        text, at, own = variant_at(data, at, end)
    tail = _tail(mask & 0x3E)
    if at + tail.size > end:
        raise ValueError("an item is cut off")
    found = dict(zip((name for bit, name, _ in _TAIL if mask & bit), tail.unpack_from(data, at), strict=True))
    status = found.get("status", 0)
    if own and not status & 0x8000_0000:
        status = own
    return (handle, text, status, found.get("source", 0), found.get("server", 0)), at + tail.size


@cache
def _tail(mask: int) -> struct.Struct:
    return struct.Struct("<" + "".join(letter for bit, _, letter in _TAIL if mask & bit))


@dataclass(frozen=True, slots=True)
class _Part:
    """Columns of one layout before they are joined; `source` and `server` are ticks, 0 = none."""

    order: NDArray[np.int64]
    handle: NDArray[np.int64]
    value: NDArray[Any]
    status: NDArray[np.uint32]
    source: NDArray[np.int64]
    server: NDArray[np.int64]


def _from_run(layout: _Layout, first: int, run: NDArray[np.void], *, handles: bool) -> _Part:
    names = layout.columns
    order = np.arange(first, first + len(run), dtype=np.int64)
    nothing = np.zeros(len(run), np.int64)
    return _Part(
        order,
        run["handle"].astype(np.int64) if handles else order,
        _values(layout, run["value"] if "value" in names else nothing),
        _status(layout, run["status"].astype(np.uint32) if "status" in names else nothing.astype(np.uint32)),
        run["source"].astype(np.int64) if "source" in names else nothing,
        run["server"].astype(np.int64) if "server" in names else nothing,
    )


def _from_rows(layout: _Layout, order: list[int], rows: list[tuple[Any, ...]], *, handles: bool) -> _Part:
    names = layout.columns
    columns = list(zip(*rows, strict=True))
    where = np.array(order, np.int64)
    nothing = np.zeros(len(rows), np.int64)

    def column(name: str, dtype: Any) -> NDArray[Any]:
        return np.array(columns[names[name]], dtype) if name in names else nothing.astype(dtype)

    code = _KINDS[layout.vtype][0]
    return _Part(
        where,
        column("handle", np.int64) if handles else where,
        _values(layout, column("value", _NUMPY[code] if code else np.int64)),
        _status(layout, column("status", np.uint32)),
        column("source", np.int64),
        column("server", np.int64),
    )


def _from_texts(texts: list[tuple[int, int, str | None, int, int, int]], *, handles: bool) -> _Part:
    order, handle, text, status, source, server = zip(*texts, strict=True)
    value = np.array([one or "" for one in text] + [None], object)[:-1]
    states = np.array(status, np.uint32)
    null = np.array([one is None for one in text])
    states[null & (states & SEVERITY_MASK != BAD)] = BAD_NO_DATA
    return _Part(
        np.array(order, np.int64),
        np.array(handle if handles else order, np.int64),
        value,
        states,
        np.array(source, np.int64),
        np.array(server, np.int64),
    )


def _values(layout: _Layout, raw: NDArray[Any]) -> NDArray[Any]:
    if layout.vtype == 0:
        return np.full(len(raw), np.nan)
    if layout.kind == "bool":
        return raw.astype(np.bool_)
    if layout.vtype == _DATETIME:
        return _objects([iso_of(ticks) for ticks in raw.tolist()])
    if layout.vtype == _STATUS:
        return _objects([f"0x{code:08X}" for code in raw.tolist()])
    return raw.astype(layout.kind)


def _objects(texts: list[str]) -> NDArray[Any]:
    out: NDArray[Any] = np.empty(len(texts), object)
    out[:] = texts
    return out


def _status(layout: _Layout, status: NDArray[np.uint32]) -> NDArray[np.uint32]:
    if layout.vtype == 0:
        status = status.copy()
        status[status & SEVERITY_MASK != BAD] = BAD_NO_DATA
    return status


def _joined(kind: str, parts: list[_Part], publish_ns: int) -> Columns:
    if len(parts) == 1:
        part = parts[0]
    else:
        order = np.concatenate([p.order for p in parts])
        by = np.argsort(order)
        part = _Part(
            order[by],
            np.concatenate([p.handle for p in parts])[by],
            np.concatenate([p.value for p in parts])[by],
            np.concatenate([p.status for p in parts])[by],
            np.concatenate([p.source for p in parts])[by],
            np.concatenate([p.server for p in parts])[by],
        )
    source = part.source - EPOCH_TICKS
    server = part.server - EPOCH_TICKS
    has_source = (part.source > 0) & (source < LIMIT_TICKS) & (source > -LIMIT_TICKS)
    has_server = (part.server > 0) & (server < LIMIT_TICKS) & (server > -LIMIT_TICKS)
    ticks = np.where(has_source, source, np.where(has_server, server, 0))
    timed = has_source | has_server
    time_ns = np.where(timed, ticks * 100, np.int64(publish_ns))
    value = part.value if part.value.dtype.name == kind else part.value.astype(kind)
    return Columns(part.handle, time_ns, value, part.status, timed)


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


def oldest_first(scan: Scan) -> Scan:
    """The readings by time, unless a tag's own clock ran backwards: then in the order they were sent."""
    if not len(scan) or (np.diff(scan.time_ns) >= 0).all():
        return scan
    order = np.argsort(scan.time_ns, kind="stable")
    by_tag = order[np.argsort(scan.tag[order], kind="stable")]
    tag = scan.tag[by_tag]
    backwards = (tag[1:] == tag[:-1]) & (by_tag[1:] < by_tag[:-1])
    return scan if backwards.any() else scan.take(order)
