"""From the broker to the store: stateless, so that any number of bridges share the load.

A message is acknowledged to the broker, and its record confirmed to its agent, only after the store accepted it. A body
the store refuses is bisected down to record, line and field; the culprit goes back to its agent with the store's
reason, and points that are older than the store keeps go back as expired. The payload is forwarded byte for byte,
unpacked where its Content Type says it is packed.

Each company has its own queue and its own task, so that one whose store is away does not stop the others. A company
whose store stays away keeps a few messages to try with; what comes beyond them is handed back: acknowledged to the
broker, so that it does not fill the window of unacknowledged messages (Receive Maximum), and not confirmed, so that
its agent keeps it and sends it again. Acknowledgements are therefore in order within a company only. What a store
asked to wait holds for the process, whatever happens to the session with the broker.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import orjson
import structlog

from pipelines.bridge.lane import PATIENCE, Away, Lane
from pipelines.bridge.record import Record, Stranger, record_of
from pipelines.bridge.refusal import write
from pipelines.bridge.stats import BridgeStats
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import LinkError, RecordRejected, SinkUnavailable
from pipelines.sinks.base import Sink
from pipelines.topics import BRIDGE_GROUP, DATA_FILTER, AgentTopics

_RECEIVE_MAXIMUM: Final = 256
_HELD: Final = 12
"""Messages that all companies whose store stays away may hold together, at least one each: fewer than the 20 that
mosquitto sends ahead by default."""
_SHOWN: Final = 200
_TOLD: Final = 1000
"""Strangers that are logged; the others are only counted."""
_ANSWER_OVERHEAD: Final = 512
"""Most that a PUBLISH takes besides its payload."""
_QUIET_S: Final = 0.2
"""Silence after which a bridge that no longer subscribes has what the broker had on its way."""
log = structlog.get_logger()


@dataclass(slots=True)
class Bridge:
    """One bridge.

    Attributes:
        settings: the broker.
        sink: the store.
        client_id: unique at the broker.
        topics: of the records it takes: those of agents, or what they share with one destination.
        stats: counters.
    """

    settings: MqttSettings
    sink: Sink
    client_id: str
    topics: str = DATA_FILTER
    stats: BridgeStats = field(default_factory=BridgeStats)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _away: dict[str, Away] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _session: MqttSession | None = None
    _taken_s: float = 0.0

    async def run(self, opened: Callable[[], None]) -> None:
        """One session, from connect to its end.

        Args:
            opened: called once the session is up.

        Raises:
            LinkError: it could not be opened, or it ended.
        """
        self._lanes.clear()
        serving = True

        def take(message: Message) -> None:
            if not serving or session.over is not None:
                return  # not acknowledged: the broker or the agent sends it again
            self._taken_s = time.monotonic()
            if message.qos == 0 and sum(len(lane.records) for lane in self._lanes.values()) >= _RECEIVE_MAXIMUM:
                self.stats.strangers += 1  # agents send with QoS 1, which Receive Maximum bounds
            elif isinstance(found := record_of(message), Stranger):
                self._stranger(session, message, found)
            else:
                self._admit(session, group, found)

        def end() -> None:
            for lane in self._lanes.values():
                lane.arrived.set()

        async with (
            MqttSession(
                self.settings, self.client_id, take, manual_ack=True, receive_maximum=_RECEIVE_MAXIMUM, on_end=end
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            try:
                await session.subscribe([BRIDGE_GROUP + self.topics])
                self._session, self.stats.connected = session, True
                opened()
                over = await session.ended()
            except LinkError as error:  # out of the group as it is, not as an ExceptionGroup
                over = error
                session.end(error)
            finally:
                serving = self.stats.connected = False
                self._session = None
        self._lanes.clear()
        raise over

    def alive(self) -> bool:
        """Whether every lane moves, or waits for the store no longer than it may; true without work or store."""
        now_s = time.monotonic()
        return all(now_s < lane.due_s for lane in self._lanes.values())

    @property
    def lanes(self) -> dict[str, tuple[int, str]]:
        """By company: messages not acknowledged, and why its store cannot be written; empty when it can."""
        away = {company: (0, one.error) for company, one in self._away.items()}
        return away | {company: (lane.held, lane.away.error) for company, lane in self._lanes.items()}

    async def drain(self, at_most_s: float) -> None:
        """Take nothing new from the broker and store what is here; returns when it is, or after the time."""
        session = self._session
        if session is None:
            return
        session.unsubscribe([BRIDGE_GROUP + self.topics])
        self._taken_s = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while self._lanes or time.monotonic() - self._taken_s < _QUIET_S:
                    await session.pause(_QUIET_S / 10)

    def _admit(self, session: MqttSession, group: asyncio.TaskGroup, record: Record) -> None:
        company = record.topics.company
        lane = self._lanes.get(company)
        if lane is None:  # there are never more lanes than unacknowledged messages
            lane = self._lanes[company] = Lane(company, self._away.get(company) or Away())
            group.create_task(self._serve(session, lane))
        lane.records.append(record)
        lane.arrived.set()
        self._trim(session, lane)

    async def _serve(self, session: MqttSession, lane: Lane) -> None:
        """Store what a company sends, until there is nothing left or the session ended."""
        while lane.records and session.over is None:
            lane.turned()
            batch = await lane.batch()
            lane.busy = len(batch)
            try:
                await self._store(session, lane, batch)
            except LinkError:
                break
            except SinkUnavailable:
                lane.records.extendleft(reversed(batch))
                lane.busy = 0
                self._trim(session, lane)
                await self._rest(session, lane)
            lane.busy = 0
        if self._lanes.get(lane.company) is lane:
            del self._lanes[lane.company]
        self._tell_error()

    def _trim(self, session: MqttSession, lane: Lane) -> None:
        """Hand back what a company whose store stays away may not hold, newest first."""
        if lane.away.failures < PATIENCE:
            return
        away = sum(one.away.failures >= PATIENCE for one in self._lanes.values())
        while lane.records and lane.held > max(1, _HELD // max(1, away)):
            session.ack(lane.records.pop().message)
            self.stats.handed_back += 1

    async def _store(self, session: MqttSession, lane: Lane, batch: Sequence[Record]) -> None:
        refused = await write(batch, partial(self._attempt, session, lane))
        if session.over is not None:
            raise session.over  # nobody hears the confirmation: the agent sends again, and is counted then
        stored: dict[AgentTopics, list[str]] = defaultdict(list)
        for record in batch:
            if refusal := refused.get(record.id):
                answer = orjson.dumps(refusal.answer(record.id))
                most = session.max_packet_bytes
                if most is not None and len(answer) + _ANSWER_OVERHEAD > most:
                    first = refusal.lines[0]["reason"] if refusal.lines else refusal.expired.reason
                    reason = f"{len(refusal.lines)} of its fields were refused, the first because: {first}"
                    answer = orjson.dumps({"record": str(record.id), "reason": reason})
                session.publish(record.topics.rejected, answer)
                self.stats.rejected += len(refusal.lines)
                self.stats.expired += refusal.expired.points
            else:
                stored[record.topics].append(str(record.id))
            session.ack(record.message)
            self.stats.records += 1
            self.stats.bytes += len(record.message.payload)
        for topics, ids in stored.items():
            session.publish(topics.stored, "\n".join(ids).encode())

    async def _attempt(self, session: MqttSession, lane: Lane, parts: Sequence[bytes]) -> RecordRejected | None:
        """Write, and write again while the store is away for a moment and the session lives; or its refusal.

        Raises:
            SinkUnavailable: the store stays away.
            LinkError: the session ended; the broker or the agent sends again.
        """
        body = b"\n".join(parts) + b"\n"
        refusal = None
        while True:
            await self._rest(session, lane)
            if session.over is not None:
                raise session.over
            lane.writes()
            try:
                await self.sink.write(lane.company, body)
            except SinkUnavailable as error:
                self._failed(lane, error)
                if lane.away.failures >= PATIENCE:
                    raise
                continue
            except RecordRejected as error:
                refusal = error
            finally:
                lane.turned()
            if lane.away.failures:
                log.info("store_available", sink=self.sink.name, company=lane.company)
                self._away.pop(lane.company, None)
                lane.away = Away()
                self._tell_error()
            return refusal

    def _failed(self, lane: Lane, error: SinkUnavailable) -> None:
        if not lane.away.failures:
            log.warning("store_unavailable", sink=error.sink, company=lane.company, reason=error.reason)
            now_s = time.monotonic()
            for company in [
                name for name, one in self._away.items() if one.until_s < now_s and name not in self._lanes
            ]:
                del self._away[company]  # nobody sends for it any more
        self._away[lane.company] = lane.away
        lane.away.failed(error)
        self.stats.store_errors += 1
        self._tell_error()

    async def _rest(self, session: MqttSession, lane: Lane) -> None:
        """Wait until the store may be asked again, but no longer than the session lives."""
        if (left_s := lane.away.until_s - time.monotonic()) > 0:
            lane.rests()
            await session.pause(left_s)
            lane.turned()

    def _tell_error(self) -> None:
        self.stats.error = next((lane.away.error for lane in self._lanes.values() if lane.away.error), "")

    def _stranger(self, session: MqttSession, message: Message, found: Stranger) -> None:
        """Count it, and tell its agent where there is one."""
        self.stats.strangers += 1
        if message.topic not in self._told and len(self._told) < _TOLD:
            self._told.add(message.topic)
            log.warning("not_a_record", topic=message.topic[:_SHOWN], reason=found.reason)
        if found.topics is not None:
            answer = {"record": str(found.id), "reason": found.reason}
            session.publish(found.topics.rejected, orjson.dumps(answer))
        session.ack(message)
