"""Publish, Republish and Read on the wire: requests sent as bytes, responses decoded to columns.

asyncua carries the secure channel and the session; these three services pass it by on the hot path, so that nothing
of asyncua has to be replaced (docs/decisions/0004). asyncua is pinned to the digit because of `Wire.send`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import (
    nodeid_from_binary,
    nodeid_to_binary,
    struct_from_binary,
    struct_to_binary,
)

from connectors.opcua.columnar.scalars import BROKEN, EPOCH_TICKS, LIMIT_TICKS
from connectors.opcua.columnar.skip import CheckedBuffer, Skipper
from connectors.opcua.decode import Columns, decode_array
from connectors.opcua.events.fields import EventFields, event_list
from connectors.opcua.library import NodeId, ua

_FAULT: Final = ua.NodeId(ua.ObjectIds.ServiceFault_Encoding_DefaultBinary)
_DATA_CHANGE: Final = ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary
_EVENTS: Final = ua.ObjectIds.EventNotificationList_Encoding_DefaultBinary
_STATUS_CHANGE: Final = ua.ObjectIds.StatusChangeNotification_Encoding_DefaultBinary
_PUBLISH: Final = nodeid_to_binary(ua.FourByteNodeId(ua.ObjectIds.PublishRequest_Encoding_DefaultBinary))
_REPUBLISH: Final = nodeid_to_binary(ua.FourByteNodeId(ua.ObjectIds.RepublishRequest_Encoding_DefaultBinary))
_READ: Final = nodeid_to_binary(ua.FourByteNodeId(ua.ObjectIds.ReadRequest_Encoding_DefaultBinary))
_NOT_KEPT: Final = frozenset(
    getattr(ua.StatusCodes, name)
    for name in (
        "BadMessageNotAvailable",
        "BadSequenceNumberUnknown",
        "BadServiceUnsupported",
        "BadNotImplemented",
        "BadNotSupported",
    )
)
"""Answers to a Republish after which a message is lost; small servers do not have the service at all."""
_RESULT: Final = 12
"""Bytes of a ResponseHeader in front of its ServiceResult (OPC 10000-4 §7.33)."""
_HEAD: Final = struct.Struct("<IqI")
_VALUE: Final = int(ua.AttributeIds.Value)
_LONGEST_OBJECTS: Final = 16 * 1024 * 1024
"""Bytes of a ReadResponse that asyncua may make objects of, each a hundred times as large."""
_BOTH: Final = 2
"""TimestampsToReturn.Both (OPC 10000-4 §7.40)."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One NotificationMessage (OPC 10000-4 §7.26).

    Attributes:
        sequence: its sequence number; of a keep-alive, the number the next message will have.
        publish_ns: when the server sent it, ns since 1970 UTC; our time where it does not say.
        columns: data changes.
        statuses: codes of StatusChangeNotifications.
        keepalive: whether it holds nothing.
        events: fields of events, in the order they were sent.
        device_ns: the server's clock when it answered, or when it made this; None = it does not say.
        bodies: where the data changes lie, as they came: (bytes, start, end).
    """

    sequence: int
    publish_ns: int
    columns: list[Columns] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    keepalive: bool = False
    events: list[EventFields] = field(default_factory=list)
    device_ns: int | None = None
    bodies: list[tuple[bytes, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Published:
    """One PublishResponse: which subscription, what can be republished, and the message."""

    subscription: int
    available: tuple[int, ...]
    message: Notification


class Wire:
    """Sends requests whose body is already encoded; the asyncua `client` is connected.

    Attributes:
        device_time_ns: the server's clock when it answered the newest Read, ns since 1970 UTC; None = it did not say.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.device_time_ns: int | None = None

    def send(self, type_id: bytes, body: bytes, timeout_s: float = 0) -> asyncio.Future[Buffer]:
        """Send now; the future is the response, or a ConnectionError when the connection ends.

        Raises:
            ConnectionError: it has ended.
        """
        protocol = self._client.uaclient.protocol
        if protocol is None or protocol.transport is None:
            raise ConnectionError("the connection is closed")
        header = ua.RequestHeader()
        protocol._setup_request_header(header, timeout_s)  # noqa: SLF001 (the digit-pinned way past asyncua's objects)
        protocol.revolve_security_token()
        number = protocol._request_id + 1  # noqa: SLF001
        message = protocol._connection.message_to_binary(  # noqa: SLF001
            type_id + struct_to_binary(header) + body, message_type=ua.MessageType.SecureMessage, request_id=number
        )
        protocol._request_id = number  # noqa: SLF001
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        protocol._callbackmap[number] = future  # noqa: SLF001
        protocol.transport.write(message)
        return future

    def publish(self, acknowledge: Iterable[tuple[int, int]]) -> asyncio.Future[Buffer]:
        """Send a PublishRequest that acknowledges these (subscription id, sequence number)."""
        numbers = list(acknowledge)
        body = struct.pack("<i", len(numbers)) + b"".join(struct.pack("<II", *one) for one in numbers)
        return self.send(_PUBLISH, body)

    async def republish(
        self, subscription: int, sequence: int, timeout_s: float, fallback_ns: int
    ) -> Notification | None:
        """Ask for a message again; None when the server no longer has it, or never keeps any.

        Raises:
            TimeoutError, ConnectionError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        async with asyncio.timeout(timeout_s):
            data = await self.send(_REPUBLISH, struct.pack("<II", subscription, sequence), timeout_s)
        try:
            raw, at = checked(data)
        except ua.UaStatusCodeError as error:
            if error.code not in _NOT_KEPT:
                raise
            return None
        message, _ = _message(raw, at, fallback_ns)
        # asyncua's server answers with an empty message, number 0, instead of BadMessageNotAvailable
        return message if message.sequence == sequence and not message.keepalive else None

    async def read(
        self, body: bytes, timeout_s: float, now_ns: int, heard: Callable[[bytes, int], None] | None = None
    ) -> list[Columns]:
        """Send a Read made by `read_body`; `Columns.handle` is the position in it.

        Args:
            body: of the request.
            timeout_s: longest wait, seconds.
            now_ns: time for values without any, ns since 1970 UTC.
            heard: is given the bytes of the response and where its values begin.

        Raises:
            TimeoutError, ConnectionError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        async with asyncio.timeout(timeout_s):
            data = await self.send(_READ, body, timeout_s)
        raw, at = checked(data)
        self.device_time_ns = _sent_ns(raw)
        if heard is not None:
            heard(raw, at)
        return decode_array(raw, at, len(raw), now_ns, handles=False)[0]

    async def read_objects(self, nodes: Sequence[NodeId], attribute: int, timeout_s: float) -> list[Any]:
        """One attribute of several nodes as asyncua's DataValues: for what is asked now and then.

        Raises:
            TimeoutError, ConnectionError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        async with asyncio.timeout(timeout_s):
            data = await self.send(_READ, read_body(nodes, attribute), timeout_s)
        raw, at = checked(data)
        if len(raw) > _LONGEST_OBJECTS:
            raise ValueError(f"a read answers with {len(raw)} bytes")
        Skipper(raw, at, len(raw)).data_values()
        buffer = CheckedBuffer(raw, at)
        try:
            found = [struct_from_binary(ua.DataValue, buffer) for _ in range(_count(buffer))]
        except BROKEN as error:
            raise ValueError(f"a read response is malformed: {error}") from error
        if len(found) != len(nodes):
            raise ValueError("a read answers for another number of nodes")
        return found


def _count(buffer: CheckedBuffer) -> int:
    return int.from_bytes(buffer.read(4), "little", signed=True)


def read_body(nodes: Sequence[NodeId], attribute: int = _VALUE) -> bytes:
    """The body of a ReadRequest for one attribute of `nodes`, with both timestamps, never from a cache (max age 0)."""
    rest = struct.pack("<I", attribute) + b"\xff\xff\xff\xff" + b"\x00\x00" + b"\xff\xff\xff\xff"
    return struct.pack("<dii", 0.0, _BOTH, len(nodes)) + b"".join(nodeid_to_binary(node) + rest for node in nodes)


def published(data: Buffer, fallback_ns: int) -> Published:
    """Decode a PublishResponse.

    Raises:
        ua.UaStatusCodeError: the service result is bad.
        ValueError: it is malformed.
    """
    raw, at = checked(data)
    try:
        (subscription, count) = struct.unpack_from("<Ii", raw, at)
        if count * 4 > len(raw):
            raise ValueError("sequence numbers are cut off")
        available = struct.unpack_from(f"<{max(count, 0)}I", raw, at + 8)
    except struct.error as error:
        raise ValueError(f"a publish response is cut off: {error}") from error
    message, _ = _message(raw, at + 8 + 4 * len(available) + 1, fallback_ns)
    return Published(subscription, available, message)


def checked(data: Buffer) -> tuple[bytes, int]:
    """The bytes of a response and where its parameters start."""
    raw = bytes(data)
    buffer = CheckedBuffer(raw)
    try:
        fault = nodeid_from_binary(buffer) == _FAULT
        buffer.skip(_RESULT)
        code = int.from_bytes(buffer.read(4), "little")
    except BROKEN as error:
        raise ValueError(f"a response header is malformed: {error}") from error
    skipper = Skipper(raw, buffer.cur_pos, len(raw))
    skipper.rest_of_header()
    ua.StatusCode(code).check()
    if fault:
        raise ValueError("a service fault with a good status")
    return raw, skipper.at


def _sent_ns(raw: bytes) -> int | None:
    """ResponseHeader.Timestamp, the first field behind a four-byte node id (OPC 10000-4 §7.33)."""
    return _known_ns(int.from_bytes(raw[4:12], "little", signed=True) if raw[:1] == b"\x01" else 0)


def _known_ns(ticks: int) -> int | None:
    """A DateTime as ns since 1970 UTC; None when it is empty or none that fits."""
    since_1970 = ticks - EPOCH_TICKS
    return since_1970 * 100 if ticks > 0 and abs(since_1970) < LIMIT_TICKS else None


def _message(raw: bytes, at: int, fallback_ns: int) -> tuple[Notification, int]:
    if at + _HEAD.size > len(raw):
        raise ValueError("a notification message is cut off")
    sequence, ticks, count = _HEAD.unpack_from(raw, at)
    at += _HEAD.size
    made_ns, sent_ns = _known_ns(ticks), _sent_ns(raw)  # node-opcua leaves the first one empty
    device_ns = made_ns if sent_ns is None else sent_ns
    publish_ns = next(one for one in (made_ns, sent_ns, fallback_ns) if one is not None)
    if count in {0, 0xFFFF_FFFF}:
        return Notification(sequence, publish_ns, keepalive=True, device_ns=device_ns), at
    message = Notification(sequence, publish_ns, device_ns=device_ns)
    if count > len(raw):
        raise ValueError(f"{count} notifications cannot be in {len(raw)} bytes")
    for _ in range(count):
        at = _notification(raw, at, message)
    return message, at


def _notification(raw: bytes, at: int, message: Notification) -> int:
    """One element of NotificationData into `message`; unknown ones are passed over by their length."""
    buffer = CheckedBuffer(raw, at, len(raw) - at)
    try:
        kind = nodeid_from_binary(buffer)
        if not buffer.read(1)[0]:
            return int(buffer.cur_pos)
        length = int.from_bytes(buffer.read(4), "little", signed=True)
        body = int(buffer.cur_pos)
        buffer.skip(max(length, 0))
    except BROKEN as error:
        raise ValueError(f"a notification is malformed: {error}") from error
    if kind.NamespaceIndex == 0 and kind.Identifier == _DATA_CHANGE:
        message.bodies.append((raw, body, buffer.cur_pos))
        message.columns.extend(decode_array(raw, body, buffer.cur_pos, message.publish_ns, handles=True)[0])
    elif kind.NamespaceIndex == 0 and kind.Identifier == _EVENTS:
        message.events.extend(event_list(raw, body, buffer.cur_pos))
    elif kind.NamespaceIndex == 0 and kind.Identifier == _STATUS_CHANGE:
        if length < 4:  # noqa: PLR2004 (a StatusCode)
            raise ValueError("a status change is cut off")
        message.statuses.append(int.from_bytes(raw[body : body + 4], "little"))
    return int(buffer.cur_pos)
