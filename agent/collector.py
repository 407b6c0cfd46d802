"""The collector: links, pipeline, journal and uplink of one edge PC, put together and supervised."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from agent import health
from agent.alarm_orders import AlarmOrders
from agent.alarming import Alarming
from agent.control.quarantine import QuarantineOrders
from agent.control.server import Routes, serve_control
from agent.destination import Destination
from agent.heartbeat import counts, heartbeat
from agent.links import Change, Links
from agent.notify import notify, watchdog
from agent.order_link import OrderLink
from agent.reading import Reading
from agent.reload import Reload
from agent.rules import no_orders_from
from agent.site import Site
from agent.supervise import keep_open, spread_of
from agent.timekeeping import Timekeeper
from pipelines.clock import Clock
from pipelines.delivery.births import Births
from pipelines.delivery.outbox import Outbox
from pipelines.delivery.uplink import Uplink
from pipelines.errors import JournalError
from pipelines.expired import expiry_gaps
from pipelines.flow import Flow
from pipelines.identity import agent_id
from pipelines.journal.journal import Journal
from pipelines.journal.segment import Segment
from pipelines.ledger.ledger import Ledger
from pipelines.place import Place
from pipelines.quarantine import Quarantine
from pipelines.stats import FlowStats
from pipelines.topics import AgentTopics

log = structlog.get_logger()
_HEARTBEAT_S: Final = 10.0
_BEATS: Final = 6
"""Heartbeats for the own store to one for each destination."""
_WRITER_STUCK_S: Final = 60.0
"""The writer of the journal waits for the disk, and a card that cleans up behind itself may take its time."""


class Collector:
    """One agent.

    Args:
        site: what to read and where to send it.
        state_dir: journal, quarantine, identity and control socket.
        clock: wall and monotonic time.
        reread: the site as its files say when it is called; default: it never changes.

    Raises:
        ConfigError: the state folder belongs to another machine.
        JournalError: another agent uses it, or the disk takes nothing.
    """

    def __init__(self, site: Site, state_dir: Path, clock: Clock, reread: Callable[[], Site] | None = None) -> None:
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise JournalError(state_dir, f"cannot make the state folder: {error.strerror}") from error
        self.site = site
        self.state_dir = state_dir
        self.stats = FlowStats()
        self.agent = site.agent.name or agent_id(state_dir)
        self.topics = AgentTopics(site.company, site.site, self.agent)
        self.ledger = Ledger(state_dir / "ledger", site.journal.max_bytes // 4, clock)
        self.journal = Journal(state_dir / "journal", site.journal)
        self.journal.on_finished = self.ledger.finished
        self.journal.open()
        if self.journal.damaged_bytes:
            log.error("journal_damaged", folder=str(self.journal.folder), bytes_lost=self.journal.damaged_bytes)
        self.time = Timekeeper(clock, self.journal.resume, state_dir)
        self.clock = self.time.clock
        self.place = Place("agent", site.company, site.site, site.line or "", self.agent)
        self.flow = Flow(self.journal, self.clock, self.stats, self.place)
        self.flow.carried = self.time.state
        self.links = Links(site, self.flow, self.time, state_dir)
        self.alarming = Alarming(self.links, self.flow, self.clock, state_dir)
        self.alarm_orders = AlarmOrders(self.alarming, self.topics, self.clock, self._alarms, here=clock)
        self.order_link = self._order_link()
        self.time.readings = lambda: self.readings
        self.outbox = Outbox(self.journal, self.stats, self.flow.is_durable, site.agent.drain_points_per_s)
        self.outbox.later = self.time.later
        self.quarantine = Quarantine(state_dir, site.journal.max_bytes // 4, self.clock)
        self.journal.charged = lambda: self.quarantine.bytes_used + self.ledger.bytes_used
        self.orders = QuarantineOrders(self.quarantine, self.flow, self.stats, self.clock)
        self.births = self._births()
        self.uplink = Uplink(site.mqtt, self.topics, self.outbox, self.quarantine, site.agent.confirm, self.births)
        self.destinations = self._destinations()
        self.flow.on_record, self.flow.on_moved = self.outbox.add, self.outbox.moved
        self.flow.on_found = self._found
        self.flow.on_change, self.flow.on_appended = self._changed, self.ledger.sums.add
        self.uplink.refusals.on_refused = self.ledger.refused
        self.uplink.refusals.on_expired = expiry_gaps(self.flow, self.place, self.clock)
        self.reload = Reload(self, reread or (lambda: site))
        self.ready = False
        self._beating = False
        self._beats = 0

    async def run(self, stop: asyncio.Event, drain_s: float, ready: Callable[[], None] = lambda: None) -> bool:
        """Collect until `stop`, then make everything durable and wait for confirmations.

        Args:
            stop: set to end.
            drain_s: longest wait for confirmations at the end; what is left is sent after the next start.
            ready: called once everything runs.

        Returns:
            Whether every record was confirmed.
        """
        async with asyncio.TaskGroup() as services:
            running = [
                services.create_task(self.flow.run(), name="flow"),
                services.create_task(self._keep_uplink(), name="uplink"),
                services.create_task(
                    serve_control(self.state_dir / "control.sock", self.status, self._orders(), self.alive),
                    name="control",
                ),
                services.create_task(self._heartbeat(), name="heartbeat"),
                services.create_task(self.reload.run(), name="reload"),
                services.create_task(self.time.run(self.flow, self.place), name="clock"),
                services.create_task(self.links.derive(), name="derive"),
                *(services.create_task(one.run(), name=f"share {one.name}") for one in self.destinations),
                services.create_task(self.alarming.run(), name="alarms"),
                *([services.create_task(self.order_link.run(), name="orders")] if self.order_link else ()),
                services.create_task(watchdog(self.alive, partial(health.status_line, self)), name="watchdog"),
            ]
            async with asyncio.TaskGroup() as links:
                self.links.start(links)
                telling = links.create_task(self._tell_ready(ready), name="ready")
                await stop.wait()
                telling.cancel()
                notify("STOPPING=1")
                self.links.stop()
            self.time.tell(self.flow.put, self.place)
            with suppress(TimeoutError):
                async with asyncio.timeout(drain_s):
                    await self.flow.flush()
                    await self._drain(drain_s)
            for task in running:
                task.cancel()
        for one in self.destinations:
            await one.close(drain_s)
        self.uplink.refusals.close()
        self.ledger.close()
        self.journal.close()
        self.quarantine.close()
        return self.outbox.idle and not self.outbox.later.records

    @property
    def readings(self) -> list[Reading]:
        """Its connections, in the order of the configuration."""
        return self.links.readings

    async def _keep_uplink(self) -> None:
        mqtt = self.site.mqtt
        await keep_open(mqtt.endpoint, self.uplink.run, spread_s=spread_of(mqtt.host))

    def alive(self) -> bool:
        """Whether reading, journal and uplink turned lately; never whether PLC, disk or broker are there."""
        now_s = time.monotonic()
        reading = all(one.alive(now_s) for one in self.readings)
        return reading and now_s - self.flow.beat_s < _WRITER_STUCK_S and self.uplink.alive(now_s)

    async def follow(self, change: Change, wanted: Site) -> None:
        """Take another configuration over: connections, machines and broker; the journal and its records live on."""
        await self.links.change(change, wanted)
        self.site = wanted
        self.uplink.move(wanted.mqtt, self._facts())
        if self.order_link is not None:
            self.order_link.move(wanted.mqtt)

    def status(self) -> dict[str, Any]:
        """Everything `agent status` shows."""
        return health.status(self)

    def _orders(self) -> Routes:
        """What others may have this agent do, by path."""
        return {"/reload": self.reload.order, **self.orders.routes, **self.alarming.routes, **self.alarm_orders.routes}

    async def _tell_ready(self, ready: Callable[[], None]) -> None:
        """The configuration is valid and the journal open; once every connection was tried, others may rely on it."""
        await self.links.tried()
        self.ready = True
        notify("READY=1")
        ready()

    async def _heartbeat(self) -> None:
        """A point of measurement `agent` now and then: whoever looks at the store sees that this agent lives."""
        while True:
            self._beat()
            self.quarantine.look()
            await asyncio.sleep(_HEARTBEAT_S / self.clock.rate)

    def _beat(self) -> None:
        """One heartbeat, unless the one before waits for the disk: they must not fill the memory meanwhile."""
        if self._beating:
            return
        now_ns = self.clock.now_ns()
        for one in self.destinations if self._beats % _BEATS == 0 else ():
            one.beat(counts(self), now_ns)
        self._beats += 1
        self._beating = True
        self.flow.put(heartbeat(self, now_ns), self._beaten)

    def _beaten(self) -> None:
        self._beating = False

    def _found(self, segment: Segment) -> None:
        self.births.add(segment.epoch)
        self.outbox.found(segment)

    def _changed(self) -> None:
        for one in self.destinations:
            one.hand_over(self.links.shares[one.name], self.journal)
        self.outbox.settle()
        self.uplink.wake()

    async def _drain(self, at_most_s: float) -> None:
        if not self.outbox.idle and at_most_s > 0:
            waiting = self.flow.points_queued
            log.info("waiting_for_confirmations", points=waiting, at_most_s=at_most_s, broker=self.uplink.error or "ok")
        while not self.outbox.idle:
            self.outbox.settle()
            await asyncio.sleep(0.05)

    def _births(self) -> Births:
        epochs = {segment.epoch for segment in self.journal.segments}
        return Births(self.state_dir, self.journal.epoch, epochs, self._facts())

    def _destinations(self) -> list[Destination]:
        """Everybody else who gets something; they learn of this agent that it is there, and nothing of its tags."""
        site = self.site
        return [
            Destination(
                name,
                settings,
                site.mqtt,
                site.journal,
                replace(self.topics, destination=name),
                self.state_dir / "shared" / name,
                self.clock,
                self.place,
                {"agent": self.agent},
            )
            for name, settings in site.share.items()
        ]

    def _facts(self) -> dict[str, Any]:
        """What the birth says of this agent."""
        tags = sum(len(one.tag_list()) for one in self.site.connections)
        facts: dict[str, Any] = {"agent": self.agent, "tags": tags, "machines": sorted(self.site.machines)}
        # A viewer elsewhere offers orders for these alone, and sends none to an agent that takes none.
        return facts | ({"orders": list(self._alarms())} if self.order_link is not None else {})

    def _order_link(self) -> OrderLink | None:
        """Where orders come from the broker, if they may."""
        mqtt = self.site.mqtt
        if self.site.agent.alarm_orders != "mqtt":
            return None
        if why := no_orders_from(mqtt):  # another broker than the file's, as in a simulation
            log.warning("no_orders_over_mqtt", endpoint=mqtt.endpoint, reason=why)
            return None
        return OrderLink(mqtt, self.topics, self.alarm_orders, lambda: self.births.rival)

    def _alarms(self) -> tuple[str, ...]:
        return tuple(f"{one.machine}/{one.name}" for one in self.site.alarms)
