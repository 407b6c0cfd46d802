"""Modbus TCP on an asyncio socket: every field of a reply's header is compared before its data is believed."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from pipelines.errors import LinkClosed, LinkError, LinkRefused, LinkTimeout

if TYPE_CHECKING:
    from connectors.modbus.plan import Request
    from pipelines.clock import Clock
    from pipelines.stats import LinkStats

_READS: Final = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_HEADER: Final = struct.Struct(">HHHBB")
_PREFIX: Final = struct.Struct(">HHH")
_LENGTHS: Final = range(3, 255)
"""What the length field of a reply can be: unit, function code and 1-252 bytes (Messaging Guide V1.0b §3.1.3)."""
_EXCEPTION: Final = 0x80
_KEEPALIVE_S: Final = (10, 5, 3)
"""Idle time, interval and number of TCP keepalive probes: a dead peer is known after 25 s without a poll."""


@dataclass(slots=True)
class Question:
    """A request as it goes on the wire, and what its reply must look like.

    Attributes:
        unit: unit id.
        function: function code 1-4.
        tail: bytes behind the length field.
        size: data bytes of a good reply.
        place: `modbus://host:port unit N` for errors.
    """

    unit: int
    function: int
    tail: bytes
    size: int
    place: str


def question(request: Request, size: int, where: str) -> Question:
    """The question that `request` puts; `size` = data bytes of a good reply, `where` = `modbus://host:port`."""
    pdu = _READS[request.table](address=request.address, count=request.count, dev_id=request.unit)
    tail = bytes((request.unit, pdu.function_code)) + pdu.encode()
    return Question(request.unit, pdu.function_code, tail, size, f"{where} unit {request.unit}")


@dataclass(slots=True)
class Reply:
    """What came back.

    Attributes:
        data: register or bit bytes; empty with an exception.
        exception: Modbus exception code, 0 = none.
        asked_ns: wall time just before the request was sent, ns since 1970 UTC.
        time_ns: midpoint of request and response, ns since 1970 UTC.
    """

    data: bytes
    exception: int
    asked_ns: int
    time_ns: int


@dataclass(slots=True)
class _Pending:
    question: Question
    asked_ns: int
    timer: asyncio.TimerHandle
    answer: asyncio.Future[Reply] = field(repr=False)


class Wire(asyncio.Protocol):
    """One TCP connection. The first reply that is late or does not match ends it, and with it all that is pending.

    Attributes:
        culprit: the question on which the connection ended; None while it lives or if nothing was pending.
    """

    def __init__(self, clock: Clock, stats: LinkStats, timeout_s: float) -> None:
        self._clock = clock
        self._stats = stats
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pending: dict[int, _Pending] = {}
        self._buffer = b""
        self._transaction = secrets.randbelow(0xFFFF)
        self._why = ""
        self.culprit: Question | None = None
        self._lost = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and have the system watch the line."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        line: socket.socket = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in zip(
            (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT), _KEEPALIVE_S, strict=True
        ):
            line.setsockopt(socket.IPPROTO_TCP, option, value)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is pending."""
        self._end(f"the device closed the connection{f' ({exc})' if exc else ''}")
        if not self._lost.done():
            self._lost.set_result(None)

    def ask(self, question: Question) -> asyncio.Future[Reply]:
        """Send `question`; the future ends with its reply, `LinkTimeout` or `LinkClosed`."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        if self._transport is None or self._why:
            answer.set_exception(LinkClosed(question.place, self._why or "not connected"))
            answer.exception()
            return answer
        self._transaction = self._transaction % 0xFFFF + 1
        timer = self._loop.call_later(self._timeout_s, self._expire, self._transaction)
        self._pending[self._transaction] = _Pending(question, self._clock.now_ns(), timer, answer)
        self._stats.requests += 1
        self._transport.write(_PREFIX.pack(self._transaction, 0, len(question.tail)) + question.tail)
        return answer

    def data_received(self, data: bytes) -> None:
        """Take replies apart; a reply may arrive in pieces, several may arrive at once."""
        now_ns = self._clock.now_ns()
        data = self._buffer + data if self._buffer else data
        while len(data) >= _HEADER.size and not self._why:
            transaction, protocol, length, unit, function = _HEADER.unpack_from(data)
            pending = self._pending.get(transaction)
            end = length + 6
            if pending is None:
                reason = "transaction"
            elif protocol:
                reason = "protocol"
            elif length not in _LENGTHS:
                reason = "length"
            elif unit != pending.question.unit:
                reason = "unit"
            elif function & ~_EXCEPTION != pending.question.function:
                reason = "function"
            elif len(data) < end:
                break
            else:
                reason = self._take(transaction, pending, data[8:end], function, now_ns)
            if reason:
                self._reject(reason, pending)
                return
            data = data[end:]
        self._buffer = data

    def close(self) -> None:
        """Hang up; nothing pending is answered any more."""
        self._end("closed")
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Until the socket is closed."""
        if self._transport is not None:
            await asyncio.shield(self._lost)

    def _take(self, transaction: int, pending: _Pending, body: bytes, function: int, now_ns: int) -> str:
        if function & _EXCEPTION:
            if len(body) != 1:
                return "length"
            data, code = b"", body[0]
        else:
            size = pending.question.size
            if body[0] != size or len(body) != size + 1:
                return "byte_count"
            data, code = body[1:], 0
        del self._pending[transaction]
        pending.timer.cancel()
        if not pending.answer.done():
            pending.answer.set_result(Reply(data, code, pending.asked_ns, (pending.asked_ns + now_ns) // 2))
        return ""

    def _reject(self, reason: str, pending: _Pending | None) -> None:
        self._stats.rejected[reason] += 1
        why = f"a reply with a wrong {reason.replace('_', ' ')} was refused"
        self._end(why, pending)
        self.close()

    def _expire(self, transaction: int) -> None:
        pending = self._pending[transaction]
        why = f"no reply within {self._timeout_s:g} s"
        self._fail(pending, LinkTimeout(pending.question.place, why))
        self._end(f"another request had {why}", pending)
        self.close()

    def _end(self, why: str, culprit: _Pending | None = None) -> None:
        if not self._why:
            self._why = why
            first = culprit or next(iter(self._pending.values()), None)
            self.culprit = first.question if first else None
        for pending in self._pending.values():
            self._fail(pending, LinkClosed(pending.question.place, why))
        self._pending.clear()

    @staticmethod
    def _fail(pending: _Pending, error: LinkError) -> None:
        pending.timer.cancel()
        if not pending.answer.done():
            pending.answer.set_exception(error)
            pending.answer.exception()  # seen, even if nobody waits any more


async def connect(host: str, port: int, place: str, wire: Wire, timeout_s: float) -> None:
    """Connect `wire` to `host`:`port`; errors name `place`.

    Raises:
        LinkRefused: nobody listens, or the name is unknown.
        LinkTimeout: no answer within `timeout_s` seconds.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().create_connection(lambda: wire, host, port)
    except TimeoutError as error:
        raise LinkTimeout(place, f"no connection within {timeout_s:g} s: check the address and the cable") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise LinkRefused(place, f"no connection ({reason}): check that the device runs and its port") from error
