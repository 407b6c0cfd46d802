"""A journal and the way from it to a broker: what is durable here arrives there, however long that takes.

What an agent shares, and what people enter by hand, travel so. The agent's own way is put together in
`agent/collector.py`: it carries a ledger and its clock besides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from pipelines.clock import Clock
from pipelines.delivery.births import Births
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.delivery.outbox import Outbox
from pipelines.delivery.uplink import Confirm, Uplink
from pipelines.expired import expiry_gaps
from pipelines.flow import Flow
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.journal.segment import Segment
from pipelines.place import Place
from pipelines.quarantine import Quarantine
from pipelines.stats import FlowStats
from pipelines.topics import AgentTopics

Keep = Callable[[str, Callable[[Callable[[], None]], Awaitable[None]]], Awaitable[NoReturn]]
"""Opens a link again and again, by its name and its session: `agent.supervise.keep_open`."""
_SEGMENTS: Final = 16
"""Parts of its buffer: at the cap one of them is given up."""
_SEGMENT_BYTES: Final = (64 << 10, 4 << 20)


class Way:
    """One way.

    Args:
        folder: of its own: journal, quarantine and the epochs of its processes.
        journal: its limits; segments are a part of the cap.
        mqtt: the broker at its end.
        topics: under which it publishes.
        confirm: when a record is released.
        clock: stamps what has no time of its own.
        place: where points about it stand.
        facts: what its births say.

    Raises:
        JournalError: the disk takes nothing, or another process uses the folder.

    Attributes:
        flow: takes what is to be durable.
        stats: points on the way.
        outbox: the window over the journal.
        uplink: to the broker.
        quarantine: keeps what the store refused.
    """

    def __init__(
        self,
        folder: Path,
        journal: JournalSettings,
        mqtt: MqttSettings,
        topics: AgentTopics,
        confirm: Confirm,
        clock: Clock,
        place: Place,
        facts: Mapping[str, Any],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.stats = FlowStats()
        self._mqtt = mqtt
        self._place = place
        least, most = _SEGMENT_BYTES
        size = max(least, min(journal.max_bytes // _SEGMENTS, most))
        self.journal = Journal(folder / "journal", journal.model_copy(update={"segment_bytes": size}))
        self.journal.open()
        self.flow = Flow(self.journal, clock, self.stats, place)
        self.outbox = Outbox(self.journal, self.stats, self.flow.is_durable)
        self.quarantine = Quarantine(folder, journal.max_bytes // 4, clock)
        self.journal.charged = lambda: self.quarantine.bytes_used
        self.births = Births(folder, self.journal.epoch, {one.epoch for one in self.journal.segments}, facts)
        self.uplink = Uplink(mqtt, topics, self.outbox, self.quarantine, confirm, self.births)
        self.flow.on_record, self.flow.on_moved = self.outbox.add, self.outbox.moved
        self.flow.on_found, self.flow.on_change = self._found, self._changed
        self.uplink.refusals.on_expired = expiry_gaps(self.flow, place, clock)

    async def keep(self, name: str, keep_open: Keep) -> None:
        """Write and send; ends by cancellation.

        Args:
            name: of it, for the log.
            keep_open: opens the link to the broker again and again.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.flow.run(), name=name)
            await keep_open(f"{self._mqtt.endpoint} {name}", self.uplink.run)

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
        if reason := self.uplink.error or self.outbox.deaf:
            found.append(f"{self._mqtt.endpoint}: {reason}")
        if self.quarantine.records:
            found.append(f"{self.quarantine.path}: {self.quarantine.points} points were refused by the store")
        return found

    def status(self) -> dict[str, Any]:
        """What is told of it."""
        return {
            "endpoint": self._mqtt.endpoint,
            "up": not (self.uplink.error or self.outbox.deaf),
            "error": self.uplink.error or self.outbox.deaf,
            "accepted": self.stats.accepted,
            "stored": self.stats.stored,
            "queued": self.flow.points_queued,
            "dropped": sum(self.flow.dropped.values()),
            "quarantined": self.stats.quarantined,
            "bytes": self.journal.bytes_used,
        }

    def _found(self, segment: Segment) -> None:
        self.births.add(segment.epoch)
        self.outbox.found(segment)

    def _changed(self) -> None:
        self.outbox.settle()
        self.uplink.wake()
