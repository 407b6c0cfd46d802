"""The socket under asyncua's secure channel: frames of a sane size, answers that cannot be read backwards.

asyncua believes a frame's length of up to 4 GiB and copies everything that came with each piece; it takes the server's
limits for receiving as its own, waits for ever for an answer the server aborted, and follows negative lengths. Each of
these would let a broken server fill the memory or stop the agent (docs/decisions/0017).
"""

from __future__ import annotations

import asyncio
import struct
from functools import partial
from typing import Any, Final

from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.connection import MessageChunk, SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, uatcp_to_binary

from connectors.opcua.columnar.skip import CheckedBuffer
from connectors.opcua.library import ua

MOST_CHUNK_BYTES: Final = 262_144
"""Longest frame, announced in Hello (OPC 10000-6 §7.1.2.3)."""
MOST_SENT_BYTES: Final = 65_535
"""Longest frame that is sent."""
MOST_CHUNKS: Final = 8_192
MOST_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Longest message, announced in Hello; a server answers `BadResponseTooLarge` instead of a longer one."""
_LEAST_BYTES: Final = 1024
_HEADER: Final = struct.Struct("<3scI")
_KINDS: Final = {b"MSG", b"OPN", b"CLO", b"ACK", b"ERR"}


class _Message(ua.Message):  # type: ignore[misc]
    """A whole message whose body refuses negative lengths."""

    def body(self) -> Buffer:
        """Everything behind the sequence headers."""
        return CheckedBuffer(b"".join([chunk.Body for chunk in self._chunks]))

    def opens_channel(self) -> bool:
        """Whether it is the answer to OpenSecureChannel."""
        return bool(self._chunks[0].MessageHeader.MessageType == ua.MessageType.SecureOpen)


class _Connection(SecureConnection):
    """asyncua's secure channel; an aborted answer is told to whoever waits for it."""

    aborted: Any = None

    def _receive(self, msg: MessageChunk) -> Any:
        if msg.MessageHeader.ChunkType == ua.ChunkType.Abort:
            self._check_incoming_chunk(msg)
            self._drop_incoming_parts()
            code = int.from_bytes(msg.Body[:4], "little")
            self.aborted(msg.SequenceHeader.RequestId, code)
            return None
        whole = super()._receive(msg)
        return whole if whole is None else _Message(whole._chunks)  # noqa: SLF001


class Channel(UASocketProtocol):
    """asyncua's protocol with a framing of its own.

    Args:
        timeout: deadline of asyncua's own requests, seconds.
        security_policy: asyncua's policy object.
    """

    def __init__(self, timeout: float, security_policy: Any) -> None:
        limits = TransportLimits(MOST_CHUNK_BYTES, MOST_SENT_BYTES, MOST_CHUNKS, MOST_MESSAGE_BYTES)
        super().__init__(timeout, security_policy=security_policy, limits=limits)
        connection = _Connection(security_policy, self._connection._limits)  # noqa: SLF001
        connection.aborted = self._aborted
        self._connection = connection
        self._held = bytearray()

    async def send_hello(self, url: str, max_messagesize: int = 0, max_chunkcount: int = 0) -> Any:  # noqa: ARG002
        """Announce what can be received; the limits named in the call are not used.

        Raises:
            TimeoutError, OSError, ua.UaError: no Acknowledge came.
        """
        if self.transport is None:
            raise ConnectionError("the connection is closed")
        hello = ua.Hello(0, MOST_CHUNK_BYTES, MOST_SENT_BYTES, MOST_MESSAGE_BYTES, MOST_CHUNKS, url)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = future
        self.transport.write(uatcp_to_binary(ua.MessageType.Hello, hello))
        async with asyncio.timeout(self.timeout):
            return await future

    def data_received(self, data: bytes) -> None:
        """Hand whole frames to asyncua; a frame that cannot be one ends the connection."""
        self._held += data
        while len(self._held) >= _HEADER.size:
            kind, _, size = _HEADER.unpack_from(self._held)
            if kind not in _KINDS or not _HEADER.size <= size <= MOST_CHUNK_BYTES:
                self._held.clear()
                self._fail_all_pending(ConnectionError(f"the server sent {size} bytes of {kind!r}, which is no frame"))
                self.disconnect_socket()
                return
            if len(self._held) < size:
                return
            frame = bytes(self._held[:size])
            del self._held[:size]
            self._process_received_data(frame)
            if self.transport is None or self.transport.is_closing():
                self._held.clear()
                return

    def _process_received_message(self, msg: Any) -> None:
        if isinstance(msg, ua.Acknowledge):
            limits = self._connection._limits  # noqa: SLF001 (what the server can take limits what is sent, nothing else)
            limits.max_send_buffer = min(max(msg.ReceiveBufferSize, _LEAST_BYTES), MOST_SENT_BYTES)
            limits.max_recv_buffer = MOST_CHUNK_BYTES
            limits.max_chunk_count, limits.max_message_size = MOST_CHUNKS, MOST_MESSAGE_BYTES
        elif isinstance(msg, _Message) and msg.opens_channel():
            _refuse_fault(msg)
        super()._process_received_message(msg)

    def _aborted(self, request: int, code: int) -> None:
        future = self._callbackmap.pop(request, None)
        if future is not None and not future.done():
            future.set_exception(ua.UaStatusCodeError(code))


def _refuse_fault(answer: _Message) -> None:
    """Raise what a server answers that opens no channel; asyncua would take the fault for the answer it waits for.

    Raises:
        ua.UaStatusCodeError: the answer is a ServiceFault (OPC 10000-4 §7.35); whoever waits gets it.
    """
    if nodeid_from_binary(answer.body()).Identifier == ua.ObjectIds.ServiceFault_Encoding_DefaultBinary:
        fault = struct_from_binary(ua.ServiceFault, answer.body())
        raise ua.UaStatusCodeError(fault.ResponseHeader.ServiceResult.value)


def use_channel(client: Any) -> None:
    """Let an asyncua client that is not connected yet use a `Channel`."""
    client.uaclient._make_protocol = partial(_make, client.uaclient)  # noqa: SLF001


def _make(inner: Any) -> Channel:
    """What asyncua's own `_make_protocol` does."""
    channel = Channel(inner._timeout, inner.security_policy)  # noqa: SLF001
    channel.pre_request_hook = inner.pre_request_hook
    channel.on_connection_lost = inner._on_transport_lost  # noqa: SLF001
    channel.is_session_closing = inner._is_session_closing  # noqa: SLF001
    inner.protocol = channel
    return channel
