"""One destination beside the own store: a journal, a way to its broker and a quarantine of its own.

It is as durable as the agent's own way, and apart from it: a destination that is away for a month fills its own buffer
and nothing else. It is only ever given what `Share` made for it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from agent.control.quarantine import expiry_gaps
from agent.supervise import keep_open, spread_of
from pipelines.clock import Clock
from pipelines.delivery.births import Births
from pipelines.delivery.outbox import Outbox
from pipelines.delivery.uplink import Uplink
from pipelines.derive.engine import KEY
from pipelines.encode.line import line
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.journal.segment import Segment
from pipelines.lines import Lines
from pipelines.place import Place
from pipelines.quarantine import Quarantine
from pipelines.share.rule import Share, newest
from pipelines.share.settings import ShareSettings
from pipelines.stats import FlowStats
from pipelines.topics import AgentTopics

if TYPE_CHECKING:
    from pipelines.delivery.mqtt_settings import MqttSettings

_TAKEN: Final = "taken"
"""Key of the resume state in a destination's journal: origin and number of the newest batch in it."""
_MOST_OWED: Final = 1 << 20
"""Bytes that its journal has not on disk at which nothing more is handed over: the rest waits with the share."""
_REMEMBER_S: Final = 600.0
_SEGMENTS: Final = 16
"""Parts of a destination's buffer: at the cap one of them is given up."""
log = structlog.get_logger()


class Destination:
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
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.name = name
        self.share: Share | None = None
        self.stats = FlowStats()
        self._mqtt = settings.mqtt or mqtt
        self._place = place
        size = max(64 << 10, min(settings.max_bytes // _SEGMENTS, 4 << 20))
        own = {"max_bytes": settings.max_bytes, "segment_bytes": size, "at_cap": "drop_oldest"}
        self.journal = Journal(folder / "journal", journal.model_copy(update=own))
        self.journal.open()
        self.flow = Flow(self.journal, clock, self.stats, place)
        self.outbox = Outbox(self.journal, self.stats, self.flow.is_durable)
        self.quarantine = Quarantine(folder, settings.max_bytes // 4, clock)
        self.journal.charged = lambda: self.quarantine.bytes_used
        self.births = Births(folder, self.journal.epoch, {one.epoch for one in self.journal.segments}, facts)
        self.uplink = Uplink(self._mqtt, topics, self.outbox, self.quarantine, settings.confirm, self.births)
        self.flow.on_record, self.flow.on_moved = self.outbox.add, self.outbox.moved
        self.flow.on_found, self.flow.on_change = self._found, self._changed
        self.uplink.refusals.on_expired = expiry_gaps(self.flow, place, clock)
        self._taken = self.journal.resume.get(_TAKEN, b"")
        self._given = self._lost = 0
        self._lost_s = -_REMEMBER_S
        self._beating = False

    async def run(self) -> None:
        """Write and send; ends by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.flow.run(), name=f"share/{self.name}")
            spread_s = spread_of(self._mqtt.host)
            group.create_task(keep_open(f"{self._mqtt.endpoint} {self.name}", self.uplink.run, spread_s=spread_s))

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

    async def close(self, at_most_s: float) -> None:
        """Make everything durable, and close; what is not confirmed is sent after the next start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self.flow.flush()
        self.uplink.refusals.close()
        self.journal.close()
        self.quarantine.close()

    @property
    def troubles(self) -> list[str]:
        """What is not well now, in words."""
        found = [*self.flow.troubles]
        if time.monotonic() - self._lost_s < _REMEMBER_S:
            found.append(f"{self._lost} points were given up: {self.journal.folder} takes less than is shared")
        if reason := self.uplink.error or self.outbox.deaf:
            found.append(f"{self._mqtt.endpoint}: {reason}")
        if self.quarantine.records:
            found.append(f"{self.quarantine.path}: {self.quarantine.points} points were refused by the store")
        return [f"share {self.name}: {one}" for one in found]

    def status(self) -> dict[str, Any]:
        """What `agent status` shows of it."""
        return {
            "endpoint": self._mqtt.endpoint,
            "up": not (self.uplink.error or self.outbox.deaf),
            "error": self.uplink.error or self.outbox.deaf,
            "accepted": self.stats.accepted,
            "stored": self.stats.stored,
            "queued": self.flow.points_queued,
            "dropped": sum(self.flow.dropped.values()) + (self.share.lost if self.share else 0),
            "quarantined": self.stats.quarantined,
            "bytes": self.journal.bytes_used,
        }

    def _number_taken(self, origin: str) -> int:
        """The newest batch in this journal; of another numbering it is none."""
        taken, _, number = self._taken.decode().partition(":")
        return int(number) if taken == origin else 0

    def _has(self, origin: str, number: int) -> None:
        self._taken = f"{origin}:{number}".encode()
        if self.share is not None and self.share.origin == origin:
            self.share.given(number)

    def _found(self, segment: Segment) -> None:
        self.births.add(segment.epoch)
        self.outbox.found(segment)

    def _changed(self) -> None:
        self.outbox.settle()
        self.uplink.wake()
