"""Response bytes to columns: one gather and a few casts per response, compiled once per request. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.modbus.special import steps_of
from connectors.modbus.tag import BIT_TABLES, LONG_ORDERS
from pipelines.point import BAD_DATA_ENCODING_UNSUPPORTED, GOOD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.plan import Request
    from connectors.modbus.special import Step
    from connectors.modbus.tag import ByteOrder, ModbusTag

    _Reader = Callable[[], tuple[NDArray[Any], NDArray[np.uint32] | None]]

_COLUMN: Final = {
    "int64": "int64", "int32": "int64", "uint32": "int64", "int16": "int64", "uint16": "int64",
    "bcd64": "int64", "bcd32": "int64", "bcd16": "int64", "uint64": "uint64",
    "float64": "float64", "float32": "float64", "float16": "float64", "bool": "bool", "string": "object",
}  # fmt: skip
"""Value dtype that a datatype is delivered as; datatypes of one column stand together."""
_RANK: Final = {name: rank for rank, name in enumerate(_COLUMN)}
_COLUMN_RANK: Final = {name: rank for rank, name in enumerate(dict.fromkeys(_COLUMN.values()))}
_WIRE: Final = {
    "int64": "<i8", "uint64": "<u8", "float64": "<f8", "int32": "<i4", "uint32": "<u4", "float32": "<f4",
    "int16": "<i2", "uint16": "<u2", "bool": "<u2", "float16": "<f2", "bcd16": "<u2", "bcd32": "<u4", "bcd64": "<i8",
}  # fmt: skip
"""Type of a value once its bytes ascend from the least significant."""
_NARROW: Final = {np.dtype(np.float16), np.dtype(np.float32)}
_ALIGN: Final = 8


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one dtype out of one response.

    Attributes:
        dtype: name of the value dtype.
        tag: index into the connection's tags, int32, shape (n,), read-only.
        value: int64, uint64, float64, bool or object (str), shape (n,).
        status: OPC UA StatusCode, uint32, shape (n,), read-only where all are Good.
    """

    dtype: str
    tag: NDArray[np.int32]
    value: NDArray[Any]
    status: NDArray[np.uint32]


class Decoder:
    """Decodes the data bytes of every response to one request.

    Not for concurrent use: the bytes pass through one scratch buffer.

    Attributes:
        size: bytes the data of a response has.
    """

    def __init__(self, connection: ModbusConnection, request: Request) -> None:
        self._bits = request.table in BIT_TABLES
        self.size = (request.count + 7) // 8 if self._bits else 2 * request.count
        tags = connection.tag_list()
        members = sorted(request.tags, key=lambda index: _rank(tags[index]))
        order: list[int] = []
        spans: dict[str, list[tuple[str, int, int]]] = {}
        for (name, datatype), part in groupby(members, key=lambda index: (_column(tags[index]), tags[index].datatype)):
            order += [0] * (-len(order) % _ALIGN)
            start = len(order)
            for index in part:
                offset = tags[index].address - request.address
                order += [offset] if self._bits else _gather(tags[index], offset, connection.byte_order)
            spans.setdefault(name, []).append((datatype, start, len(order)))
        extra = [at for index in members for at in _decimals(tags[index], request.address, connection.byte_order)]
        order += [0] * (-len(order) % _ALIGN) if extra else []
        decimals = len(order)
        order += extra
        self._order = np.array(order, np.intp)
        self._scratch = np.zeros(len(order), np.uint8)
        self._blank: list[Column] = []
        self._read: list[_Reader] = []
        for name, column in groupby(members, key=lambda index: _column(tags[index])):
            indexes = list(column)
            mine = [tags[index] for index in indexes]
            self._blank.append(_blank(name, indexes))
            places = self._scratch[decimals:].view("<u2") if extra and name == "float64" else None
            read, steps = self._reader(name, mine, spans[name]), steps_of(mine, places)
            self._read.append(_finished(read, steps) if steps else read)

    def decode(self, data: bytes) -> list[Column]:
        """Columns of the tags in `data`, the register or bit bytes of a response, exactly `size` long.

        Integers of 16, 32 and 64 bits but uint64 come as int64, those with `decimals_from` as float64. A string ends
        at its first NUL and keeps trailing spaces; one that is not valid in its encoding comes out empty with status
        BadDataEncodingUnsupported.
        """
        raw = np.frombuffer(data, np.uint8)
        if self._bits:
            raw = np.unpackbits(raw, bitorder="little")
        raw.take(self._order, out=self._scratch, mode="clip")
        columns = []
        for blank, read in zip(self._blank, self._read, strict=True):
            value, status = read()
            columns.append(Column(blank.dtype, blank.tag, value, blank.status if status is None else status))
        return columns

    def failed(self, status: int) -> list[Column]:
        """Columns that say `status` for every tag; their values mean nothing."""
        return [
            Column(blank.dtype, blank.tag, blank.value, np.full(len(blank.tag), status, np.uint32))
            for blank in self._blank
        ]

    def _reader(self, name: str, tags: list[ModbusTag], spans: list[tuple[str, int, int]]) -> _Reader:
        if name == "object":
            _, start, _ = spans[0]
            return _strings(self._scratch[start:], [(2 * tag.width(), tag.encoding or "utf-8") for tag in tags])
        if self._bits:
            flags = self._scratch.view(np.bool_)
            return lambda: (flags.copy(), None)
        views = [self._scratch[start:end].view(_WIRE[datatype]) for datatype, start, end in spans]
        if name == "bool":
            masks = np.array([0xFFFF if tag.bit is None else 1 << tag.bit for tag in tags], np.uint16)
            return lambda: ((views[0] & masks) != 0, None)
        return _numbers(np.dtype(name), views)


def _numbers(dtype: np.dtype[Any], views: list[NDArray[Any]]) -> _Reader:
    if len(views) == 1 and views[0].dtype not in _NARROW:
        only = views[0]
        return lambda: (only.astype(dtype), None)
    total = sum(map(len, views))
    starts = [sum(map(len, views[:i])) for i in range(len(views))]
    parts = [(slice(start, start + len(view)), view) for start, view in zip(starts, views, strict=True)]

    def read() -> tuple[NDArray[Any], None]:
        value = np.empty(total, dtype)
        for where, view in parts:
            value[where] = view
        return value, None

    def read_quietly() -> tuple[NDArray[Any], None]:
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            return read()

    return read_quietly if dtype == np.float64 else read


def _finished(read: _Reader, steps: list[Step]) -> _Reader:
    def finish() -> tuple[NDArray[Any], NDArray[np.uint32] | None]:
        value, status = read()
        status = np.full(len(value), GOOD, np.uint32) if status is None else status
        for step in steps:
            step(value, status)
        return value, status

    return finish


def _strings(scratch: NDArray[np.uint8], sizes: list[tuple[int, str]]) -> _Reader:
    def read() -> tuple[NDArray[Any], NDArray[np.uint32] | None]:
        data = scratch.tobytes()
        value = np.empty(len(sizes), object)
        status = None
        at = 0
        for i, (size, encoding) in enumerate(sizes):
            text = data[at : at + size].partition(b"\0")[0]
            at += size
            try:
                value[i] = text.decode(encoding)
            except UnicodeDecodeError:
                value[i] = ""
                if status is None:
                    status = np.full(len(sizes), GOOD, np.uint32)
                status[i] = BAD_DATA_ENCODING_UNSUPPORTED
        return value, status

    return read


def _column(tag: ModbusTag) -> str:
    """Value dtype a tag is delivered as."""
    return _COLUMN[tag.datatype] if tag.decimals_from is None else "float64"


def _rank(tag: ModbusTag) -> tuple[int, int]:
    return _COLUMN_RANK[_column(tag)], _RANK[tag.datatype]


def _gather(tag: ModbusTag, offset: int, default: ByteOrder) -> list[int]:
    """Where in the response the bytes of a value lie: least significant first, characters in reading order."""
    order = tag.byte_order or default
    if order in LONG_ORDERS:
        return [2 * offset + order.index(letter) for letter in "HGFEDCBA"]
    high, low = _bytes(order)
    words = [2 * (offset + word) for word in range(tag.width())]
    if tag.datatype == "string":
        return [word + byte for word in words for byte in (high, low)]
    if order in {"ABCD", "BADC"}:
        words.reverse()
    return [word + byte for word in words for byte in (low, high)]


def _decimals(tag: ModbusTag, first: int, default: ByteOrder) -> list[int]:
    """Where in the response from address `first` on the register that `decimals_from` names lies."""
    if tag.decimals_from is None:
        return []
    high, low = _bytes(tag.byte_order or default)
    return [2 * (tag.decimals_from - first) + byte for byte in (low, high)]


def _bytes(order: ByteOrder) -> tuple[int, int]:
    """Where in a word the high and the low byte lie."""
    return (1, 0) if order in {"BADC", "DCBA"} else (0, 1)


def _blank(name: str, indexes: list[int]) -> Column:
    tag = np.array(indexes, np.int32)
    value = np.full(len(indexes), "" if name == "object" else 0, name)
    status = np.full(len(indexes), GOOD, np.uint32)
    for array in (tag, value, status):
        array.flags.writeable = False
    return Column(name, tag, value, status)
