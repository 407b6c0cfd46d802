"""One connection of a collector: its links one after the other, its pipeline, and what is known of both."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from agent.supervise import DEVICE_CAP_S, in_time, keep_open
from connectors.base import LinkContext
from connectors.registry import AnyConnection, make_link
from pipelines.derive.engine import Engine
from pipelines.flow import Flow
from pipelines.point import BAD_NO_COMMUNICATION, SEVERITY_MASK, Delivery, status_name
from pipelines.skew import Skew
from pipelines.source import Source
from pipelines.stats import LinkStats

if TYPE_CHECKING:
    from agent.site import Site
    from agent.timekeeping import Timekeeper

log = structlog.get_logger()
_STALENESS_S: Final = 1.0
OPEN_S: Final = 120.0
"""Longest time in which a link opens, whatever its own deadlines say, besides what its tags take."""
TAG_OPEN_S: Final = 0.01
"""Longest time that one tag takes to open: an item to be made, at a slow server."""
STUCK_S: Final = 10.0
"""A loop that turns every second and has not for so long stands still."""
_CLOCK: Final = "clock"


class Reading:
    """Reads one connection for ever.

    Where the connection names backups, each address is tried in turn until one opens; a link that was open and ends is
    first looked for where it was.

    Args:
        site: the connection's site.
        connection: what is read.
        flow: where deliveries go.
        keeper: of the agent's clock.
        state_dir: the agent's state folder.
        engine: has the rules that read its tags.
        absence: cause of the gap before its first link.

    Attributes:
        name: of the connection.
        stats: what its links did since the process started.
        source: its pipeline.
        tried: set once a link delivered, or could not be opened.
        skew: how far the device's clock is off ours.
    """

    def __init__(
        self,
        site: Site,
        connection: AnyConnection,
        flow: Flow,
        keeper: Timekeeper,
        state_dir: Path,
        engine: Engine,
        absence: str = "agent_down",
    ) -> None:
        self.name = connection.name
        self.stats = LinkStats()
        places, events = site.places(connection), site.event_places(connection)
        self.source = Source(connection, places, flow.journal.resume, events, keeper.watched, engine)
        self.skew = Skew()
        self._most_skew_s = connection.max_skew_s
        self._flow = flow
        self._keeper = keeper
        self._clock = keeper.clock
        self._state_dir = state_dir
        self._addresses: deque[AnyConnection] = deque(connection.alternatives())
        self._absence = absence
        self.tried = asyncio.Event()
        self._turned_s = time.monotonic()
        self._handing_over = False

    async def run(self) -> None:
        """Keep the link open and look for stale tags; ends by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_open(self.name, self._session, self._lost, DEVICE_CAP_S, self._why))
            group.create_task(self._watch())

    def alive(self, now_s: float) -> bool:
        """Whether its loops turn: the one that looks for stale tags, and the one that polls, if there is one.

        A disk that takes nothing holds a poll up for as long as it does: that is no fault of the loop.
        """
        polls = self._handing_over or now_s < self.stats.turn_due_s
        return polls and now_s - self._turned_s < STUCK_S

    def troubles(self) -> list[str]:
        """What is not well now, in words; empty when all is."""
        stats = self.stats
        if not stats.connected:
            first = [stats.error] if stats.error or stats.notices else ["not connected yet"]
            return [f"{self.name}: {text}" for text in (*first, *stats.notices.values()) if text]
        found = [f"{self.name}: {text}" for text in stats.notices.values()]
        if stats.refused:
            row, code = next(iter(stats.refused.items()))
            worst = f"{self._row(row)}: {status_name(code)}"
            found.append(f"{self.name}: the device refuses {len(stats.refused)} tags, {worst}")
        if mismatched := self.source.mismatched:
            row, (comes, stored) = next(iter(mismatched.items()))
            found.append(
                f"{self.name}: {len(mismatched)} tags come as another type than they are stored, {self._row(row)}: "
                f"{comes} instead of {stored}; let the device send that again, or give the tag another name"
            )
        if stale := self.source.stale:
            found.append(f"{self.name}: {len(stale)} tags say nothing for too long, {self._row(min(stale))}")
        return found

    def status(self) -> dict[str, Any]:
        """What `agent status` shows of it."""
        stats = self.stats
        return {
            "connected": stats.connected,
            "where": self._addresses[0].where(),
            "error": stats.error,
            "opened": stats.opened,
            "readings": stats.readings,
            "requests": stats.requests,
            "overruns": stats.overruns,
            "skew_s": self.skew.seconds,
            "rejected": dict(stats.rejected),
            "last_reading_ns": stats.last_reading_ns,
            "last_good_ns": stats.last_good_ns,
            "refused": {self._row(row): status_name(code) for row, code in stats.refused.items()},
            "stale": sorted(map(self._row, self.source.stale)),
            "notices": stats.notices,
            "facts": {self._row(row): asdict(facts) for row, facts in stats.facts.items()},
        }

    async def _session(self, opened: Callable[[], None]) -> None:
        """One link from open to end."""
        stats, source = self.stats, self.source
        await self._flow.flush()  # a link must know what is durable: it acknowledges everything before that
        settings = self._addresses[0]
        context = LinkContext(
            settings,
            source.link_resume,
            self._clock,
            stats,
            self._absence,
            source.parts,
            self._state_dir,
            partial(log.info, link=self.name),
        )
        try:
            async with AsyncExitStack() as stack:
                async with in_time(settings.where(), OPEN_S + len(source.tags) * TAG_OPEN_S):
                    link = await stack.enter_async_context(make_link(settings.type, context))
                self._absence = "no_communication"
                stats.opened += 1
                if link.answers_at_open:
                    self._up(opened)
                async for delivery in link.deliveries():
                    self._handing_over = True
                    self._compare(delivery)
                    await self._flow.take(source, delivery)
                    self._handing_over = False
                    self.tried.set()
                    if not stats.connected and _answered(delivery):
                        self._up(opened)
                    stats.readings += sum(len(scan) for scan in delivery.scans)
                    stats.last_reading_ns = self._clock.now_ns()
                    if any((scan.status & SEVERITY_MASK == 0).any() for scan in delivery.scans):
                        stats.last_good_ns = stats.last_reading_ns
        finally:
            self._handing_over = False
            stats.turn_due_s = math.inf
            if not stats.connected:
                self._addresses.rotate(-1)
            stats.connected = False
            stats.refused.clear()

    def _compare(self, delivery: Delivery) -> None:
        """How far the device's clock is off ours, told once when that is more than its times are believed."""
        watched, notices = self._keeper.watched, self.stats.notices
        if delivery.device_time_ns is None or (watched is not None and not watched.believed):
            return
        self.skew.see(delivery.device_time_ns, self._clock.now_ns(), self._clock.monotonic_s())
        off_s = self.skew.seconds or 0.0
        if abs(off_s) <= self._most_skew_s:
            notices.pop(_CLOCK, None)
            return
        if _CLOCK not in notices:
            log.warning("source_clock_off", link=self.name, skew_s=round(off_s, 3), max_skew_s=self._most_skew_s)
        way = "ahead of" if off_s > 0 else "behind"
        notices[_CLOCK] = (
            f"the device's clock is {abs(off_s):.0f} s {way} ours: readings have our time, and its own as "
            "_source_time; set the clock that is wrong"
        )

    def _up(self, opened: Callable[[], None]) -> None:
        self.stats.connected, self.stats.error = True, ""
        if self.stats.turn_due_s == math.inf:
            self.tried.set()  # nothing is polled here: what the device has to say comes when it likes
        opened()

    def _why(self, reason: str) -> None:
        self.stats.error = reason
        self.tried.set()

    async def _watch(self) -> None:
        """Say of tags that promised to change and do not, although their link is up, that they are stale."""
        while True:
            self._turned_s = time.monotonic()
            now_ns = self._clock.now_ns()
            for said in (self.source.overdue(now_ns), self.source.recall(now_ns)) if self.stats.connected else ():
                if said is not None:
                    self._flow.put(said)
            await asyncio.sleep(_STALENESS_S / self._clock.rate)

    def _lost(self, _reason: str) -> None:
        self._flow.put(self.source.lost(BAD_NO_COMMUNICATION, self._clock.now_ns()))

    def _row(self, row: int) -> str:
        tags = self.source.tags
        return tags[row].name if row < len(tags) else f"row {row}"  # a part that has not come yet


def _answered(delivery: Delivery) -> bool:
    """Whether the device said anything: the link itself says `BadNoCommunication` of what is silent."""
    return any((scan.status != BAD_NO_COMMUNICATION).any() for scan in delivery.scans)
