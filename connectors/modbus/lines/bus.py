"""Serial frames, on a port or through a gateway: one request at a time, and a late reply is known for what it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from connectors.modbus.lines.frame import EXCEPTION, Frame, Framer, mismatch
from connectors.modbus.wire import Question, Reply, Wire, reshaped
from connectors.ticker import pause
from pipelines.errors import LinkClosed, LinkError, LinkTimeout

if TYPE_CHECKING:
    from connectors.modbus.lines.late import Late
    from pipelines.clock import Clock
    from pipelines.stats import LinkStats

_REFUSED: Final = frozenset({2, 3})
"""Exceptions by which a device refuses to give more than was asked for."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of a line, seconds.

    Attributes:
        timeout_s: longest wait for a reply.
        quiet_s: silence before each request: 3.5 characters of RTU (Serial Line V1.02 §2.5.1.1), or more if asked for.
        drain_s: silence after trouble before the line is used again.
    """

    timeout_s: float
    quiet_s: float
    drain_s: float


@dataclass(slots=True)
class _Pending:
    question: Question
    asked_s: float
    answer: asyncio.Future[Reply] = field(repr=False)


class BusWire(Wire):
    """A line without transaction ids. It lives on after a timeout: what may still come is remembered.

    After a timeout, or a reply that was refused, the line is drained to silence, and a request whose reply could be
    taken for the missing one is asked in another shape, or in two parts (`connectors.modbus.lines.late`).
    """

    def __init__(self, clock: Clock, stats: LinkStats, framer: Framer, timing: Timing, late: Late) -> None:
        super().__init__()
        self._clock = clock
        self._stats = stats
        self._framer = framer
        self._timing = timing
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._pending: _Pending | None = None
        self._heard_s = self._loop.time()
        self._dirty = True

    async def ask(self, question: Question) -> Reply:
        """See `Wire.ask`; only one at a time."""
        asked = question.expected, question.address, question.count, question.room
        for address, count in self._late.shapes(*asked, self._loop.time()):
            planned = (address, count) == (question.address, question.count)
            shape = question if planned else reshaped(question, address, count)
            reply = await self._answered(shape)
            if planned or reply.exception not in _REFUSED:
                return reply if reply.exception else _cropped(reply, question, shape)
        replies = []
        for address, count in self._late.parts(*asked, self._loop.time()):
            reply = await self._answered(reshaped(question, address, count))
            if reply.exception:
                return reply
            replies.append(reply)
        if replies:
            return _joined(replies)
        self.culprit = question
        raise LinkTimeout(question.place, "a reply may still come that would be taken for another; it is waited for")

    def received(self, data: bytes) -> None:
        """Find replies; one that nobody waits for is dropped."""
        self._heard_s = self._loop.time()
        pending = self._pending
        for frame in self._framer.feed(data, pending.question.expected if pending else None):
            self._take(frame)

    def lost(self, kind: type[LinkError], why: str) -> None:
        """Fail what is pending."""
        if not self.why:
            self.why, self._kind = why, kind
            self._fail(kind, why)

    async def _answered(self, shape: Question) -> Reply:
        """The reply; an exception that may be the answer to what was asked before is asked for once more."""
        doubtful = bool(self._late.due(shape.unit, shape.function, self._loop.time()))
        reply = await self._exchange(shape)
        if doubtful and reply.exception:
            reply = await self._exchange(shape)
            if not reply.exception:  # if it answers the first of the two, that to the second may still come
                self._late.missed(shape.expected, self._loop.time())
        return reply

    async def _exchange(self, shape: Question) -> Reply:
        await self._silence(shape)
        if self.pipe is None or self.why:
            raise self._kind(shape.place, self.why or "not connected")
        self._framer.clear()
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._pending = _Pending(shape, self._clock.monotonic_s(), answer)
        why = f"no reply within {self._timing.timeout_s:g} s: check the unit id, the wiring and the line's settings"
        timer = self._loop.call_later(self._timing.timeout_s, self._fail, LinkTimeout, why)
        self._stats.requests += 1
        self._dirty = True
        self.pipe.send(self._framer.encode(shape.unit, shape.tail[1:]))
        try:
            reply = await answer
        except (LinkError, asyncio.CancelledError):
            self._late.missed(shape.expected, self._loop.time())
            raise
        finally:
            timer.cancel()
            self._pending = None
        self._dirty = False
        return reply

    async def _silence(self, shape: Question) -> None:
        """Until the line may be used."""
        quiet_s = self._timing.drain_s if self._dirty else self._timing.quiet_s
        until_s = self._loop.time() + self._timing.timeout_s + quiet_s
        while (wait_s := self._heard_s + quiet_s - self._loop.time()) > 0:
            if self._loop.time() > until_s:
                self.culprit = shape
                raise LinkTimeout(shape.place, "the line is never silent: somebody else sends on it")
            await pause(wait_s)

    def _take(self, frame: Frame) -> None:
        pending = self._pending
        if pending is None or pending.answer.done():
            self._stats.rejected["late" if self._late.came(frame) else "unasked"] += 1
            return
        reason = frame.fault or mismatch(frame.unit, frame.function, frame.body, pending.question.expected)
        if not reason:
            data, code = (b"", frame.body[0]) if frame.function & EXCEPTION else (frame.body[1:], 0)
            pending.answer.set_result(Reply(data, code, self.midpoint(self._clock, pending.asked_s)))
        elif not frame.fault and self._late.came(frame):
            self._stats.rejected["late"] += 1
        else:
            self._stats.rejected[reason] += 1
            self._fail(LinkClosed, f"a reply with a wrong {reason.replace('_', ' ')} was refused")

    def _fail(self, kind: type[LinkError], why: str) -> None:
        pending = self._pending
        self.culprit = pending.question if pending else None
        if pending is not None and not pending.answer.done():
            pending.answer.set_exception(kind(pending.question.place, why))


def _cropped(reply: Reply, asked: Question, shape: Question) -> Reply:
    """The part of a wider reply that was asked for."""
    if shape is asked:
        return reply
    ahead = asked.address - shape.address
    start = ahead // 8 if asked.function <= 2 else 2 * ahead  # noqa: PLR2004 - read coils, read discrete inputs
    data = reply.data[start : start + asked.expected.size]
    return Reply(data, reply.exception, reply.time_ns)


def _joined(replies: list[Reply]) -> Reply:
    """The parts of a request that was cut, as one reply, with the time of the one in their middle."""
    data = b"".join(reply.data for reply in replies)
    return Reply(data, 0, sorted(reply.time_ns for reply in replies)[len(replies) // 2])
