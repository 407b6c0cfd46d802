"""What comes back to an agent: confirmations, refusals and births, also those that came while nobody listened.

The broker keeps them for a while (`KEPT_S`) and hands them out at the next connect, ahead of this session's own birth.
Until that is heard, and no longer than `PAST_S`, nothing is sent again that they may be about. What is for another is
acknowledged once it is sure that no other agent runs under this identity: until then it waits at the broker.
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
from pipelines.errors import JournalError
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
        self._alone = False
        self._past = False
        self._others: list[tuple[MqttSession, Message]] = []

    def begin(self) -> None:
        """A session begins."""
        self.born.clear()
        self._alone, self._past = False, True
        self._others.clear()

    def alone(self) -> None:
        """Nobody else runs under this identity: what is not for this agent is for nobody."""
        self._alone = True
        for session, message in self._others:
            session.ack(message)
        self._others.clear()

    def caught_up(self) -> None:
        """What the broker had kept is heard, or is not waited for any more."""
        self._past = False
        self._outbox.caught_up()

    def take(self, session: MqttSession, message: Message) -> None:
        """A message came; acknowledged once what it says is on its way to the journal."""
        mine = True
        try:
            if message.topic == self._topics.stored:
                mine = self._stored(message.payload.decode("ascii").split())
            elif message.topic == self._topics.rejected:
                mine = self._refused(orjson.loads(message.payload))
            elif message.topic == self._topics.birth:
                self._birth(message, kept=self._past and session.resumed)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("message_not_understood", topic=message.topic, reason=str(error))
        except JournalError as error:
            log.error("epoch_not_kept", reason=str(error))  # noqa: TRY400 - the reason says it all
        except OSError as error:  # not acknowledged: it comes again with the next session
            log.warning("journal_not_readable", path=str(error.filename), reason=str(error.strerror))
            return
        if mine or (self._alone and not self._births.rival):
            session.ack(message)
        elif message.qos:  # no more than Receive Maximum
            self._others.append((session, message))
        self._heard()

    def _stored(self, records: list[str]) -> bool:
        """Whether all of them are of this state folder."""
        now_s = time.monotonic()
        foreign = self.foreign
        for text in records:
            if self._is_own(record := RecordId.parse(text)):
                self._outbox.confirm(record, now_s)
        return self.foreign == foreign and not self._births.rival

    def _refused(self, refusal: dict[str, Any]) -> bool:
        """Whether it is of this state folder."""
        record = RecordId.parse(str(refusal["record"]))
        if not self._is_own(record):
            return False
        stored = self._outbox.claim(record)
        if stored is not None:
            self._refusals.heed(stored, refusal)
        return True

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
