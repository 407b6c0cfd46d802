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
from typing import Final

import orjson
import structlog

from pipelines.encode.split import field_name, split_fields, split_lines
from pipelines.errors import RecordRejected, SinkUnavailable
from pipelines.mqtt import Message, MqttSession, MqttSettings
from pipelines.sinks.base import Sink
from pipelines.topics import BRIDGE_GROUP, DATA_FILTER, AgentTopics, RecordId

_BATCH_BYTES: Final = 4 << 20
_BATCH_S: Final = 0.02
_RECEIVE_MAXIMUM: Final = 256
_BACKOFF_S: Final = (0.2, 30.0)
_NO_POINT: Final = ("_quality", "_source_time")
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
        waiting: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=_RECEIVE_MAXIMUM + 1)

        def end() -> None:
            with suppress(asyncio.QueueFull):
                waiting.put_nowait(None)

        async with MqttSession(
            self.settings,
            self.client_id,
            waiting.put_nowait,
            manual_ack=True,
            receive_maximum=_RECEIVE_MAXIMUM,
            on_end=end,
        ) as session:
            await session.subscribe([(BRIDGE_GROUP if self.shared else "") + DATA_FILTER])
            opened()
            while session.over is None:
                batch = await _batch(waiting)
                await self._store(session, batch)
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
            stored: dict[AgentTopics, list[str]] = defaultdict(list)
            for record in records:
                if lines := refused.get(record.id):
                    answer = {"record": str(record.id), "refused": lines}
                    session.publish(record.topics.rejected, orjson.dumps(answer))
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
        try:
            await self._until_available(session, company, b"".join(_body(record) for record in records))
        except RecordRejected as error:
            if len(records) > 1:
                half = len(records) // 2
                left = await self._write(session, company, records[:half])
                return left | await self._write(session, company, records[half:])
            lines = split_lines(records[0].message.payload)
            culprits = await self._bisect(session, company, lines, error.reason)
            self.stats.rejected += len(culprits)
            return {records[0].id: culprits} if culprits else {}
        return {}

    async def _bisect(
        self, session: MqttSession, company: str, lines: list[bytes], reason: str
    ) -> list[dict[str, object]]:
        """Refused lines of one field each; everything else of `lines` is stored."""
        if len(lines) == 1:
            fields = split_fields(lines[0])
            if len(fields) == 1:
                name = field_name(lines[0])
                points = int(not name.endswith(_NO_POINT))
                text = lines[0].decode(errors="replace")
                return [{"line": text, "field": name, "points": points, "reason": reason}]
            lines = fields
        culprits = []
        half = len(lines) // 2
        for part in (lines[:half], lines[half:]):
            try:
                await self._until_available(session, company, b"\n".join(part) + b"\n")
            except RecordRejected as error:
                culprits += await self._bisect(session, company, part, error.reason)
        return culprits

    async def _until_available(self, session: MqttSession, company: str, body: bytes) -> None:
        """Write, and write again for as long as the store is unavailable and the session lives.

        Raises:
            RecordRejected: the store will never take this body.
            LinkError: the session ended; the broker or the agent sends again.
        """
        delay = _BACKOFF_S[0]
        while True:
            try:
                await self.sink.write(company, body)
            except SinkUnavailable as error:
                if not self.stats.error:
                    log.warning("store_unavailable", sink=error.sink, reason=error.reason)
                self.stats.error = error.reason
                if session.over is not None:
                    raise session.over from error
                await asyncio.sleep(error.retry_after_s or random.uniform(0, delay))  # noqa: S311 - full jitter
                delay = min(delay * 2, _BACKOFF_S[1])
            else:
                if self.stats.error:
                    log.info("store_available", sink=self.sink.name)
                self.stats.error = ""
                return

    def _record(self, message: Message) -> Record | None:
        try:
            return Record(message, AgentTopics.of(message.topic), RecordId.parse(message.properties["record"]))
        except (ValueError, KeyError) as error:
            self.stats.strangers += 1
            log.warning("not_a_record", topic=message.topic, reason=str(error))
            return None


def _body(record: Record) -> bytes:
    payload = record.message.payload
    return payload if payload.endswith(b"\n") else payload + b"\n"


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
