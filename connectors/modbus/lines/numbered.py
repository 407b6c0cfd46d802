"""Modbus TCP over a stream or datagrams: every field of a reply's header is compared before its data is believed."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from connectors.modbus.lines.frame import EXCEPTION, mismatch
from connectors.modbus.lines.mbap import HEAD, encode, head
from connectors.modbus.wire import Question, Reply, Wire
from pipelines.errors import LinkClosed, LinkError, LinkTimeout

if TYPE_CHECKING:
    from pipelines.clock import Clock
    from pipelines.stats import LinkStats

_IDS: Final = 0xFFFF
_STEP: Final = 0x9E35
"""From one transaction id to the next, without a divisor in common with `_IDS`: each comes back last, and an id that is
off by a little is none that is pending."""


@dataclass(slots=True)
class _Pending:
    question: Question
    asked_s: float
    timer: asyncio.TimerHandle
    answer: asyncio.Future[Reply] = field(repr=False)


class NumberedWire(Wire):
    """The first reply that is late or does not match ends the connection, and with it all that is pending.

    Attributes:
        transaction: the last transaction id; the next wire of the same link goes on from it, so that none comes back
            soon.
    """

    def __init__(
        self, clock: Clock, stats: LinkStats, timeout_s: float, transaction: int = 0, *, datagrams: bool = False
    ) -> None:
        super().__init__()
        self._clock = clock
        self._stats = stats
        self._timeout_s = timeout_s
        self._datagrams = datagrams
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, _Pending] = {}
        self._buffer = b""
        self.transaction = transaction or secrets.randbelow(_IDS) + 1

    def ask(self, question: Question) -> asyncio.Future[Reply]:
        """Send `question`; the future ends with its reply or an error, see `Wire.ask`."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        if self.pipe is None or self.why:
            answer.set_exception(self._kind(question.place, self.why or "not connected"))
            answer.exception()
            return answer
        self.transaction = (self.transaction - 1 + _STEP) % _IDS + 1
        timer = self._loop.call_later(self._timeout_s, self._expire, self.transaction)
        self._pending[self.transaction] = _Pending(question, self._clock.monotonic_s(), timer, answer)
        self._stats.requests += 1
        self.pipe.send(encode(self.transaction, question.tail))
        return answer

    def received(self, data: bytes) -> None:
        """Take replies apart; of datagrams each must hold exactly one."""
        if self._datagrams:
            self._datagram(data)
            return
        data = self._buffer + data if self._buffer else data
        while len(data) >= HEAD and not self.why:
            transaction, unit, function, end, fault = head(data)
            pending = self._pending.get(transaction)
            if pending is None:
                reason = "transaction"
            elif fault:
                reason = fault
            elif unit != pending.question.expected.unit:
                reason = "unit"
            elif function & ~EXCEPTION != pending.question.expected.function:
                reason = "function"
            elif len(data) < end:
                break
            else:
                reason = self._take(transaction, pending, unit, function, data[HEAD:end])
            if reason:
                self._reject(reason, pending)
                return
            data = data[end:]
        self._buffer = data

    def lost(self, kind: type[LinkError], why: str) -> None:
        """Fail what is pending."""
        self._end(kind, why)

    def _datagram(self, data: bytes) -> None:
        """A datagram with an id that nobody waits for is late or doubled: the network does that, the device is well."""
        if len(data) < HEAD:
            self._stats.rejected["length"] += 1
            return
        transaction, unit, function, end, fault = head(data)
        pending = self._pending.get(transaction)
        if pending is None:
            self._stats.rejected["transaction"] += 1
            return
        fault = fault or ("" if end == len(data) else "length")
        if reason := fault or self._take(transaction, pending, unit, function, data[HEAD:end]):
            self._reject(reason, pending)

    def _take(self, transaction: int, pending: _Pending, unit: int, function: int, body: bytes) -> str:
        if reason := mismatch(unit, function, body, pending.question.expected):
            return reason
        del self._pending[transaction]
        pending.timer.cancel()
        if not pending.answer.done():
            data, code = (b"", body[0]) if function & EXCEPTION else (body[1:], 0)
            pending.answer.set_result(Reply(data, code, self.midpoint(self._clock, pending.asked_s)))
        return ""

    def _reject(self, reason: str, pending: _Pending | None) -> None:
        self._stats.rejected[reason] += 1
        self._end(LinkClosed, f"a reply with a wrong {reason.replace('_', ' ')} was refused", pending)
        self.close()

    def _expire(self, transaction: int) -> None:
        pending = self._pending[transaction]
        why = f"no reply within {self._timeout_s:g} s"
        self._fail(pending, LinkTimeout(pending.question.place, f"{why}: check the unit id and the device"))
        self._end(LinkClosed, f"another request had {why}", pending)
        self.close()

    def _end(self, kind: type[LinkError], why: str, culprit: _Pending | None = None) -> None:
        if not self.why:
            self.why, self._kind = why, kind
            first = culprit or next(iter(self._pending.values()), None)
            self.culprit = first.question if first else None
        for pending in self._pending.values():
            self._fail(pending, kind(pending.question.place, why))
        self._pending.clear()

    @staticmethod
    def _fail(pending: _Pending, error: LinkError) -> None:
        pending.timer.cancel()
        if not pending.answer.done():
            pending.answer.set_exception(error)
            pending.answer.exception()  # seen, even if nobody waits any more
