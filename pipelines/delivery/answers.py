"""What comes back to an agent: confirmations, refusals and births, also those that came while nobody listened.

The broker keeps them for a while (`KEPT_S`) and hands them out at the next connect, ahead of this session's own birth.
Until that is heard, and no longer than `PAST_S`, nothing is sent again that they may be about. All is acknowledged at
once: a broker hands out few at a time, and behind them comes the birth that tells whether another agent runs under this
identity. What a twin takes that way is sent again by the other one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import orjson
import structlog

from pipelines.delivery.births import Births
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.outbox import Outbox
from pipelines.delivery.refusals import Refusals
from pipelines.errors import JournalError, LinkClosed
from pipelines.topics import AgentTopics, RecordId

KEPT_S: Final = 3600
"""How long the broker keeps what comes while the agent is away; it is sent again after that, and by brokers that keep
nothing."""
PAST_S: Final = 2.0
"""Longest wait for what was kept, once this session's birth went out."""
log = structlog.get_logger()


class Answers:
    """What comes back, one session after the other.

    Args:
        topics: of this agent.
        outbox: the window over the journal.
        refusals: acts on what the store refuses.
        births: of this agent.
        heard: called after each message.

    Attributes:
        foreign: confirmations and refusals of records that no process of this state folder made.
        heard_s: when the last message came, monotonic seconds.
        born: set once the birth that the broker retains is heard, or one that goes out now.
    """

    def __init__(
        self, topics: AgentTopics, outbox: Outbox, refusals: Refusals, births: Births, heard: Callable[[], None]
    ) -> None:
        self.foreign = 0
        self.born = asyncio.Event()
        self._topics = topics
        self._outbox = outbox
        self._refusals = refusals
        self._births = births
        self._heard = heard
        self.heard_s = 0.0
        self._past = False

    def begin(self) -> None:
        """A session begins."""
        self.born.clear()
        self._past = True

    def caught_up(self) -> None:
        """What the broker had kept is heard, or is not waited for any more."""
        self._past = False
        self._outbox.caught_up()

    def take(self, session: MqttSession, message: Message) -> None:
        """A message came; acknowledged once what it says is on its way to the journal."""
        self.heard_s = time.monotonic()
        try:
            if message.topic == self._topics.stored:
                self._stored(message.payload.decode("ascii").split())
            elif message.topic == self._topics.rejected:
                self._refused(orjson.loads(message.payload))
            elif message.topic == self._topics.birth:
                self._birth(message, kept=self._past and session.resumed)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("message_not_understood", topic=message.topic, reason=str(error))
        except JournalError as error:
            log.error("epoch_not_kept", reason=str(error))  # noqa: TRY400 - the reason says it all
        except OSError as error:  # not acknowledged: it comes again with the next session
            session.end(LinkClosed(str(error.filename or "journal"), f"cannot read a segment: {error.strerror}"))
            return
        session.ack(message)
        self._heard()

    def _stored(self, records: list[str]) -> None:
        for text in records:
            if self._is_own(record := RecordId.parse(text)):
                self._outbox.confirm(record, self.heard_s)

    def _refused(self, refusal: dict[str, Any]) -> None:
        record = RecordId.parse(str(refusal["record"]))
        stored = self._outbox.claim(record) if self._is_own(record) else None
        if stored is not None:
            self._refusals.heed(stored, refusal)

    def _birth(self, message: Message, *, kept: bool) -> None:
        if message.retained or not kept:
            self.born.set()
        if self._births.heard(message.payload, retained=message.retained, kept=kept):
            self.caught_up()

    def _is_own(self, record: RecordId) -> bool:
        """Whether a record is of this state folder; another's is counted, and nothing is released for it."""
        if self._births.is_own(record.epoch):
            return not self._births.rival
        if not self.foreign:
            log.warning("confirmation_of_another_epoch", record=str(record), topic=self._topics.prefix)
        self.foreign += 1
        return False
