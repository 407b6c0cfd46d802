"""One subscription: made or taken over, published, acknowledged only when durable, repaired from the server's queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from asyncua.common.utils import Buffer

from connectors.base import LinkContext
from connectors.opcua import plan
from connectors.opcua.decode import Columns, oldest_first
from connectors.opcua.events import Events
from connectors.opcua.items import create_items, datatypes
from connectors.opcua.ledger import Ledger, after
from connectors.opcua.library import NodeId, ua
from connectors.opcua.messages import Notification, published
from connectors.opcua.outbox import Outbox
from connectors.opcua.resume import ResumeState
from connectors.opcua.session import OpcUaSession, link_errors, texts
from connectors.ticker import ticks
from pipelines.errors import LinkClosed, LinkError, LinkTimeout
from pipelines.point import SEVERITY_MASK, AlarmEvent, Delivery, Gap, Scan, scan_of

IN_FLIGHT: Final = 3
"""PublishRequests the server holds."""
_OVERFLOW_MASK: Final = 0x0C80
_OVERFLOW: Final = 0x0480
"""InfoType DataValue with the Overflow bit (OPC 10000-4 §7.39.1)."""
_CODES: Final = ua.StatusCodes


class Subscription:
    """What one link knows of its subscription.

    Args:
        session: an open session.
        context: what the link was opened with.
        outbox: where deliveries go.
    """

    def __init__(self, session: OpcUaSession, context: LinkContext, outbox: Outbox) -> None:
        self.id = 0
        self._session = session
        self._settings = session.settings
        self._context = context
        self._outbox = outbox
        self._ledger = Ledger()
        self._items = plan.items(self._settings, context.clock.rate)
        self._events = Events(session, context)
        self._fingerprint = ""
        self._deadline_s = 3 * self._settings.keepalive_s
        self._publishing_ns = int(self._settings.publishing_interval_s * 1e9)
        self._retest = plan.Retest()
        self._in_flight = IN_FLIGHT
        self._resumed = False
        self._heard = False
        self._said = False
        self._gaps: list[Gap] = []
        self._last_ns = context.clock.now_ns()
        self._tag_ns = np.full(len(self._settings.tags), self._last_ns, np.int64)

    async def open(self, old: ResumeState | None, *, same_session: bool) -> None:
        """Take the old subscription over, else make a new one and name what was missed.

        Raises:
            LinkError: neither worked.
        """
        nodes = self._session.nodes()
        self._fingerprint = plan.fingerprint(self._items, texts(nodes), self._events.fingerprint())
        if not self._items and not self._events:
            return
        with link_errors(self._settings.endpoint):
            if old is not None and old.subscription and old.server_start == self._session.server_start:
                if old.fingerprint == self._fingerprint and await self._take_over(old, same_session=same_session):
                    return
                await self._delete(old.subscription)
            await self._create(nodes, old)

    def state(self) -> ResumeState:
        """Where the deliveries so far lead to."""
        token, nonce = self._session.resumable()
        return ResumeState(
            self._settings.endpoint,
            self._session.server_start,
            self.id,
            self._fingerprint,
            self._ledger.last,
            self._last_ns,
            token,
            nonce,
            tuple(sorted(self._retest.due)),
            self._session.guard.key(),
        )

    async def publish(self) -> None:
        """Keep PublishRequests at the server and deliver what comes, until the link ends.

        Raises:
            LinkError: it ended.
        """
        pending: deque[tuple[asyncio.Future[Buffer], list[int]]] = deque()
        with link_errors(self._settings.endpoint):
            try:
                if self._resumed:
                    await self._fetch_missed()
                while True:
                    while len(pending) < self._in_flight:
                        acknowledged = self._ledger.acknowledge()
                        pending.append((self._session.wire.publish(self.id, acknowledged), acknowledged))
                        self._context.stats.requests += 1
                    future, acknowledged = pending.popleft()
                    await self._answer(await self._wait(future), acknowledged)
            finally:
                for future, _ in pending:
                    if not future.cancel():
                        future.exception()

    async def retest(self) -> None:
        """Ask again now and then for tags the server refused.

        Raises:
            LinkError: the link ended.
        """
        async for _ in ticks([plan.RETEST_FIRST_S / 2], self._context.clock):
            due = set(self._retest.ready(self._context.clock.monotonic_s()))
            if due:
                await self._session.ask_namespaces()
                with link_errors(self._settings.endpoint):
                    await self._create_items([item for item in self._items if item.tag in due], self._session.nodes())
            with link_errors(self._settings.endpoint):
                await self._events.retest(self.id)

    async def _take_over(self, old: ResumeState, *, same_session: bool) -> bool:
        """OPC 10000-4 §6.7: with the old session its subscriptions are ours again, else they are transferred."""
        try:
            if same_session:
                good = True
            else:
                move = ua.TransferSubscriptionsRequest()
                move.Parameters.SubscriptionIds = [old.subscription]
                move.Parameters.SendInitialValues = False
                answer = await self._session.call(move, ua.TransferSubscriptionsResponse)
                good = answer.Parameters.Results[0].StatusCode.is_good()
            if good:
                # the one service that says whether the subscription still is there and changes nothing
                rates = plan.rates(self._settings, self._context.clock.rate)
                modify = ua.ModifySubscriptionRequest()
                modify.Parameters.SubscriptionId = old.subscription
                modify.Parameters.RequestedPublishingInterval = rates.publishing_ms
                modify.Parameters.RequestedLifetimeCount = rates.lifetime_count
                modify.Parameters.RequestedMaxKeepAliveCount = rates.keepalive_count
                self._expect((await self._session.call(modify, ua.ModifySubscriptionResponse)).Parameters)
        except (ua.UaStatusCodeError, IndexError):
            good = False
        if not good:
            return False
        self.id = old.subscription
        self._resumed = True
        self._ledger = Ledger(old.sequence, fresh=False)
        self._last_ns = old.last_ns
        self._tag_ns[:] = old.last_ns
        for tag in old.refused:
            self._retest.failed(tag, self._context.clock.monotonic_s())
        return True

    async def _create(self, nodes: dict[int, NodeId], old: ResumeState | None) -> None:
        rates = plan.rates(self._settings, self._context.clock.rate)
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=rates.publishing_ms,
            RequestedLifetimeCount=rates.lifetime_count,
            RequestedMaxKeepAliveCount=rates.keepalive_count,
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
            Priority=0,
        )
        made = (await self._session.call(request, ua.CreateSubscriptionResponse)).Parameters
        self.id = made.SubscriptionId
        self._expect(made)
        now_ns = self._context.clock.now_ns()
        if old is not None:
            self._gaps = [Gap(item.tag, self._context.absence, old.last_ns, now_ns) for item in self._items]
            self._gaps += self._events.missed(self._context.absence, old.last_ns, now_ns)
        self._last_ns = now_ns
        found = await datatypes(self._session, {i.tag: nodes[i.tag] for i in self._items if i.tag in nodes})
        await self._create_items(plan.in_runs(self._items, found), nodes)
        await self._events.create(self.id)

    def _expect(self, revised: Any) -> None:
        """Three keep-alives, as the server revised them, are the longest silence."""
        real_s = revised.RevisedPublishingInterval / 1000
        self._publishing_ns = int(real_s * self._context.clock.rate * 1e9)
        self._deadline_s = max(3 * real_s * revised.RevisedMaxKeepAliveCount, 1.0)

    async def _create_items(self, wanted: Sequence[plan.Item], nodes: dict[int, NodeId]) -> None:
        """Create monitored items; a refused one is a bad reading, once for each time it is asked for."""
        refused = await create_items(self._session, self.id, wanted, nodes)
        monotonic_s = self._context.clock.monotonic_s()
        for item in wanted:
            if item.tag in refused:
                self._retest.failed(item.tag, monotonic_s)
            else:
                self._retest.worked(item.tag)
        scans: tuple[Scan, ...] = ()
        if refused:
            tags = list(refused)
            now_ns = self._context.clock.now_ns()
            scans = (scan_of(tags, now_ns, np.full(len(tags), np.nan), [refused[tag] for tag in tags]),)
        await self._put(scans)

    async def _wait(self, future: asyncio.Future[Buffer]) -> Buffer:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await future
        except TimeoutError:
            if self._resumed and not self._heard:
                await self._delete(self.id)  # a server that takes over but never publishes would do so for ever
            raise LinkTimeout(
                self._settings.endpoint, f"no word from the subscription for {self._deadline_s:g} s"
            ) from None

    async def _answer(self, data: Buffer, acknowledged: Sequence[int]) -> None:
        """Handle the answer to one PublishRequest, which acknowledged these numbers."""
        now_ns = self._context.clock.now_ns()
        try:
            answer = published(data, now_ns)
        except ua.uaerrors.BadTooManyPublishRequests:
            self._in_flight = max(1, self._in_flight - 1)
            self._ledger.restore(acknowledged)
            return
        except ua.uaerrors.BadTimeout:
            self._ledger.restore(acknowledged)
            return
        except ValueError:
            self._context.stats.rejected["malformed"] += 1
            raise
        if answer.subscription != self.id:
            self._context.stats.rejected["foreign_subscription"] += 1
            await self._delete(answer.subscription)
            return
        if not self._heard:
            self._heard = True
            for number in answer.available:
                if self._resumed and self._ledger.distance(number) < 0:
                    self._ledger.accept(number)  # committed by an earlier link, which could not say so any more
        await self._message(answer.message)

    async def _message(self, message: Notification) -> None:
        if self._ledger.distance(message.sequence) < 0 and not message.keepalive:
            self._context.stats.rejected["duplicate"] += 1
            return
        await self._repair(message.sequence)
        if not message.keepalive:
            self._ledger.take(message.sequence)
        await self._deliver(message)

    async def _repair(self, sequence: int) -> None:
        """Fetch what was sent before `sequence` and never came; name what the server no longer has."""
        missing = self._ledger.missing(sequence)
        lost = max(0, self._ledger.distance(sequence) - len(missing))
        for number in missing:
            message = await self._republish(number)
            if message is None:
                lost += 1
            else:
                await self._deliver(message)
            self._ledger.take(number)
        if lost:
            now_ns = self._context.clock.now_ns()
            self._gaps += [Gap(item.tag, "sequence_lost", self._last_ns, now_ns) for item in self._items]
            self._gaps += self._events.missed("sequence_lost", self._last_ns, now_ns)

    async def _fetch_missed(self) -> None:
        """After taking over: everything sent since the last committed message, until the server has no more."""
        while True:
            number = after(self._ledger.last)
            message = await self._republish(number)
            if message is None:
                return
            self._ledger.take(number)
            await self._deliver(message)

    async def _republish(self, number: int) -> Notification | None:
        self._context.stats.requests += 1
        return await self._session.wire.republish(
            self.id, number, self._settings.timeout_s, self._context.clock.now_ns()
        )

    async def _deliver(self, message: Notification) -> None:
        scans = tuple(scan for columns in message.columns if len(scan := self._scan(columns)))
        self._last_ns = self._complete_ns(scans)
        for code in message.statuses:
            if not code & SEVERITY_MASK:
                continue  # GoodSubscriptionTransferred: our own take-over, told late
            name = ua.StatusCode(code).name
            raise LinkClosed(self._settings.endpoint, f"the server ended the subscription ({name})")
        events, lost = await self._events.take(message.events, message.publish_ns)
        self._gaps += lost
        await self._put(scans, None if message.keepalive else message.sequence, message.publish_ns, events)

    async def _put(
        self,
        scans: tuple[Scan, ...],
        sequence: int | None = None,
        device_time_ns: int | None = None,
        events: tuple[AlarmEvent, ...] = (),
    ) -> None:
        """Hand over; nothing is said before there is something to say, later empty ones carry the time on."""
        gaps, self._gaps = tuple(self._gaps), []
        if scans or gaps or self._said or sequence is not None:
            self._said = True
            delivery = Delivery(scans, self.state().to_bytes(), gaps, device_time_ns=device_time_ns, events=events)
            await self._outbox.put(
                delivery if sequence is None else replace(delivery, accepted=partial(self._ledger.accept, sequence))
            )

    def _complete_ns(self, scans: tuple[Scan, ...]) -> int:
        """Until when nothing is missing: one publishing interval ago, or the newest reading when that is older."""
        publishing_ns = self._publishing_ns
        complete_ns = self._context.clock.now_ns() - publishing_ns
        newest_ns = max((int(scan.time_ns.max()) for scan in scans), default=complete_ns)
        return newest_ns if complete_ns - 2 * publishing_ns - 1_000_000_000 < newest_ns < complete_ns else complete_ns

    def _scan(self, columns: Columns) -> Scan:
        """Columns by tag; overflows of the server's queue become gaps."""
        known = columns.handle < len(self._tag_ns)
        if not known.all():
            self._context.stats.rejected["unknown_handle"] += int((~known).sum())
            columns = Columns(*(getattr(columns, name)[known] for name in Columns.__slots__))
        tags = columns.handle.astype(np.int32)
        for at in np.flatnonzero(columns.status & _OVERFLOW_MASK == _OVERFLOW):
            end_ns = int(columns.time_ns[at])
            self._gaps.append(Gap(int(tags[at]), "queue_overflow", min(int(self._tag_ns[tags[at]]), end_ns), end_ns))
        self._tag_ns[tags] = columns.time_ns
        return oldest_first(Scan(tags, columns.time_ns, columns.value, columns.status))

    async def _delete(self, subscription: int) -> None:
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [subscription]
        try:
            with link_errors(self._settings.endpoint):
                await self._session.call(request, ua.DeleteSubscriptionsResponse)
        except LinkError:
            self._context.stats.rejected["delete_subscription"] += 1
