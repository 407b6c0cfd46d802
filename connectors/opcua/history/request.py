"""HistoryRead of raw values on the wire (OPC 10000-4 §5.11.3, OPC 10000-11 §6.5.3): request bytes, result columns."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua.ua.ua_binary import nodeid_from_binary, nodeid_to_binary

from connectors.opcua.columnar.scalars import BROKEN, EPOCH_TICKS
from connectors.opcua.columnar.skip import CheckedBuffer
from connectors.opcua.decode import decode_array
from connectors.opcua.library import NodeId, ua

REQUEST: Final = nodeid_to_binary(ua.FourByteNodeId(ua.ObjectIds.HistoryReadRequest_Encoding_DefaultBinary))
_DETAILS: Final = nodeid_to_binary(ua.FourByteNodeId(ua.ObjectIds.ReadRawModifiedDetails_Encoding_DefaultBinary))
_DATA: Final = (
    ua.ObjectIds.HistoryData_Encoding_DefaultBinary,
    ua.ObjectIds.HistoryModifiedData_Encoding_DefaultBinary,
)
_RAW: Final = struct.Struct("<?qqI?")
_BOTH: Final = 2
"""TimestampsToReturn.Both: a value without a source time can still be told from one with it."""
_NULL: Final = b"\xff\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one node.

    Attributes:
        status: StatusCode.
        continuation: where the server goes on; empty = nothing more.
        columns: values; `Columns.handle` is the position in this result.
    """

    status: int
    continuation: bytes
    columns: list[Any]


def ticks_of(time_ns: int) -> int:
    """100 ns since 1601 of a time in ns since 1970 UTC, rounded down."""
    return time_ns // 100 + EPOCH_TICKS


def raw_body(
    nodes: Sequence[tuple[NodeId, bytes]], start_ns: int, end_ns: int, most: int, *, release: bool = False
) -> bytes:
    """The body of a HistoryReadRequest for raw values from `start_ns` to before `end_ns`, oldest first.

    Args:
        nodes: node and continuation point of each, empty for a first request.
        start_ns: ns since 1970 UTC.
        end_ns: the same.
        most: most values of one node in the answer.
        release: give the continuation points back instead of reading.
    """
    details = _RAW.pack(False, ticks_of(start_ns), ticks_of(end_ns), most, False)  # noqa: FBT003 (not modified, no bounds)
    head = _DETAILS + b"\x01" + struct.pack("<i", len(details)) + details
    body = head + struct.pack("<i?i", _BOTH, release, len(nodes))
    for node, continuation in nodes:
        point = struct.pack("<i", len(continuation)) + continuation if continuation else _NULL
        body += nodeid_to_binary(node) + _NULL + b"\x00\x00" + _NULL + point
    return body


def results(raw: bytes, at: int, now_ns: int) -> list[Result]:
    """Decode the parameters of a HistoryReadResponse that start at `at`.

    Raises:
        ValueError: they are malformed.
    """
    buffer = CheckedBuffer(raw, at, len(raw) - at)
    try:
        count = int.from_bytes(buffer.read(4), "little", signed=True)
        if count > len(raw):
            raise ValueError(f"{count} results cannot be in {len(raw)} bytes")
        return [_result(raw, buffer, now_ns) for _ in range(max(count, 0))]
    except BROKEN as error:
        raise ValueError(f"a history result is malformed: {error}") from error


def _result(raw: bytes, buffer: CheckedBuffer, now_ns: int) -> Result:
    status = int.from_bytes(buffer.read(4), "little")
    length = int.from_bytes(buffer.read(4), "little", signed=True)
    continuation = buffer.read(length) if length > 0 else b""
    kind = nodeid_from_binary(buffer)
    columns: list[Any] = []
    if buffer.read(1)[0]:
        length = int.from_bytes(buffer.read(4), "little", signed=True)
        start = int(buffer.cur_pos)
        buffer.skip(max(length, 0))
        if kind.NamespaceIndex == 0 and kind.Identifier in _DATA and length > 0:
            columns = decode_array(raw, start, int(buffer.cur_pos), now_ns, handles=False)[0]
    return Result(status, continuation, columns)
