"""From the broker to the store: stateless, so that any number of bridges share the load.

A message is acknowledged to the broker, and its record confirmed to its agent, only after the store accepted it. A body
the store refuses is bisected down to record, line and field; the culprit goes back to its agent with the store's
reason. The payload is forwarded byte for byte, unpacked where its Content Type says it is packed.

Each company has its own queue and its own task, so that one whose store is away does not stop the others. A company
whose store stays away keeps a few messages to try with; what comes beyond them is handed back: acknowledged to the
broker, so that it does not fill the window of unacknowledged messages (Receive Maximum), and not confirmed, so that
its agent keeps it and sends it again. Acknowledgements are therefore in order within a company only.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from pipelines.belongs import fault_of
from pipelines.compress import unpack
from pipelines.encode.split import field_name, split_fields, split_lines
from pipelines.errors import LinkError, PayloadRefused, RecordRejected, RecordTooLarge, SinkUnavailable
from pipelines.mqtt import Message, MqttSession
from pipelines.mqtt_settings import MqttSettings
from pipelines.settings import RESERVED_ENDINGS, Name
from pipelines.sift import sift
from pipelines.sinks.base import Sink
from pipelines.topics import BRIDGE_GROUP, DATA_FILTER, AgentTopics, RecordId

_BATCH_BYTES: Final = 4 << 20
_BATCH_S: Final = 0.02
_RECEIVE_MAXIMUM: Final = 256
_BACKOFF_S: Final = (0.2, 30.0)
_PATIENCE: Final = 3
"""Failures in a row after which a company hands back what it cannot hold."""
_HELD: Final = 12
"""Messages that all companies whose store stays away may hold together, at least one each: fewer than the 20 that
mosquitto sends ahead by default."""
_SHOWN: Final = 200
_TOLD: Final = 1000
"""Strangers that are logged; the others are only counted."""
_COMPANY: Final[TypeAdapter[str]] = TypeAdapter(Name)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Record:
    """A record on its way to the store."""

    message: Message
    topics: AgentTopics
    id: RecordId


@dataclass(slots=True)
class _Lane:
    """The messages of one company that are not acknowledged.

    Attributes:
        company: the tenant.
        records: waiting, oldest first.
        arrived: set when one came or the session ended.
        busy: records that are being stored.
        failures: attempts in a row that found the store away.
        error: why; empty when it is not.
    """

    company: str
    records: deque[Record] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    busy: int = 0
    failures: int = 0
    error: str = ""


@dataclass(slots=True)
class BridgeStats:
    """What a bridge did since it started.

    Attributes:
        records: records stored.
        bytes: of their payloads.
        rejected: fields the store refused.
        strangers: messages that were no records of ours, or not their agent's own.
        handed_back: messages of companies whose store stays away; their agents send them again.
        error: why the store cannot be written, of one company; empty when it can.
    """

    records: int = 0
    bytes: int = 0
    rejected: int = 0
    strangers: int = 0
    handed_back: int = 0
    error: str = ""


@dataclass(slots=True)
class Bridge:
    """One bridge.

    Attributes:
        settings: the broker.
        sink: the store.
        client_id: unique at the broker.
        stats: counters.
    """

    settings: MqttSettings
    sink: Sink
    client_id: str
    stats: BridgeStats = field(default_factory=BridgeStats)
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

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
            if message.qos == 0 and sum(len(lane.records) for lane in self._lanes.values()) >= _RECEIVE_MAXIMUM:
                self.stats.strangers += 1  # agents send with QoS 1, which Receive Maximum bounds
            elif (record := self._record(session, message)) is None:
                session.ack(message)
            else:
                self._admit(session, group, record)

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
                await session.subscribe([BRIDGE_GROUP + DATA_FILTER])
                opened()
                over = await session.ended()
            except LinkError as error:  # out of the group as it is, not as an ExceptionGroup
                over = error
                session.end(error)
            finally:
                serving = False
        raise over

    def _admit(self, session: MqttSession, group: asyncio.TaskGroup, record: Record) -> None:
        company = record.topics.company
        lane = self._lanes.get(company)
        if lane is None:  # there are never more lanes than unacknowledged messages
            lane = self._lanes[company] = _Lane(company)
            group.create_task(self._serve(session, lane))
        lane.records.append(record)
        lane.arrived.set()
        self._trim(session, lane)

    async def _serve(self, session: MqttSession, lane: _Lane) -> None:
        """Store what a company sends, until there is nothing left or the session ended."""
        while lane.records and session.over is None:
            batch = await _batch(lane, session)
            lane.busy = len(batch)
            try:
                await self._store(session, lane, batch)
            except LinkError:
                break
            except SinkUnavailable as error:
                lane.records.extendleft(reversed(batch))
                lane.busy = 0
                self._trim(session, lane)
                await self._wait(session, lane, error)
            lane.busy = 0
        if self._lanes.get(lane.company) is lane:
            del self._lanes[lane.company]
        self.stats.error = next((one.error for one in self._lanes.values() if one.error), "")

    def _trim(self, session: MqttSession, lane: _Lane) -> None:
        """Hand back what a company whose store stays away may not hold, newest first."""
        if lane.failures < _PATIENCE:
            return
        away = sum(one.failures >= _PATIENCE for one in self._lanes.values())
        while lane.records and lane.busy + len(lane.records) > max(1, _HELD // max(1, away)):
            session.ack(lane.records.pop().message)
            self.stats.handed_back += 1

    async def _store(self, session: MqttSession, lane: _Lane, batch: Sequence[Record]) -> None:
        refused = await self._write(session, lane, batch)
        if session.over is not None:
            raise session.over  # nobody hears the confirmation: the agent sends again, and is counted then
        stored: dict[AgentTopics, list[str]] = defaultdict(list)
        for record in batch:
            if lines := refused.get(record.id):
                answer = {"record": str(record.id), "refused": lines}
                session.publish(record.topics.rejected, orjson.dumps(answer))
                self.stats.rejected += len(lines)
            else:
                stored[record.topics].append(str(record.id))
            session.ack(record.message)
            self.stats.records += 1
            self.stats.bytes += len(record.message.payload)
        for topics, ids in stored.items():
            session.publish(topics.stored, "\n".join(ids).encode())

    async def _write(
        self, session: MqttSession, lane: _Lane, records: Sequence[Record]
    ) -> dict[RecordId, list[dict[str, object]]]:
        """Store the records of one company; what the store refuses of them, by record."""
        bodies = [record.message.payload.rstrip(b"\n") for record in records]
        attempt = partial(self._attempt, session, lane)
        if len(records) == 1:
            culprits = [0]
        elif await attempt(bodies) is None:
            return {}
        else:
            culprits = sorted(await sift(bodies, attempt, points=False))
        refused = {}
        for number in culprits:
            lines = split_lines(bodies[number])
            refused[records[number].id] = [
                _refusal(line, reason) for line, reason in await self._write_lines(session, lane, lines)
            ]
        return refused

    async def _write_lines(self, session: MqttSession, lane: _Lane, lines: list[bytes]) -> list[tuple[bytes, str]]:
        """Store lines; what the store refuses of them, cut down to lines of one field, with its reasons."""
        if not lines:
            return []
        attempt = partial(self._attempt, session, lane)
        refusal = await attempt(lines)
        if refusal is None:
            return []
        if isinstance(refusal, RecordTooLarge) and len(lines) > 1:
            half = len(lines) // 2
            left = await self._write_lines(session, lane, lines[:half])
            return left + await self._write_lines(session, lane, lines[half:])
        # Sorted by field, so that a field of a changed type is one stretch.
        pieces = sorted((piece for line in lines for piece in split_fields(line)), key=field_name)
        if len(pieces) == 1:
            return [(pieces[0], refusal.reason)]
        refused = await sift(pieces, attempt, points=True)
        return [(pieces[number], refused[number]) for number in sorted(refused)]

    async def _attempt(self, session: MqttSession, lane: _Lane, parts: Sequence[bytes]) -> RecordRejected | None:
        """Write, and write again while the store is away for a moment and the session lives; or its refusal.

        Raises:
            SinkUnavailable: the store stays away.
            LinkError: the session ended; the broker or the agent sends again.
        """
        body = b"\n".join(parts) + b"\n"
        refusal = None
        while True:
            if session.over is not None:
                raise session.over
            try:
                await self.sink.write(lane.company, body)
            except SinkUnavailable as error:
                if not lane.failures:
                    log.warning("store_unavailable", sink=error.sink, company=lane.company, reason=error.reason)
                lane.failures += 1
                lane.error = self.stats.error = error.reason
                if lane.failures >= _PATIENCE:
                    raise
                await self._wait(session, lane, error)
                continue
            except RecordRejected as error:
                refusal = error
            if lane.failures:
                log.info("store_available", sink=self.sink.name, company=lane.company)
                lane.failures, lane.error = 0, ""
                self.stats.error = next((one.error for one in self._lanes.values() if one.error), "")
            return refusal

    async def _wait(self, session: MqttSession, lane: _Lane, error: SinkUnavailable) -> None:
        """Full jitter on a delay that doubles, after what the store asked for."""
        longest_s = min(_BACKOFF_S[0] * 2 ** min(lane.failures - 1, 16), _BACKOFF_S[1])
        await session.pause((error.retry_after_s or 0) + random.uniform(0, longest_s))  # noqa: S311 - no secret

    def _record(self, session: MqttSession, message: Message) -> Record | None:
        """The record a message is; a stranger is counted, and its agent told where there is one."""
        try:
            topics = AgentTopics.of(message.topic)
            if not _is_name(topics.company):
                self._stranger(message, "the company names a database: letters, digits, '_', '.' and '-' only")
                return None
            record = Record(message, topics, RecordId.parse(message.properties["record"]))
        except (ValueError, KeyError) as error:
            self._stranger(message, "no User Property `record`" if isinstance(error, KeyError) else str(error))
            return None
        try:
            message = replace(message, payload=unpack(message.payload, message.content_type))
            record = replace(record, message=message)
        except PayloadRefused as error:
            self._stranger(message, str(error))
            session.publish(topics.rejected, orjson.dumps({"record": str(record.id), "reason": str(error)}))
            return None
        if fault := fault_of(message.payload.rstrip(b"\n"), topics.company, topics.site):
            self._stranger(message, fault)
            session.publish(topics.rejected, orjson.dumps({"record": str(record.id), "reason": fault}))
            return None
        return record

    def _stranger(self, message: Message, reason: str) -> None:
        self.stats.strangers += 1
        if message.topic not in self._told and len(self._told) < _TOLD:
            self._told.add(message.topic)
            log.warning("not_a_record", topic=message.topic[:_SHOWN], reason=reason)


def _is_name(text: str) -> bool:
    try:
        _COMPANY.validate_python(text)
    except ValidationError:
        return False
    return True


def _refusal(line: bytes, reason: str) -> dict[str, object]:
    name = field_name(line)
    points = int(not name.endswith(RESERVED_ENDINGS))
    return {"line": line.decode(errors="replace"), "field": name, "points": points, "reason": reason}


async def _batch(lane: _Lane, session: MqttSession) -> list[Record]:
    """The first record and what comes within a moment, up to a size."""
    batch: list[Record] = []
    size = 0
    until = time.monotonic() + _BATCH_S
    while session.over is None:
        while lane.records and size < _BATCH_BYTES:
            batch.append(lane.records.popleft())
            size += len(batch[-1].message.payload)
        left = until - time.monotonic()
        if size >= _BATCH_BYTES or left <= 0:
            break
        lane.arrived.clear()
        lane.busy = len(batch)
        try:
            async with asyncio.timeout(left):
                await lane.arrived.wait()
        except TimeoutError:
            break
    return batch
