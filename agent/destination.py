"""One destination beside the own store: a journal, a way to its broker and a quarantine of its own.

It is as durable as the agent's own way, and apart from it: a destination that is away for a month fills its own buffer
and nothing else. It is only ever given what `Share` made for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from agent.supervise import keep_open, spread_of
from pipelines.clock import Clock
from pipelines.derive.engine import KEY
from pipelines.encode.line import line
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.share.rule import Share, newest
from pipelines.share.settings import ShareSettings
from pipelines.topics import AgentTopics
from pipelines.way import Way

if TYPE_CHECKING:
    from pipelines.delivery.mqtt_settings import MqttSettings

_TAKEN: Final = "taken"
"""Key of the resume state in a destination's journal: origin and number of the newest batch in it."""
_MOST_OWED: Final = 1 << 20
"""Bytes that its journal has not on disk at which nothing more is handed over: the rest waits with the share."""
_REMEMBER_S: Final = 600.0
log = structlog.get_logger()


class Destination(Way):
    """One destination.

    Args:
        name: of it.
        settings: what it is shared, and where it is.
        mqtt: the site's own broker.
        journal: of the agent's own way, whose limits hold here too, but for the cap.
        topics: of the agent for this destination.
        folder: of its own, below the agent's state folder.
        clock: the agent's.
        place: where points about the agent stand.
        facts: what its births say of the agent.

    Raises:
        JournalError: the disk takes nothing.

    Attributes:
        name: of it.
        share: makes what it gets; another one after a reload.
    """

    def __init__(
        self,
        name: str,
        settings: ShareSettings,
        mqtt: MqttSettings,
        journal: JournalSettings,
        topics: AgentTopics,
        folder: Path,
        clock: Clock,
        place: Place,
        facts: Mapping[str, Any],
    ) -> None:
        limits = journal.model_copy(update={"max_bytes": settings.max_bytes, "at_cap": "drop_oldest"})
        super().__init__(folder, limits, settings.mqtt or mqtt, topics, settings.confirm, clock, place, facts)
        self.name = name
        self.share: Share | None = None
        self._taken = self.journal.resume.get(_TAKEN, b"")
        self._given = self._lost = 0
        self._lost_s = -_REMEMBER_S
        self._beating = False

    async def run(self) -> None:
        """Write and send; ends by cancellation."""
        await self.keep(self.name, partial(keep_open, spread_s=spread_of(self._mqtt.host)))

    def hand_over(self, share: Share, journal: Journal) -> None:
        """Take what the share has made and the agent's own journal has for good: each batch once, over any restart.

        Args:
            share: of this destination, as it is now.
            journal: the agent's own.
        """
        if share is not self.share:
            self._follow(share)
        if share.lost > self._lost:
            self._lost, self._lost_s = share.lost, time.monotonic()
        if not share.pending or share.pending[-1].number <= self._given:
            return
        durable = newest(journal.durable_state(KEY + share.name) or b"")
        for batch in share.pending:
            if self.flow.owed_bytes > _MOST_OWED:
                return
            if self._given < batch.number <= durable:
                self._given = share.underway = batch.number
                body, span = batch.body.encode(), (batch.first_ns, batch.last_ns)
                taken = {_TAKEN: f"{share.origin}:{batch.number}".encode()}
                self.flow.put(Lines(body, batch.points, span, taken), partial(self._has, share.origin, batch.number))

    def _follow(self, share: Share) -> None:
        """After the start, or a reload: what is on its way to this journal stays so."""
        same = self.share is not None and self.share.origin == share.origin
        number = self._number_taken(share.origin)
        share.given(min(number, share.began))
        if number > share.began:  # the agent's own state is older than this journal: a backup, or a disk that lied
            log.warning("share_numbered_anew", destination=self.name, taken=number, known=share.began)
            share.begin_anew(secrets.token_hex(16))
            number, same = 0, False
        self.share, self._given = share, max(number, self._given if same else 0)
        share.underway, self._lost = self._given, share.lost

    def beat(self, fields: Mapping[str, object], now_ns: int) -> None:
        """The agent lives, and how many of its devices do; unless the one before waits for the disk."""
        if not self._beating:
            self._beating = True
            self.flow.put(Lines(line(self._place.series(), fields, now_ns), 0, (now_ns, now_ns), {}), self._beaten)

    def _beaten(self) -> None:
        self._beating = False

    @property
    def troubles(self) -> list[str]:
        """What is not well now, in words."""
        found = super().troubles
        if time.monotonic() - self._lost_s < _REMEMBER_S:
            found.append(f"{self._lost} points were given up: {self.journal.folder} takes less than is shared")
        return [f"share {self.name}: {one}" for one in found]

    def status(self) -> dict[str, Any]:
        """What `agent status` shows of it."""
        told = super().status()
        return {**told, "dropped": told["dropped"] + (self.share.lost if self.share else 0)}

    def _number_taken(self, origin: str) -> int:
        """The newest batch in this journal; of another numbering it is none."""
        taken, _, number = self._taken.decode().partition(":")
        return int(number) if taken == origin else 0

    def _has(self, origin: str, number: int) -> None:
        self._taken = f"{origin}:{number}".encode()
        if self.share is not None and self.share.origin == origin:
            self.share.given(number)
