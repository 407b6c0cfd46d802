"""One MTConnect agent: asks for everything since the last answer, on a drift-free schedule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import groupby
from types import TracebackType
from typing import Final, Self

from connectors.base import Connector, Found, LinkContext
from connectors.mtconnect.conditions import Conditions
from connectors.mtconnect.config import MtConnectConnection
from connectors.mtconnect.decode import Devices, Header, Observation, Refusal, Streams, document
from connectors.mtconnect.http import Http
from connectors.mtconnect.plan import Kind, Plan, plan, unit_of, url
from connectors.mtconnect.resume import Position
from connectors.mtconnect.values import Columns, Memory
from connectors.ticker import ticks
from pipelines.errors import LinkClosed, LinkRefused
from pipelines.point import AlarmEvent, Delivery, Gap

OUT_OF_RANGE: Final = "OUT_OF_RANGE"
_KEEP_S: Final = 10.0
"""How old the kept position may grow while an agent has nothing new."""
_RETEST_S: Final = 300.0
"""Time after which the agent is asked again for data items that it did not have."""


class MtConnectLink(Connector):
    """Polls `sample` from the number the answer before named, so that no change between two polls is lost.

    The position (instance of the agent, next sequence number, active conditions) is committed with the readings. When
    the agent was restarted, or its buffer ran over, every tag gets a gap; what the buffer still holds is read from its
    oldest observation on, after the values of `current` that are older still.

    One poll is one request; more only while the agent says that it has more. A connection that the agent closed between
    two answers is opened again by the next request, as HTTP/1.1 has it.
    """

    def __init__(self, context: LinkContext) -> None:
        super().__init__(context)
        settings: MtConnectConnection = context.settings
        self._settings = settings
        self._http = Http(settings, context.stats)
        self._plan = Plan({}, {}, {})
        self._position = Position.from_bytes(context.resume, url(settings, ""))
        self._conditions = Conditions(self._position.active if self._position else None)
        self._memory = Memory()
        self._cause = context.absence
        self._overlap = 0
        self._most = settings.count
        self._untold = True
        self._returning = True
        self._bound_s = 0.0
        self._kept_ns = 0

    async def __aenter__(self) -> Self:
        """Connect and learn what the device has.

        Raises:
            LinkError: nobody answers, or what answers is no MTConnect agent.
        """
        self._http.open()
        opened = False
        try:
            await self._bind()
            self._kept_ns = self.context.clock.now_ns()
            opened = True
        finally:
            if not opened:
                await self._http.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the socket."""
        await self._http.close()

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """One delivery per answer that has something; a slow consumer makes polls fall out, and loses nothing by it.

        Raises:
            LinkError: the agent did not answer, or not as the standard has it.
        """
        async for _, missed in ticks([self._settings.period_s], self.context.clock, self.context.stats):
            self.context.stats.overruns += missed.get(0, 0)  # no gap: the agent keeps what happened between
            more = True
            while more:
                delivery, more = await self._poll()
                if delivery is not None:
                    yield delivery

    async def browse(self, depth: int | None = None, most: int | None = None) -> AsyncIterator[Found]:
        """Every data item and its value now; the whole tree is one answer, so nothing is saved by asking for less.

        Raises:
            LinkError: the agent did not answer.
        """
        del depth, most
        devices = await self._probe()
        now = {one.item: one for one in (await self._current()).observations}
        for item in devices.items:
            seen = now.get(item.id)
            value = "" if seen is None else seen.element if seen.category == "CONDITION" else seen.text
            kind, tag = f"{item.category} {item.type}", {"data_item": item.id}
            limits = None if item.low is None or item.high is None else (item.low, item.high)
            yield Found(item.path, item.id, kind, value, unit=unit_of(item), possible=limits, tag=tag)

    async def _poll(self) -> tuple[Delivery | None, bool]:
        """The next delivery, and whether the agent has more."""
        asked_ns, position = self.context.clock.now_ns(), self._position
        if self._plan.refused and self.context.clock.monotonic_s() - self._bound_s > _RETEST_S:
            await self._bind()
        if position is None:
            streams = await self._current()
            columns, events = self._read(streams.observations, snapshot=True)
            return self._delivery(streams.header, streams.header.next, asked_ns, [columns], events), False
        known = await self._current() if self._returning else None
        if known is not None and (known.header.instance != position.instance or known.header.next < position.next):
            return await self._recover(position, asked_ns, known)
        start = max(position.next - self._overlap, 0)
        answer = await self._sample(start)
        if isinstance(answer, Refusal) or answer.header.instance != position.instance or answer.header.next < start:
            return await self._recover(position, asked_ns, known or await self._current())
        return self._take(answer, position, asked_ns, known)

    def _take(
        self, answer: Streams, position: Position, asked_ns: int, known: Streams | None
    ) -> tuple[Delivery | None, bool]:
        """What is new in an answer from the position on."""
        header = answer.header
        fresh = [one for one in answer.observations if one.sequence >= position.next]
        self._count("repeated", len(answer.observations) - len(fresh) - self._overlap)
        columns = [] if known is None else [self._again(known, position.next)]
        late, events = self._read(fresh)
        delivery = self._delivery(header, max(header.next, position.next), asked_ns, [*columns, late], events)
        return delivery, position.next < header.next <= header.last

    async def _recover(self, position: Position, asked_ns: int, current: Streams) -> tuple[Delivery | None, bool]:
        """The position may not be in the agent's buffer: what was lost becomes a gap, what is left is read."""
        header = current.header
        same = header.instance == position.instance and position.next <= header.next
        if same and position.next > header.last:
            # Some agents refuse to be asked for what comes next: they are asked for the last one again.
            self._overlap = 1
            return None, False
        if same and position.next >= header.first:
            answer = await self._sample(position.next)
            if isinstance(answer, Streams) and answer.header.instance == position.instance:
                return self._take(answer, position, asked_ns, current if self._returning else None)
            raise self._not_asked_for(answer)
        if header.instance != position.instance:
            await self._bind()
            self._conditions = Conditions()
        seen = position.next if same else 0
        for start in (header.first, header.first + (header.last - header.first) // 4):
            rest = await self._sample(start)
            if isinstance(rest, Streams) and rest.header.instance == header.instance:
                break
        else:
            rest, start = Streams(header, ()), header.next
        columns = [self._again(current, seen)] if same and self._returning else []
        old, events = self._read([one for one in current.observations if seen <= one.sequence < start], snapshot=True)
        late, more = self._read([one for one in rest.observations if one.sequence >= start])
        gaps = self._gaps(position, late.oldest_ns(), same=same)
        self.context.note("observations_lost", asked=position.next, first=header.first, same_instance=same)
        next_ = max(rest.header.next, start)
        delivery = self._delivery(rest.header, next_, asked_ns, [*columns, old, late], events + more, gaps)
        return delivery, False  # the rest in a period: an agent that starts anew with each answer is not hurried

    def _gaps(self, position: Position, back_ns: int | None, *, same: bool) -> tuple[Gap, ...]:
        """A gap of every tag and source of events, until the first reading that is there again."""
        now_ns = self.context.clock.now_ns()
        end_ns = back_ns if back_ns is not None and position.last_ns < back_ns < now_ns else now_ns
        cause = self._cause or ("queue_overflow" if same else "device_restarted")
        rows = range(-len(self._settings.events), len(self._settings.tags))
        return tuple(Gap(row, cause, position.last_ns, end_ns) for row in rows)

    def _again(self, current: Streams, before: int) -> Columns:
        """What was delivered before and still holds: after an outage every tag is told again, at its own time.

        It is the same point as before, so that nothing is doubled; without it a tag that did not change would stay bad.
        """
        newest = {one.item: one.sequence for one in current.observations}
        held = [one for one in current.observations if newest[one.item] < before]
        conditions, self._conditions = self._conditions, Conditions()
        columns, _ = self._read(held, snapshot=True)
        self._conditions = conditions
        return columns

    def _delivery(
        self,
        header: Header,
        next_: int,
        asked_ns: int,
        columns: list[Columns],
        events: list[AlarmEvent],
        gaps: tuple[Gap, ...] = (),
    ) -> Delivery | None:
        """What leads to the new position; None when there is nothing, and the position was kept not long ago."""
        now_ns = self.context.clock.now_ns()
        if self._untold:
            for row, status in self._plan.refused.items():
                columns[-1].bad(row, now_ns, status)
            self._untold = False
        self._cause, self._returning = "", False
        scans = tuple(scan for one in columns for scan in one.scans())
        active = {item: dict(codes) for item, codes in self._conditions.active.items()}
        self._position = Position(url(self._settings, ""), header.instance, next_, asked_ns, active)
        if not (scans or events or gaps) and now_ns - self._kept_ns < _KEEP_S * 1e9:
            return None
        self._kept_ns = now_ns
        return Delivery(scans, self._position.to_bytes(), gaps, device_time_ns=header.time_ns, events=tuple(events))

    def _read(
        self, seen: list[Observation] | tuple[Observation, ...], *, snapshot: bool = False
    ) -> tuple[Columns, list[AlarmEvent]]:
        """Readings and events of these observations, in the agent's order."""
        columns, events = Columns(self.context.parts, self._memory), []
        key = (lambda one: one.item) if snapshot else (lambda one: one.sequence)
        wanted = self._plan.tags.keys() | self._plan.alarms.keys()
        for _, group in groupby(sorted((one for one in seen if one.item in wanted), key=key), key=key):
            one = list(group)
            level = ""
            if one[-1].category == "CONDITION":
                sources = self._plan.alarms.get(one[-1].item, ())
                level, more = (
                    self._conditions.snapshot(one, sources) if snapshot else self._conditions.take(one[0], sources)
                )
                events += more
            for bound in self._plan.tags.get(one[-1].item, ()):
                columns.take(bound, one[-1], level if bound.kind is Kind.LEVEL else "")
        return columns, sorted(events, key=lambda event: event.time_ns)

    async def _bind(self) -> None:
        """Find the data items of the tags."""
        devices = await self._probe()
        self._plan = plan(self._settings, devices.items)
        self._most = min(self._settings.count, devices.buffer_size or self._settings.count)
        stats = self.context.stats
        stats.refused.clear()
        stats.refused.update(self._plan.refused)
        stats.facts.update(self._plan.facts)
        self._untold = self._returning = True
        self._bound_s = self.context.clock.monotonic_s()
        for event in self._settings.events:
            stats.notices.pop(f"condition {event.data_item}", None)
        for name in self._plan.unknown:
            stats.notices[f"condition {name}"] = f"no condition of {self._settings.where()} is called {name}"

    async def _probe(self) -> Devices:
        answer = await self._ask(url(self._settings, "probe"))
        if not isinstance(answer, Devices):
            raise self._not_asked_for(answer)
        return answer

    async def _current(self) -> Streams:
        answer = await self._ask(url(self._settings, "current"))
        if not isinstance(answer, Streams):
            raise self._not_asked_for(answer)
        return answer

    async def _sample(self, start: int) -> Streams | Refusal:
        """Observations from a number on, or OUT_OF_RANGE."""
        answer = await self._ask(url(self._settings, "sample", from_=start, count=self._most))
        if isinstance(answer, Streams) or (isinstance(answer, Refusal) and answer.code == OUT_OF_RANGE):
            return answer
        raise self._not_asked_for(answer)

    async def _ask(self, address: str) -> Streams | Devices | Refusal:
        body = await self._http.get(address)
        try:
            answer = document(body)
        except ValueError as error:
            self._count("document")
            raise LinkClosed(self._settings.where(), f"the answer is not MTConnect: {error}") from error
        if isinstance(answer, Streams):
            self._count("observation", answer.malformed)
        return answer

    def _not_asked_for(self, answer: Streams | Devices | Refusal) -> LinkRefused:
        if isinstance(answer, Refusal):
            return LinkRefused(self._settings.where(), f"the agent says {answer.code}: {answer.words}")
        return LinkRefused(self._settings.where(), f"answered with {type(answer).__name__}, which was not asked for")

    def _count(self, reason: str, number: int = 1) -> None:
        if number > 0:
            self.context.stats.rejected[reason] += number
