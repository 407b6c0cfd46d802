"""The subscriptions of one link: as many as the server needs, published together, watched one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from asyncua.common.utils import Buffer

from connectors.base import LinkContext
from connectors.opcua import plan
from connectors.opcua.events.notifiers import Events
from connectors.opcua.identity import Identity
from connectors.opcua.intake import Intake
from connectors.opcua.items import TOO_MANY
from connectors.opcua.library import ua
from connectors.opcua.limits import TOO_MUCH, Limits
from connectors.opcua.messages import Notification, Published, published
from connectors.opcua.outbox import Outbox
from connectors.opcua.resume import Part, ResumeState
from connectors.opcua.session import OpcUaSession, link_errors
from connectors.opcua.subscription import Subscription
from connectors.opcua.values.readings import Values
from connectors.ticker import ticks
from pipelines.errors import LinkTimeout
from pipelines.point import AlarmEvent, Delivery, Scan, scan_of

IN_FLIGHT: Final = 3
"""PublishRequests the server holds for one subscription; each further subscription adds one."""
MOST_REFUSED: Final = 20
"""Refusals of PublishRequests in a row; beyond, asking on would only be load."""
_PROBE_AT: Final = 2 / 3
"""Part of the longest silence after which the session is asked whether it is alive."""
_BUSY_S: Final = 0.1
"""A consumer that takes longer than this makes everybody wait, which is not the server's silence."""

_NOTHING: Final = Delivery(())

Pending = tuple["asyncio.Future[Buffer]", list[tuple[int, int]]]
"""A PublishRequest at the server and what it acknowledges: (subscription id, sequence number)."""


class Subscriptions:
    """Every monitored item of a link.

    Args:
        session: an open session.
        context: what the link was opened with.
        limits: what the server takes.
        identity: nodes of the tags, resolved.
        outbox: where deliveries go.
        state: makes the resume state to commit with a delivery.
        values: turns columns into readings.

    Attributes:
        all: the subscriptions, in the order of their items.
    """

    def __init__(
        self,
        session: OpcUaSession,
        context: LinkContext,
        limits: Limits,
        identity: Identity,
        outbox: Outbox,
        state: Callable[[], bytes],
        values: Values,
    ) -> None:
        self.all: list[Subscription] = []
        self._session = session
        self._endpoint = session.settings.endpoint
        self._context = context
        self._limits = limits
        self._identity = identity
        self._outbox = outbox
        self._state = state
        self._items = plan.items(session.settings, context.clock.rate)
        self._events = Events(session, context)
        self._intake = Intake(context, len(session.settings.tags), values)
        self._retest = plan.Retest()
        self._told: dict[int, int] = {}
        self._bad: list[Scan] = []
        self._said = False
        self._in_flight = IN_FLIGHT
        self._refused_in_a_row = 0

    def parts(self) -> tuple[Part, ...]:
        """Where each subscription stands, also one that is being made anew."""
        return tuple(one.part() for one in self.all)

    def refused(self) -> tuple[int, ...]:
        """Tags the server refuses, in table order, and before them the notifiers, as `Gap.tag` has them."""
        return (*self._events.refused(), *sorted(self._retest.due))

    async def open(self, old: ResumeState | None, *, same_session: bool) -> None:
        """Take the old subscriptions over, else make new ones and name what was missed.

        Raises:
            LinkError: neither worked.
        """
        parts = old.parts if old is not None and old.server_start == self._session.server_start else ()
        refused = set(old.refused) if old is not None else set()
        with link_errors(self._endpoint):
            self.all = [self._one((part.start, part.stop)) for part in parts]
            if self._fit(parts, refused):
                for one, part in zip(self.all, parts, strict=True):
                    if await one.take_over(part, refused, same_session=same_session):
                        for tag in refused & {item.tag for item in one.items}:
                            self._retest.soon(tag)
                    else:
                        await one.delete(part.subscription)
                        await self._create(one, self._context.absence, part.last_ns)
                if more := self.all[-1].grow(self._items):
                    self._result((await self.all[-1].add(more)).refused, more)
                    self._context.note("subscription_grown", subscription=self.all[-1].id, items=len(more))
            else:
                for one, part in zip(self.all, parts, strict=True):
                    await one.delete(part.subscription)
                await self._make_all(old.last_ns if old is not None else None)
        await self._put()

    async def publish(self) -> None:
        """Keep PublishRequests at the server and deliver what comes, until the link ends.

        Raises:
            LinkError: it ended.
        """
        pending: deque[Pending] = deque()
        with link_errors(self._endpoint):
            try:
                for one in self.all:
                    if one.resumed:
                        await one.fetch_missed()
                self._heard_all()
                while True:
                    while len(pending) < self._in_flight + len(self.all) - 1:
                        numbers = [(one.id, number) for one in self.all for number in one.ledger.acknowledge()]
                        pending.append((self._session.wire.publish(numbers), numbers))
                        self._context.stats.requests += 1
                    future, numbers = await self._answered(pending)
                    await self._take(future.result(), numbers)
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
                await self._identity.again(due)
                with link_errors(self._endpoint):
                    for one in self.all:
                        if wanted := [item for item in one.items if item.tag in due]:
                            self._result((await one.add(wanted)).refused, wanted)
                    await self._put()
            with link_errors(self._endpoint):
                await self._events.retest(self.all[0].id)

    def _one(self, span: tuple[int, int]) -> Subscription:
        """A subscription of this part of the items; the first one holds the notifiers too."""
        context, limits, identity = self._context, self._limits, self._identity
        events = None if span[0] else self._events
        return Subscription(
            self._session, context, limits, identity, self._intake, span, self._items, self._deliver, events
        )

    def _fit(self, parts: Sequence[Part], refused: set[int]) -> bool:
        """Whether old subscriptions together hold what is wanted, but for items that were added behind the others."""
        spans = [(part.start, part.stop) for part in parts]
        edges = [0, *(stop for _, stop in spans)]
        whole = bool(parts) and edges[-1] <= len(self._items) and [start for start, _ in spans] == edges[:-1]
        most = self._limits.most("items_per_subscription")
        if whole and edges[-1] < len(self._items) and 0 < most < len(self._items) - spans[-1][0]:
            return False
        return whole and all(one.matches(part, refused) for one, part in zip(self.all, parts, strict=True))

    async def _make_all(self, since_ns: int | None) -> None:
        """New subscriptions for every item; once more with smaller ones when the server says how many it takes."""
        enough = False
        while not enough:
            self.all, enough = [], True
            spans = plan.shares(len(self._items), self._limits.most("items_per_subscription"))
            for span in spans or ([(0, 0)] if self._events else []):
                one = self._one(span)
                try:
                    enough = await self._create(one, self._context.absence, since_ns)
                except ua.uaerrors.BadTooManySubscriptions as error:
                    if not self.all:
                        raise
                    self._context.note("too_many_subscriptions", subscriptions=len(self.all), tags=len(one.items))
                    self._result({item.tag: error.code for item in one.items}, one.items)
                    continue
                self.all.append(one)
                if not enough:
                    break
            if not enough:
                for one in self.all:
                    await one.delete()

    async def _create(self, one: Subscription, cause: str, since_ns: int | None) -> bool:
        """Make a subscription with its items; False when the server takes fewer items in one than this."""
        refused = (await one.create()).refused
        crowded = sum(code == TOO_MANY for code in refused.values())
        if crowded and one.bound and not self._limits.most("items_per_subscription"):
            self._limits.learn("items_per_subscription", len(one.bound), "BadTooManyMonitoredItems")
            return False
        if since_ns is not None:
            now_ns = one.last_ns
            self._intake.gaps += one.missed(cause, min(since_ns, now_ns), now_ns)
        self._result(refused, one.items)
        return True

    def _result(self, refused: dict[int, int], wanted: Iterable[plan.Item]) -> None:
        """Note which items were refused; each is a bad reading once for each reason, with the next delivery."""
        now_s = self._context.clock.monotonic_s()
        for item in wanted:
            if item.tag in refused:
                self._retest.failed(item.tag, now_s)
                self._context.stats.refused[item.tag] = refused[item.tag]
            else:
                self._works(item.tag)
        fresh = {tag: code for tag, code in refused.items() if self._told.get(tag) != code}
        self._told |= fresh
        if fresh:
            now_ns = self._context.clock.now_ns()
            self._bad.append(scan_of(list(fresh), now_ns, np.full(len(fresh), np.nan), list(fresh.values())))

    def _works(self, tag: int) -> None:
        self._retest.worked(tag)
        self._told.pop(tag, None)
        self._context.stats.refused.pop(tag, None)

    def _heard_all(self) -> None:
        for one in self.all:
            one.hear()

    async def _answered(self, pending: deque[Pending]) -> Pending:
        """The oldest answered PublishRequest; meanwhile every subscription is watched."""
        loop = asyncio.get_running_loop()
        while True:
            for entry in pending:
                if entry[0].done():
                    pending.remove(entry)
                    return entry
            quiet = min(self.all, key=lambda one: one.due_s)
            left_s = quiet.due_s - loop.time()
            probe_in_s = left_s - quiet.deadline_s * (1 - _PROBE_AT)
            if left_s <= 0:
                await self._silent(quiet)
            elif probe_in_s <= 0 and not quiet.answers:
                await self._probe(quiet, left_s)
            else:
                at_most_s = left_s if quiet.answers else probe_in_s
                await asyncio.wait([one for one, _ in pending], timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)

    async def _probe(self, quiet: Subscription, left_s: float) -> None:
        """Is it the subscription that is silent, or everything?"""
        state = [ua.NodeId(ua.ObjectIds.Server_ServerStatus_State)]
        try:
            async with asyncio.timeout(left_s):
                await self._session.read_attribute(state, ua.AttributeIds.Value)
        except (TimeoutError, LinkTimeout):
            raise LinkTimeout(self._endpoint, f"no word from the server for {quiet.deadline_s:g} s") from None
        quiet.answers = True

    async def _silent(self, quiet: Subscription) -> None:
        """The session lives and the subscription does not: what it still holds is fetched, then a new one is made."""
        number, silent_s = quiet.id, quiet.deadline_s
        self._context.note("subscription_silent", subscription=number, silent_s=silent_s)
        if not quiet.heard:
            await quiet.delete()  # one that is taken over or new and never publishes would do so for ever
            raise LinkTimeout(self._endpoint, f"no word from the subscription for {silent_s:g} s")
        await quiet.fetch_missed()
        since_ns = quiet.last_ns
        await quiet.delete()
        await self._create(quiet, "subscription_silent", since_ns)
        await self._put()
        self._heard_all()

    async def _take(self, data: Buffer, numbers: Sequence[tuple[int, int]]) -> None:
        """Handle the answer to one PublishRequest, which acknowledged these numbers."""
        try:
            answer = published(data, self._context.clock.now_ns())
        except ua.UaStatusCodeError as error:
            self._refused_publish(error.code)
            self._restore(numbers)
            return
        except ValueError:
            self._context.stats.rejected["malformed"] += 1
            raise
        self._refused_in_a_row = 0
        one = next((one for one in self.all if one.id == answer.subscription), None)
        if one is None:
            self._context.stats.rejected["foreign_subscription"] += 1
            if self.all and answer.subscription:
                await self.all[0].delete(answer.subscription)
            return
        self._hear(one, answer)
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        await one.message(answer.message)
        if loop.time() - before_s > _BUSY_S:
            self._heard_all()

    @staticmethod
    def _hear(one: Subscription, answer: Published) -> None:
        one.hear()
        if one.heard:
            return
        one.heard = True
        if one.resumed:  # committed by an earlier link, which could not say so any more
            for number in answer.available:
                if one.ledger.committed(number):
                    one.ledger.accept(number)
        elif answer.available:
            one.ledger.begin((*answer.available, answer.message.sequence))

    def _refused_publish(self, code: int) -> None:
        """A refusal after which the next request may work; the others end the link."""
        self._refused_in_a_row += 1
        if code == ua.StatusCodes.BadTooManyPublishRequests:
            self._in_flight = max(2 - len(self.all), self._in_flight - 1)
            if self._refused_in_a_row <= MOST_REFUSED:
                return
        if code in TOO_MUCH:
            self._limits.refused("notifications", self._limits.most("notifications"), ua.StatusCode(code).name)
        if code != ua.StatusCodes.BadTimeout or self._refused_in_a_row > MOST_REFUSED:
            raise ua.UaStatusCodeError(code)

    def _restore(self, numbers: Sequence[tuple[int, int]]) -> None:
        for one in self.all:
            one.ledger.restore(number for subscription, number in numbers if subscription == one.id)

    async def _deliver(
        self, one: Subscription, scans: tuple[Scan, ...], events: tuple[AlarmEvent, ...], message: Notification
    ) -> None:
        self._notice(one)
        delivery = Delivery(scans, device_time_ns=message.device_ns, events=events)
        if not message.keepalive:
            delivery = replace(delivery, accepted=partial(one.ledger.accept, message.sequence))
        await self._put(delivery, needed=not message.keepalive)

    async def _put(self, delivery: Delivery = _NOTHING, *, needed: bool = False) -> None:
        """Hand over; nothing is said before there is something to say, later empty ones carry the time on."""
        gaps, self._intake.gaps = tuple(self._intake.gaps), []
        scans, self._bad = (*self._bad, *delivery.scans), []
        if scans or gaps or self._said or needed:
            self._said = True
            await self._outbox.put(replace(delivery, scans=scans, gaps=gaps, resume=self._state()))

    def _notice(self, one: Subscription) -> None:
        """Nodes that vanished since are asked for again; those that are back are left alone."""
        for tag in self._intake.back:
            self._works(tag)
            one.regain(tag)
        now_s = self._context.clock.monotonic_s()
        for tag, code in self._intake.gone.items():
            if tag not in self._told:
                self._retest.failed(tag, now_s)
                one.forget(tag)
            self._told[tag] = code
            self._context.stats.refused[tag] = code
        self._intake.back, self._intake.gone = set(), {}
