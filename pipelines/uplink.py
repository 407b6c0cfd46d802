"""The agent's side of the broker: records out, confirmations and refusals in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal

import orjson
import structlog

from pipelines.errors import JournalCorrupt, JournalError, LinkClosed, LinkError
from pipelines.mqtt import Message, MqttSession, MqttSettings
from pipelines.outbox import Flight, Outbox
from pipelines.quarantine import Quarantine
from pipelines.topics import AgentTopics, RecordId

_TICK_S: Final = 0.5
Confirm = Literal["stored", "broker"]
log = structlog.get_logger()


class Uplink:
    """Sends what the outbox gives and tells it what came back.

    Args:
        settings: the broker.
        topics: of this agent.
        outbox: the window over the journal.
        quarantine: keeps what the store refused.
        confirm: `stored`: released when the store has it; `broker`: when the broker has it (consumers not ours).
        birth: retained self-description, JSON.
    """

    def __init__(
        self,
        settings: MqttSettings,
        topics: AgentTopics,
        outbox: Outbox,
        quarantine: Quarantine,
        confirm: Confirm,
        birth: bytes,
    ) -> None:
        self.error = "not connected yet"
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._quarantine = quarantine
        self._confirm = confirm
        self._birth = birth
        self._wake = asyncio.Event()
        self._deaf = ""

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self, opened: Callable[[], None]) -> None:
        """One session, from connect to its end.

        Args:
            opened: called once the session is up.

        Raises:
            LinkError: it could not be opened, or it ended.
        """
        try:
            client_id = f"sf-{self._topics.agent}"
            async with MqttSession(self._settings, client_id, self._on_message, on_end=self.wake) as session:
                await session.subscribe([self._topics.stored, self._topics.rejected])
                session.publish(self._topics.birth, self._birth, retain=True)
                opened()
                self.error = ""
                self._outbox.connected()
                await self._send(session)
        except LinkError as error:
            self.error = error.reason
            raise
        finally:
            self._outbox.disconnected()

    async def _send(self, session: MqttSession) -> None:
        while session.over is None:
            self._outbox.check(time.monotonic())
            while (flight := self._outbox.next(time.monotonic())) is not None:
                self._publish(session, flight)
            self._tell_deaf()
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
        raise session.over

    def _publish(self, session: MqttSession, flight: Flight) -> None:
        stored = flight.stored
        try:
            payload = stored.payload()
        except JournalCorrupt as error:
            log.error("record_altered_on_disk", path=str(error.path), reason=error.reason)  # noqa: TRY400 - it says all
            self._outbox.give_up(stored.id)
            return
        except OSError as error:
            raise LinkClosed(str(stored.segment.path), f"cannot read a record: {error.strerror}") from error
        properties = {"agent": self._topics.agent, "record": str(stored.id)}
        if flight.historical:
            properties["historical"] = "1"

        def heard(code: int, reason: str) -> None:
            if code == 0 and self._confirm == "broker":
                self._outbox.confirm(stored.id, time.monotonic())
            self._outbox.heard(stored.id, code, reason)
            self._wake.set()

        session.publish(self._topics.data, payload, properties, heard=heard)

    def _tell_deaf(self) -> None:
        if self._outbox.deaf != self._deaf:
            self._deaf = self._outbox.deaf
            if self._deaf:
                log.warning("not_delivered", endpoint=self._settings.endpoint, reason=self._deaf)
            else:
                log.info("delivered_again", endpoint=self._settings.endpoint)

    def _on_message(self, message: Message) -> None:
        try:
            if message.topic == self._topics.stored:
                now_s = time.monotonic()
                for text in message.payload.decode("ascii").split():
                    self._outbox.confirm(RecordId.parse(text), now_s)
            elif message.topic == self._topics.rejected:
                self._refused(orjson.loads(message.payload))
        except (ValueError, KeyError, TypeError) as error:
            log.warning("message_not_understood", topic=message.topic, reason=str(error))
        except JournalError as error:
            log.error("quarantine_failing", reason=str(error))  # noqa: TRY400 - the reason says it all
        self._wake.set()

    def _refused(self, refusal: dict[str, Any]) -> None:
        """A record with lines the store refused: the lines go to quarantine, then the record goes."""
        record = RecordId.parse(str(refusal["record"]))
        stored = self._outbox.get(record)
        if stored is None:
            return
        refused: list[dict[str, Any]] = [
            {
                "line": str(one["line"]),
                "field": str(one["field"]),
                "points": int(one["points"]),
                "reason": str(one["reason"]),
            }
            for one in refusal["refused"]
        ]
        self._quarantine.put(record, refused)
        for one in refused[:3]:
            log.error("point_quarantined", line=one["line"], reason=one["reason"], kept_in=str(self._quarantine.path))
        points = sum(max(0, one["points"]) for one in refused)
        self._outbox.confirm(record, time.monotonic(), refused_points=min(points, stored.points))
