"""One line to a Modbus device or to several units: polls on a drift-free schedule, reads only."""

from __future__ import annotations

from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Self

from connectors.base import Connector
from connectors.missed import cause_of
from connectors.modbus.endpoint import NUMBERED
from connectors.modbus.isolate import DIVISIBLE, GATEWAY, REFUSED, Poll, poll_of, status_of, unit_of
from connectors.modbus.lines.open import open_wire
from connectors.modbus.plan import plan
from connectors.modbus.refusal import Refusals
from connectors.modbus.room import room
from connectors.modbus.tick import Tick, resume_ns
from connectors.modbus.values import Values
from connectors.modbus.wire import Question, Reply, Wire, question
from connectors.ticker import pause, ticks
from pipelines.errors import LinkError, LinkTimeout
from pipelines.point import BAD_NO_COMMUNICATION, Gap

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
    from types import TracebackType

    from connectors.base import LinkContext
    from connectors.modbus.config import ModbusConnection
    from connectors.modbus.decode import Column
    from pipelines.point import Delivery

_LOST = "no_communication"
_HAND_OVER_S: Final = 0.05
"""What was read waits no longer than this for the rest of its cycle: until it is handed over, a kill takes it along."""


class ModbusLink(Connector):
    """Reads every tag once per period and yields one delivery per tick, or several where a tick takes long.

    Every reading of a response carries the midpoint of request and response. `Delivery.resume` is the time of the
    newest response, ns since 1970 UTC, 8 bytes little-endian, and behind it what the counters counted.

    A unit that does not answer, answers wrongly or makes the other side hang up ends the link when it is the only one.
    With several units the connection is replaced within the tick (a line without transaction ids is drained instead),
    the unit's tags become BadNoCommunication, and it is asked again later and later, after all others, while those go
    on; the link ends when all of them are silent. Where frames get lost (serial lines, UDP) a unit that answered until
    now is asked once more before that. A request that the
    device refuses (exceptions 2 and 3) is halved until the refused tag stands alone; when that is granted one day, the
    planned request is tried again as a whole.
    """

    answers_at_open = False

    def __init__(self, context: LinkContext) -> None:
        super().__init__(context)
        self._settings: ModbusConnection = context.settings
        self._where = self._settings.where()
        self._wire: Wire | None = None
        known_ns = resume_ns(context.resume)
        self._cycles: dict[float, list[Poll]] = {}
        self._questions: dict[Poll, Question] = {}
        for request in plan(self._settings):
            poll = poll_of(self._settings, request)
            poll.known_ns = known_ns
            poll.cause = context.absence if known_ns else ""
            self._cycles.setdefault(request.period_s, []).append(poll)
        self._values = Values(context)
        self._refusals = Refusals(self._settings, self._cycles, context.stats)
        self._units = {poll.request.unit: unit_of(self._settings) for poll in self._polls()}

    async def __aenter__(self) -> Self:
        """Connect, or open the port.

        Raises:
            LinkRefused: nobody listens there, or the port cannot be opened.
            LinkTimeout: no answer within `timeout_s`.
            LinkUntrusted: a certificate was refused.
        """
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket or port."""
        if self._wire is not None:
            self._wire.close()
            await self._wire.closed()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """What a tick read, once its last request is done; readings do not wait longer than 50 ms for the others.

        A slow device or consumer makes ticks fall out; these are counted, and told as gaps.

        Raises:
            LinkTimeout: no reply within `timeout_s`.
            LinkClosed: the device hung up, or its reply did not match the request.
            LinkRefused: the connection could not be replaced.
        """
        cycles, clock = list(self._cycles.values()), self.context.clock
        worked_s = waited_s = 0.0
        try:
            async for ready, missed in ticks(list(self._cycles), clock, self.context.stats):
                self._left_out(missed, cause_of(worked_s, waited_s))
                tick, began_s, waited_s = Tick(), clock.monotonic_s(), 0.0
                try:
                    if self._wire is None:
                        await self._open()
                    sweep = self._sweep(tick, deque(poll for index in ready for poll in cycles[index]))
                    async with aclosing(sweep):
                        async for early in sweep:
                            done_s = clock.monotonic_s()
                            yield early
                            waited_s += clock.monotonic_s() - done_s
                except LinkError:
                    self._close_gaps(tick)
                    if delivery := self._last_delivery(tick):
                        yield delivery
                    raise
                if self._settings.connect_per_poll:
                    self._hang_up()
                done_s = clock.monotonic_s()
                worked_s = done_s - began_s - waited_s
                if delivery := self._last_delivery(tick):
                    yield delivery
                waited_s += clock.monotonic_s() - done_s
        finally:
            if self._wire is not None:
                self._wire.close()

    def _left_out(self, missed: dict[int, int], cause: str) -> None:
        """So many ticks of these cycles fell out."""
        cycles = list(self._cycles.values())
        for index, count in missed.items():
            self.context.stats.overruns += count
            for poll in cycles[index]:
                poll.missed.add(count, cause)

    def _delivery(self, tick: Tick) -> Delivery | None:
        tick.gaps += self._values.gaps
        self._values.gaps.clear()
        return tick.hand_over(self._values.state())

    def _last_delivery(self, tick: Tick) -> Delivery | None:
        self._refusals.settle()
        for poll in self._refusals.dropped:
            self._questions.pop(poll, None)
            self._values.forget(poll)
        self._refusals.dropped.clear()
        return self._delivery(tick)

    def _polls(self) -> list[Poll]:
        return [poll for cycle in self._cycles.values() for poll in cycle]

    async def _open(self) -> None:
        units = ",".join(map(str, sorted(self._units)))
        place = f"{self._where} unit {units}"
        self._wire = await open_wire(self._settings, self.context.clock, self.context.stats, place, self._wire)

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _sweep(self, tick: Tick, waiting: deque[Poll]) -> AsyncGenerator[Delivery, None]:
        """Ask every poll once, up to `in_flight` at a time; units that did not answer lately come last.

        Yields what was read so far while there is more to ask; the rest stays in `tick`.
        """
        waiting = deque(sorted(waiting, key=lambda poll: self._units[poll.request.unit].silent))
        flying: deque[tuple[Poll, Wire, float, Awaitable[Reply]]] = deque()
        handed_s = self.context.clock.monotonic_s()
        back_s = handed_s
        while waiting or flying:
            while waiting and len(flying) < self._settings.in_flight:
                poll = waiting.popleft()
                if not self._rests(poll):
                    await self._pause()
                    assert self._wire is not None
                    asked_s = self.context.clock.monotonic_s()
                    flying.append((poll, self._wire, asked_s, self._wire.ask(self._question(poll))))
            if not flying:
                return
            poll, wire, asked_s, answer = flying.popleft()
            try:
                reply = await answer
            except LinkError as error:
                self._hear(poll, wire, asked_s, error)
                if wire is self._wire:
                    # What the consumer made it wait is no unit's fault.
                    await self._isolate(tick, error, self.context.clock.monotonic_s() - max(asked_s, back_s))
                waiting.appendleft(poll)
            else:
                self._hear(poll, wire, asked_s, reply)
                waiting.extendleft(reversed(self._take(tick, poll, reply)))
                now_s = self.context.clock.monotonic_s()
                if (waiting or flying) and now_s - handed_s >= _HAND_OVER_S and (early := self._delivery(tick)):
                    handed_s = now_s
                    yield early
                    back_s = self.context.clock.monotonic_s()

    def _hear(self, poll: Poll, wire: Wire, asked_s: float, came: Reply | LinkError) -> None:
        """Tell a recording what came of a request; one that ended with another's trouble was not answered at all."""
        heard, clock = self.context.heard, self.context.clock
        if heard is None:
            return
        asked = self._question(poll)
        if isinstance(came, LinkError) and wire.culprit is not None and wire.culprit.unit != asked.unit:
            return
        asked_ns = clock.now_ns() - int((clock.monotonic_s() - asked_s) * 1e9)
        what = {"q": asked_ns, "unit": asked.unit, "fc": asked.function, "at": asked.address, "n": asked.count}
        if isinstance(came, LinkError):
            heard("modbus", **what, silence="timeout" if isinstance(came, LinkTimeout) else "closed")
        elif came.exception:
            heard("modbus", **what, s=came.time_ns, exception=came.exception)
        else:
            heard("modbus", **what, s=came.time_ns, data=came.data)

    async def _pause(self) -> None:
        """The pause that the device wants; a line without transaction ids keeps it itself."""
        if self._settings.request_delay_s and self._settings.transport in NUMBERED:
            await pause(self._settings.request_delay_s)

    def _rests(self, poll: Poll) -> bool:
        now_s = self.context.clock.monotonic_s()
        return self._units[poll.request.unit].rests(now_s) or poll.refusal.rests(now_s)

    def _question(self, poll: Poll) -> Question:
        known = self._questions.get(poll)
        if known is None:
            limits = room(self._settings, poll.request)
            known = self._questions[poll] = question(poll.request, self._where, limits)
        return known

    def _take(self, tick: Tick, poll: Poll, reply: Reply) -> tuple[Poll, ...]:
        """Put a reply into the tick; returns what is to be asked instead."""
        unit = self._units[poll.request.unit]
        if reply.exception in GATEWAY:
            reason = f"the gateway gets no answer from it (exception {reply.exception}): check its id and wiring"
            self._silence(tick, poll.request.unit, self._settings.timeout_s, reason)
            unit.silent = False
            return ()
        unit.answered()
        self.context.stats.notices.pop(_notice(poll.request.unit), None)
        if reply.exception in DIVISIBLE and len(poll.request.tags) > 1:
            return self._refusals.halve(poll)
        time_ns = poll.stamp(reply.time_ns)
        columns: list[Column] | None
        if reply.exception:
            columns = self._values.failed(poll, status_of(reply.exception))
        else:
            columns = self._values.take(poll, reply.data, time_ns)
            if columns is None:
                return (poll,)
            for early, early_ns in self._values.confirmed:
                tick.add(early, early_ns)
            self._values.confirmed.clear()
        tick.newest_ns = max(tick.newest_ns, time_ns)
        tick.gaps += poll.gaps(time_ns)
        poll.replied(time_ns)
        tick.add(columns, time_ns)
        if reply.exception in REFUSED:
            self._refusals.refused(poll, status_of(reply.exception), self.context.clock.monotonic_s())
        elif not reply.exception and poll.refusal.wait_s:
            self._refusals.granted(poll)
        return ()

    async def _isolate(self, tick: Tick, error: LinkError, cost_s: float) -> None:
        """Leave the unit on which trouble arose alone for a while and go on with the others; connect anew if needed."""
        assert self._wire is not None
        culprit = self._wire.culprit
        if culprit is None:
            raise error
        if not self._units[culprit.unit].once_more(self.context.clock.monotonic_s(), cost_s):
            if len(self._units) == 1:
                raise error
            self._silence(tick, culprit.unit, cost_s, error.reason)
            if all(unit.silent for unit in self._units.values()):
                raise error
        if self._wire.why:
            self._wire.close()
            await self._open()

    def _silence(self, tick: Tick, unit: int, cost_s: float, reason: str) -> None:
        self.context.stats.notices[_notice(unit)] = f"unit {unit}: {reason}"
        self._units[unit].failed(self.context.clock.monotonic_s(), max(cost_s, self._settings.timeout_s))
        now_ns = self.context.clock.now_ns()
        for poll in self._polls():
            if poll.request.unit == unit:
                poll.lost(_LOST)
                tick.add(self._values.failed(poll, BAD_NO_COMMUNICATION), poll.stamp(now_ns))

    def _close_gaps(self, tick: Tick) -> None:
        """Gaps that the next link knows nothing of: it starts at the newest reply of any unit."""
        now_ns = self.context.clock.now_ns()
        newest_ns = max((poll.known_ns for poll in self._polls()), default=0)
        for poll in self._polls():
            tick.gaps += poll.missed.rest(poll.request.tags)
            if poll.known_ns and poll.cause and (poll.cause == _LOST or poll.known_ns < newest_ns):
                tick.gaps += [Gap(tag, poll.cause, poll.known_ns, now_ns) for tag in poll.request.tags]


def _notice(unit: int) -> str:
    return f"unit_{unit}"
