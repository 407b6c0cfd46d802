"""The agent's side of the broker: records out, confirmations and refusals in."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import structlog

from pipelines.delivery.answers import KEPT_S, PAST_S, Answers
from pipelines.delivery.births import Births
from pipelines.delivery.compress import pack
from pipelines.delivery.flight import Flight
from pipelines.delivery.hangups import SLOW_S, HangUps
from pipelines.delivery.later import TOO_FAR_NS
from pipelines.delivery.mqtt import Message, MqttSession, reachable
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.delivery.outbox import PACKET_TOO_LARGE, Outbox
from pipelines.delivery.refusals import Refusals
from pipelines.errors import JournalCorrupt, JournalError, LinkClosed, LinkError, LinkUntrusted
from pipelines.quarantine import Quarantine
from pipelines.topics import AgentTopics

_TICK_S: Final = 0.5
_MOST_PACKET: Final = 268_435_455
"""Largest packet of MQTT (MQTT 5 §2.1.4), whatever the broker takes."""
_BIRTH_S: Final = 0.5
"""Longest wait for the retained birth: the broker sends it with its answer to the subscription, or has none."""
_HEADER_BYTES: Final = 160
"""Most that a PUBLISH takes besides topic, agent and payload: fixed header, packet identifier, properties."""
_REMEDY: Final = "raise the largest message of the broker (mosquitto: message_size_limit, max_packet_size)"
_STUCK_S: Final = 10.0
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
        births: of this agent.

    Attributes:
        refusals: acts on what the store refuses.
        error: why nothing can be sent; empty when it can.
        sessions: that were opened since the start.
        answers: takes what comes back.
    """

    def __init__(
        self,
        settings: MqttSettings,
        topics: AgentTopics,
        outbox: Outbox,
        quarantine: Quarantine,
        confirm: Confirm,
        births: Births,
    ) -> None:
        self.error = "not connected yet"
        self.refusals = Refusals(outbox, quarantine)
        self.sessions = 0
        self.answers = Answers(topics, outbox, self.refusals, births, self.wake)
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._confirm = confirm
        self._births = births
        self._hang_ups = HangUps()
        self._wake = asyncio.Event()
        self._deaf = ""
        self._moved = False
        self._told: Mapping[str, Any] | None = None
        self._turned_s = math.inf
        self._overhead = len(topics.data.encode()) + len(topics.agent.encode()) + _HEADER_BYTES

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def move(self, settings: MqttSettings, facts: Mapping[str, Any]) -> None:
        """From now on at another broker, or with another self-description."""
        self._moved = self._moved or settings != self._settings
        self._settings, self._births.facts = settings, facts
        self._wake.set()

    def alive(self, now_s: float) -> bool:
        """Whether a session that is open turned lately; to open one has a time-out of its own."""
        return now_s - self._turned_s < _STUCK_S

    async def run(self, opened: Callable[[], None]) -> None:
        """One session, from connect to its end.

        Args:
            opened: called once the session is up.

        Raises:
            LinkError: it could not be opened, or it ended.
        """
        session = self._session()
        opened_s = time.monotonic()
        try:
            async with session:
                await self._look_for_others(session)
                opened()
                self.error = ""
                self.sessions += 1
                self._outbox.connected(waits=session.resumed)
                self._moved, self._told = False, None
                await self._send(session)
        except LinkError as error:
            failed = await self._why(session, error, time.monotonic() - opened_s)
            self.error = failed.reason
            raise failed from error
        finally:
            self._turned_s = math.inf
            self._outbox.disconnected()
            for stored in self._outbox.suspicion.ending:
                self.refusals.keep_whole(
                    stored, f"the broker ends the session each time this record is sent; {_REMEDY}"
                )

    def _session(self) -> MqttSession:
        client_id, kept_s = self._topics.client_id, KEPT_S
        if self._births.rival:  # only looks: it does not take the session away from the other one
            client_id, kept_s = f"{client_id}-{secrets.token_hex(4)}", 0

        def take(message: Message) -> None:
            self.answers.take(session, message)

        self.answers.begin()
        session = MqttSession(self._settings, client_id, take, manual_ack=True, kept_s=kept_s, on_end=self.wake)
        return session

    async def _look_for_others(self, session: MqttSession) -> None:
        """Read the retained birth before this process publishes its own.

        Raises:
            LinkUntrusted: another agent publishes under this identity.
            LinkError: the session ended.
        """
        await session.subscribe([self._topics.stored, self._topics.rejected])
        try:
            await session.subscribe([self._topics.birth])
        except LinkUntrusted as error:
            log.warning("births_not_readable", topic=self._topics.birth, reason=error.reason)
        while not self.answers.born.is_set() and session.over is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_BIRTH_S):
                    await self.answers.born.wait()
            if time.monotonic() - self.answers.heard_s >= _BIRTH_S:
                break  # nothing comes any more: there is none
        if session.over is not None:
            raise session.over
        await self._stop_for_another(session)
        try:
            await asyncio.to_thread(self._births.keep)
        except JournalError as error:
            log.error("epoch_not_kept", reason=str(error))  # noqa: TRY400 - the reason says it all

    async def _stop_for_another(self, session: MqttSession) -> None:
        """Tell the other one, where there is one, that it is not alone.

        Raises:
            LinkUntrusted: there is one.
        """
        if self._births.rival:
            told = asyncio.Event()
            session.publish(self._topics.birth, self._births.protest(), heard=lambda *_: told.set())
            with suppress(TimeoutError):
                async with asyncio.timeout(_BIRTH_S):
                    await told.wait()
            raise LinkUntrusted(self._settings.endpoint, self._births.rival, SLOW_S)

    async def _why(self, session: MqttSession, error: LinkError, held_s: float) -> LinkError:
        """What ended a session; a client id that another client uses, where it looks like that."""
        if self._births.rival:
            return error
        answers = session.hung_up and await reachable(self._settings)
        large = self._outbox.may_be_size
        if self._hang_ups.ended(held_s, hung_up=session.hung_up, answers=answers, may_be_size=large):
            reason = (
                f"the broker takes connections and hangs up again and again: another client uses the client id "
                f"{self._topics.client_id}; every agent needs its own state folder, every other client another id"
            )
            return LinkUntrusted(self._settings.endpoint, reason, SLOW_S)
        return error

    def _works(self, _code: int, _reason: str) -> None:
        self._outbox.suspicion.works = True
        self._wake.set()

    async def _send(self, session: MqttSession) -> None:
        past_s = time.monotonic() + PAST_S
        while session.over is None:
            self._turned_s = time.monotonic()
            if self._moved:
                raise LinkClosed(self._settings.endpoint, "the configuration has another broker, login or compression")
            await self._stop_for_another(session)
            if self._told != self._births.facts:
                self._told = self._births.facts
                session.publish(self._topics.birth, self._births.birth(), retain=True, heard=self._works)
            if self._outbox.waits and self._turned_s > past_s:
                self.answers.caught_up()
            self._outbox.check(time.monotonic())
            self.refusals.try_parked(time.monotonic())
            self._wake.clear()
            while session.over is None and (flight := self._next()) is not None:
                self._publish(session, flight)
                await asyncio.sleep(0)  # to read and pack a record takes milliseconds, and there may be hundreds
                if time.monotonic() - self._turned_s > _TICK_S:
                    self._wake.set()
                    break
            self._tell_deaf()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
        raise session.over

    def _next(self) -> Flight | None:
        """The record to send now.

        Raises:
            LinkClosed: it cannot be read now.
        """
        try:
            return self._outbox.next(time.monotonic())
        except OSError as error:
            raise LinkClosed(str(error.filename or "journal"), f"cannot read a segment: {error.strerror}") from error

    def _publish(self, session: MqttSession, flight: Flight) -> None:
        stored = flight.stored
        if self.refusals.keeps(stored.id):
            return
        try:
            payload = stored.payload()
        except JournalCorrupt as error:
            log.error("record_altered_on_disk", path=str(error.path), reason=error.reason)  # noqa: TRY400 - it says all
            self._outbox.give_up(stored.id)
            return
        except OSError as error:
            raise LinkClosed(str(stored.segment.path), f"cannot read a record: {error.strerror}") from error
        if (ahead_ns := self._outbox.later.ahead_ns(stored)) > TOO_FAR_NS:
            self.refusals.keep_whole(stored, f"stamped {ahead_ns / 3.6e12:.0f} h ahead by a wrong clock")
            return
        packed, content_type = pack(payload, self._settings.compression)
        most = min(session.max_packet_bytes or _MOST_PACKET, _MOST_PACKET)
        if len(packed) + self._overhead > most:
            self.refusals.keep_whole(
                stored, f"too large for the broker, which takes packets of {most} bytes; {_REMEDY}"
            )
            return
        properties = {"agent": self._topics.agent, "record": str(stored.id)}
        if flight.historical:
            properties["historical"] = "1"

        def heard(code: int, reason: str) -> None:
            if code == 0 and self._confirm == "broker":
                self._outbox.confirm(stored.id, time.monotonic())
            self._outbox.heard(stored.id, code, reason, time.monotonic())
            if code == PACKET_TOO_LARGE:
                self.refusals.keep_whole(stored, f"the broker says: {reason}; {_REMEDY}")
            self._wake.set()

        session.publish(self._topics.data, packed, properties, content_type=content_type, heard=heard)

    def _tell_deaf(self) -> None:
        if self._outbox.deaf != self._deaf:
            self._deaf = self._outbox.deaf
            if self._deaf:
                log.warning("not_delivered", endpoint=self._settings.endpoint, reason=self._deaf)
            else:
                log.info("delivered_again", endpoint=self._settings.endpoint)
