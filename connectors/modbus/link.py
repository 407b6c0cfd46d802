"""One TCP connection to a Modbus server: polls on a drift-free schedule, reads only."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Self

from connectors.base import Connector
from connectors.modbus.isolate import DIVISIBLE, GATEWAY, REFUSED, Poll, poll_of, status_of, unit_of
from connectors.modbus.plan import plan, split
from connectors.modbus.tick import Tick, resume_ns
from connectors.modbus.wire import Question, Reply, Wire, connect, question
from connectors.ticker import ticks
from pipelines.errors import LinkError
from pipelines.point import BAD_NO_COMMUNICATION, Gap

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator
    from types import TracebackType

    from connectors.base import LinkContext
    from connectors.modbus.config import ModbusConnection
    from pipelines.point import Delivery

_LOST = "no_communication"


class ModbusLink(Connector):
    """Reads every tag once per period and yields one delivery per tick.

    Every reading of a response carries the midpoint of request and response. `Delivery.resume` is the time of the
    newest response, ns since 1970 UTC, 8 bytes little-endian.

    A unit that does not answer, answers wrongly or makes the other side hang up ends the link when it is the only one.
    With several units the TCP connection is replaced within the tick, the unit's tags become BadNoCommunication, and
    it is asked again with backoff while the others go on; the link ends when all of them are silent. A request that the
    device refuses (exceptions 2 and 3) is halved until the refused tag stands alone; when that is granted one day, the
    planned request is tried again as a whole.
    """

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
        self._units = {poll.request.unit: unit_of(self._settings) for poll in self._polls()}

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            LinkRefused: nobody listens there.
            LinkTimeout: no answer within `timeout_s`.
        """
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket."""
        if self._wire is not None:
            self._wire.close()
            await self._wire.closed()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """One delivery per tick, as soon as its last request is done; a slow consumer makes ticks fall out.

        Raises:
            LinkTimeout: no reply within `timeout_s`.
            LinkClosed: the device hung up, or its reply did not match the request.
            LinkRefused: the connection could not be replaced.
        """
        cycles = list(self._cycles.values())
        try:
            async for ready, missed in ticks(list(self._cycles), self.context.clock):
                self.context.stats.overruns += missed
                tick = Tick()
                try:
                    await self._sweep(tick, deque(poll for index in ready for poll in cycles[index]))
                except LinkError:
                    self._close_gaps(tick)
                    if delivery := tick.delivery():
                        yield delivery
                    raise
                if delivery := tick.delivery():
                    yield delivery
        finally:
            if self._wire is not None:
                self._wire.close()

    def _polls(self) -> list[Poll]:
        return [poll for cycle in self._cycles.values() for poll in cycle]

    async def _open(self) -> None:
        units = ",".join(map(str, sorted(self._units)))
        settings = self._settings
        self._wire = Wire(self.context.clock, self.context.stats, settings.timeout_s)
        await connect(settings.host, settings.port, f"{self._where} unit {units}", self._wire, settings.timeout_s)

    async def _sweep(self, tick: Tick, waiting: deque[Poll]) -> None:
        """Ask every poll once, up to `in_flight` at a time."""
        flying: deque[tuple[Poll, Wire, Future[Reply]]] = deque()
        while waiting or flying:
            while waiting and len(flying) < self._settings.in_flight:
                poll = waiting.popleft()
                if not self._rests(poll):
                    assert self._wire is not None
                    flying.append((poll, self._wire, self._wire.ask(self._question(poll))))
            if not flying:
                return
            poll, wire, answer = flying.popleft()
            try:
                reply = await answer
            except LinkError as error:
                if wire is self._wire:
                    await self._isolate(tick, error)
                waiting.appendleft(poll)
            else:
                waiting.extendleft(reversed(self._take(tick, poll, reply)))

    def _rests(self, poll: Poll) -> bool:
        now_s = self.context.clock.monotonic_s()
        return self._units[poll.request.unit].backoff.rests(now_s) or poll.refusal.rests(now_s)

    def _question(self, poll: Poll) -> Question:
        known = self._questions.get(poll)
        if known is None:
            known = self._questions[poll] = question(poll.request, poll.decoder.size, self._where)
        return known

    def _take(self, tick: Tick, poll: Poll, reply: Reply) -> tuple[Poll, ...]:
        """Put a reply into the tick; returns what is to be asked instead."""
        unit = self._units[poll.request.unit]
        if reply.exception in GATEWAY:
            unit.silent = False
            self._silence(tick, poll.request.unit)
            return ()
        unit.silent = False
        unit.backoff.worked()
        if reply.exception in DIVISIBLE and len(poll.request.tags) > 1:
            return self._halve(poll)
        time_ns = poll.stamp(reply.time_ns)
        tick.newest_ns = max(tick.newest_ns, time_ns)
        tick.gaps += poll.gaps(time_ns)
        poll.replied(time_ns)
        if reply.exception:
            tick.add(poll.decoder.failed(status_of(reply.exception)), time_ns)
            if reply.exception in REFUSED:
                poll.refusal.failed(self.context.clock.monotonic_s())
            return ()
        tick.add(poll.decoder.decode(reply.data), time_ns)
        if poll.refusal.wait_s:
            self._rejoin(poll)
        return ()

    def _halve(self, poll: Poll) -> tuple[Poll, ...]:
        cycle = self._cycles[poll.request.period_s]
        halves = tuple(poll_of(self._settings, half, poll) for half in split(self._settings, poll.request))
        at = cycle.index(poll)
        cycle[at : at + 1] = halves
        self._questions.pop(poll, None)
        return halves

    def _rejoin(self, poll: Poll) -> None:
        """A request that was refused is granted: go back to the planned one."""
        poll.refusal.worked()
        root = poll.root
        if root is not poll:
            cycle = self._cycles[poll.request.period_s]
            root.replied(max(part.known_ns for part in cycle if part.root is root))
            cycle[:] = [root, *(part for part in cycle if part.root is not root)]

    async def _isolate(self, tick: Tick, error: LinkError) -> None:
        """Leave the unit on which the connection ended alone for a while and connect anew for the others."""
        assert self._wire is not None
        culprit = self._wire.culprit
        if culprit is None or len(self._units) == 1:
            raise error
        self._units[culprit.unit].silent = True
        self._silence(tick, culprit.unit)
        if all(unit.silent for unit in self._units.values()):
            raise error
        self._wire.close()
        await self._open()

    def _silence(self, tick: Tick, unit: int) -> None:
        self._units[unit].backoff.failed(self.context.clock.monotonic_s())
        now_ns = self.context.clock.now_ns()
        for poll in self._polls():
            if poll.request.unit == unit:
                poll.lost(_LOST)
                tick.add(poll.decoder.failed(BAD_NO_COMMUNICATION), poll.stamp(now_ns))

    def _close_gaps(self, tick: Tick) -> None:
        """Gaps that the next link knows nothing of: it starts at the newest reply of any unit."""
        now_ns = self.context.clock.now_ns()
        for poll in self._polls():
            if poll.cause == _LOST and poll.known_ns:
                tick.gaps += [Gap(tag, _LOST, poll.known_ns, now_ns) for tag in poll.request.tags]
