"""From the broker to the store: stateless, so that any number of bridges share the load.

A message is acknowledged to the broker, and its record confirmed to its agent, only after the store accepted it. A body
the store refuses is bisected down to record, line and field; the culprit goes back to its agent with the store's
reason. The payload is forwarded byte for byte.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from pipelines.encode.split import field_name, split_fields, split_lines
from pipelines.errors import RecordRejected, RecordTooLarge, SinkUnavailable
from pipelines.mqtt import Message, MqttSession, MqttSettings
from pipelines.settings import RESERVED_ENDINGS, Name
from pipelines.sift import sift
from pipelines.sinks.base import Sink
from pipelines.topics import BRIDGE_GROUP, DATA_FILTER, AgentTopics, RecordId

_BATCH_BYTES: Final = 4 << 20
_BATCH_S: Final = 0.02
_RECEIVE_MAXIMUM: Final = 256
_BACKOFF_S: Final = (0.2, 30.0)
_SHOWN: Final = 200
_COMPANY: Final[TypeAdapter[str]] = TypeAdapter(Name)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Record:
    """A record on its way to the store."""

    message: Message
    topics: AgentTopics
    id: RecordId


@dataclass(slots=True)
class BridgeStats:
    """What a bridge did since it started.

    Attributes:
        records: records stored.
        bytes: of their payloads.
        rejected: fields the store refused.
        strangers: messages that were no records of ours.
        error: why the store cannot be written; empty when it can.
    """

    records: int = 0
    bytes: int = 0
    rejected: int = 0
    strangers: int = 0
    error: str = ""


@dataclass(slots=True)
class Bridge:
    """One bridge.

    Attributes:
        settings: the broker.
        sink: the store.
        client_id: unique at the broker.
        shared: subscribe through `$share/bridge/`; off for brokers without shared subscriptions.
        stats: counters.
    """

    settings: MqttSettings
    sink: Sink
    client_id: str
    shared: bool = True
    stats: BridgeStats = field(default_factory=BridgeStats)

    async def run(self, opened: Callable[[], None]) -> None:
        """One session, from connect to its end.

        Args:
            opened: called once the session is up.

        Raises:
            LinkError: it could not be opened, or it ended.
        """
        waiting: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=2 * _RECEIVE_MAXIMUM + 1)

        def take(message: Message) -> None:
            if message.qos == 0 and waiting.qsize() >= _RECEIVE_MAXIMUM:
                self.stats.strangers += 1  # agents send with QoS 1, which Receive Maximum bounds
                return
            waiting.put_nowait(message)

        def end() -> None:
            with suppress(asyncio.QueueFull):
                waiting.put_nowait(None)

        async with MqttSession(
            self.settings,
            self.client_id,
            take,
            manual_ack=True,
            receive_maximum=_RECEIVE_MAXIMUM,
            on_end=end,
        ) as session:
            await session.subscribe([(BRIDGE_GROUP if self.shared else "") + DATA_FILTER])
            opened()
            while session.over is None:
                await self._store(session, await _batch(waiting))
            raise session.over

    async def _store(self, session: MqttSession, batch: Sequence[Message]) -> None:
        companies: dict[str, list[Record]] = defaultdict(list)
        for message in batch:
            record = self._record(message)
            if record is None:
                session.ack(message)
            else:
                companies[record.topics.company].append(record)
        for company, records in companies.items():
            refused = await self._write(session, company, records)
            if session.over is not None:
                raise session.over  # nobody hears the confirmation: the agent sends again, and is counted then
            stored: dict[AgentTopics, list[str]] = defaultdict(list)
            for record in records:
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
        self, session: MqttSession, company: str, records: Sequence[Record]
    ) -> dict[RecordId, list[dict[str, object]]]:
        """Store the records of one company; what the store refuses of them, by record."""
        bodies = [record.message.payload.rstrip(b"\n") for record in records]
        attempt = partial(self._attempt, session, company)
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
                _refusal(line, reason) for line, reason in await self._write_lines(session, company, lines)
            ]
        return refused

    async def _write_lines(self, session: MqttSession, company: str, lines: list[bytes]) -> list[tuple[bytes, str]]:
        """Store lines; what the store refuses of them, cut down to lines of one field, with its reasons."""
        if not lines:
            return []
        attempt = partial(self._attempt, session, company)
        refusal = await attempt(lines)
        if refusal is None:
            return []
        if isinstance(refusal, RecordTooLarge) and len(lines) > 1:
            half = len(lines) // 2
            left = await self._write_lines(session, company, lines[:half])
            return left + await self._write_lines(session, company, lines[half:])
        # Sorted by field, so that a field of a changed type is one stretch.
        pieces = sorted((piece for line in lines for piece in split_fields(line)), key=field_name)
        if len(pieces) == 1:
            return [(pieces[0], refusal.reason)]
        refused = await sift(pieces, attempt, points=True)
        return [(pieces[number], refused[number]) for number in sorted(refused)]

    async def _attempt(self, session: MqttSession, company: str, parts: Sequence[bytes]) -> RecordRejected | None:
        """Write, and write again for as long as the store is unavailable and the session lives; or its refusal.

        Raises:
            LinkError: the session ended; the broker or the agent sends again.
        """
        body = b"\n".join(parts) + b"\n"
        delay = _BACKOFF_S[0]
        refusal = None
        while True:
            if session.over is not None:
                raise session.over
            try:
                await self.sink.write(company, body)
            except SinkUnavailable as error:
                if not self.stats.error:
                    log.warning("store_unavailable", sink=error.sink, company=company, reason=error.reason)
                self.stats.error = error.reason
                jitter_s = random.uniform(0, delay)  # noqa: S311 - full jitter
                await session.pause((error.retry_after_s or 0) + jitter_s)
                delay = min(delay * 2, _BACKOFF_S[1])
                continue
            except RecordRejected as error:
                refusal = error
            if self.stats.error:
                log.info("store_available", sink=self.sink.name)
            self.stats.error = ""
            return refusal

    def _record(self, message: Message) -> Record | None:
        try:
            topics = AgentTopics.of(message.topic)
            if not _is_name(topics.company):
                self._stranger(message, "the company names a database: letters, digits, '_', '.' and '-' only")
                return None
            return Record(message, topics, RecordId.parse(message.properties["record"]))
        except (ValueError, KeyError) as error:
            self._stranger(message, "no User Property `record`" if isinstance(error, KeyError) else str(error))
            return None

    def _stranger(self, message: Message, reason: str) -> None:
        self.stats.strangers += 1
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


async def _batch(waiting: asyncio.Queue[Message | None]) -> list[Message]:
    """The first message and what comes within a moment, up to a size."""
    first = await waiting.get()
    batch = [first] if first is not None else []
    size = len(first.payload) if first is not None else _BATCH_BYTES
    until = time.monotonic() + _BATCH_S
    while size < _BATCH_BYTES and (left := until - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                message = await waiting.get()
        except TimeoutError:
            break
        if message is None:
            break
        batch.append(message)
        size += len(message.payload)
    return batch
