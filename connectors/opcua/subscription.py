"""One subscription at the server: made or taken over, filled with items, repaired from the server's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from connectors.base import LinkContext
from connectors.opcua import plan
from connectors.opcua.columnar.turns import in_turn
from connectors.opcua.events.notifiers import Events
from connectors.opcua.identity import Identity
from connectors.opcua.intake import Handles, Intake
from connectors.opcua.items import Created, create_items, datatypes, drop_items
from connectors.opcua.ledger import Ledger, after
from connectors.opcua.library import ua
from connectors.opcua.limits import Limits
from connectors.opcua.messages import Notification
from connectors.opcua.resume import Part
from connectors.opcua.session import OpcUaSession, link_errors, texts
from pipelines.errors import LinkClosed, LinkError
from pipelines.point import SEVERITY_MASK, AlarmEvent, Gap, Scan

Deliver = Callable[["Subscription", tuple[Scan, ...], tuple[AlarmEvent, ...], Notification], Awaitable[None]]
"""(subscription, readings, events, the message they came in): hands them over."""


class Subscription:
    """One subscription of a link.

    Args:
        session: an open session.
        context: what the link was opened with.
        limits: what the server takes.
        identity: nodes of the tags.
        intake: what the link's subscriptions share.
        span: (start, stop) of its items in `items`.
        items: every monitored item of the connection, in table order.
        deliver: where readings go.
        events: the notifiers that stand in it, if any.

    Attributes:
        id: subscription id; 0 = there is none.
        items: its monitored items.
        ledger: its sequence numbers.
        last_ns: until when everything was delivered, ns since 1970 UTC.
        resumed: whether it is one of an earlier link.
        heard: whether the server has said anything on it since it was made or taken over.
        heard_s: when it did so last, seconds of the loop's clock.
        answers: whether the session was seen alive since then.
        deadline_s: three keep-alives as the server revised them: the longest silence, real seconds.
        bound: tags that have an item.
    """

    def __init__(
        self,
        session: OpcUaSession,
        context: LinkContext,
        limits: Limits,
        identity: Identity,
        intake: Intake,
        span: tuple[int, int],
        items: Sequence[plan.Item],
        deliver: Deliver,
        events: Events | None,
    ) -> None:
        self.id = 0
        self.items = items[span[0] : span[1]]
        self.ledger = Ledger()
        self.last_ns = context.clock.now_ns()
        self.resumed = False
        self.heard = False
        self.heard_s = 0.0
        self.answers = False
        self.deadline_s = 3 * session.settings.keepalive_s
        self.bound: set[int] = set()
        self._span = span
        self._session = session
        self._endpoint = session.settings.endpoint
        self._context = context
        self._limits = limits
        self._identity = identity
        self._intake = intake
        self._deliver_to = deliver
        self._events = events
        self._publishing_ns = int(session.settings.publishing_interval_s * 1e9)
        self._handles = Handles(len(session.settings.tags))
        self._ids: dict[int, int] = {}
        self._had_items: set[int] = set()
        self._fingerprint = ""
        self._lost_ns = 0

    @property
    def due_s(self) -> float:
        """When its silence is too long, seconds of the loop's clock."""
        return self.heard_s + self.deadline_s

    def hear(self) -> None:
        """The server said something on it, or nothing could be expected until now."""
        self.heard_s = asyncio.get_running_loop().time()
        self.answers = False

    def part(self) -> Part:
        """Where it stands."""
        if not self._fingerprint:
            self._fingerprint = self._hash(self.bound)
        handles = tuple(sorted(self._handles.again.items()))
        return Part(self.id, *self._span, self._fingerprint, self.ledger.last, self.last_ns, handles)

    def matches(self, part: Part, refused: set[int]) -> bool:
        """Whether the subscription of `part` has the items this one is to have."""
        bound = {item.tag for item in self.items} - refused
        return part.fingerprint == self._hash(bound) and Handles.fit(part.handles)

    def continues(self, part: Part, refused: set[int]) -> None:
        """It is the one of `part` now: `take_over` has shown that the server has it."""
        self.id = part.subscription
        self.resumed = True
        self.ledger = Ledger(part.sequence, fresh=False, before=part.sequence)
        self.last_ns = part.last_ns
        self._handles = Handles(len(self._session.settings.tags), part.handles)
        self._had_items = {item.tag for item in self.items}
        self.bound = self._had_items - refused
        self._fingerprint = part.fingerprint
        self._intake.since([item.tag for item in self.items], part.last_ns)
        if self._events:
            self._events.refused_before(refused)

    def grow(self, items: Sequence[plan.Item]) -> Sequence[plan.Item]:
        """Items that the configuration has behind those of before stand in it as well.

        Returns:
            Those that `add` has to make.
        """
        more = items[self._span[1] :]
        self.items = items[self._span[0] :]
        self._span = (self._span[0], len(items))
        return more

    async def take_over(self, part: Part, refused: set[int], *, same_session: bool) -> bool:
        """OPC 10000-4 §6.7: with the old session its subscriptions are ours again, else they are transferred.

        Raises:
            TimeoutError, OSError, ValueError: no usable answer.
        """
        try:
            if not same_session:
                move = ua.TransferSubscriptionsRequest()
                move.Parameters.SubscriptionIds = [part.subscription]
                move.Parameters.SendInitialValues = False
                answer = await self._session.call(move, ua.TransferSubscriptionsResponse)
                answer.Parameters.Results[0].StatusCode.check()
            # the one service that says whether the subscription still is there and changes nothing
            rates = plan.rates(self._session.settings, self._context.clock.rate)
            modify = ua.ModifySubscriptionRequest()
            modify.Parameters.SubscriptionId = part.subscription
            modify.Parameters.RequestedPublishingInterval = rates.publishing_ms
            modify.Parameters.RequestedLifetimeCount = rates.lifetime_count
            modify.Parameters.RequestedMaxKeepAliveCount = rates.keepalive_count
            modify.Parameters.MaxNotificationsPerPublish = self._limits.most("notifications")
            self._expect((await self._session.call(modify, ua.ModifySubscriptionResponse)).Parameters)
        except (ua.UaStatusCodeError, IndexError) as error:
            reason = ua.StatusCode(error.code).name if isinstance(error, ua.UaStatusCodeError) else "no result"
            self._context.note("subscription_not_taken_over", subscription=part.subscription, reason=reason)
            return False
        self.continues(part, refused)
        way = "session" if same_session else "transfer"
        self._context.note("subscription_taken_over", subscription=self.id, by=way, after_sequence=part.sequence)
        return True

    async def create(self) -> Created:
        """Make it and its items.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        started_s = self._context.clock.monotonic_s()
        rates = plan.rates(self._session.settings, self._context.clock.rate)
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=rates.publishing_ms,
            RequestedLifetimeCount=rates.lifetime_count,
            RequestedMaxKeepAliveCount=rates.keepalive_count,
            MaxNotificationsPerPublish=self._limits.most("notifications"),
            PublishingEnabled=True,
            Priority=0,
        )
        made = (await self._session.call(request, ua.CreateSubscriptionResponse)).Parameters
        self.id = made.SubscriptionId
        self.resumed, self.heard = False, False
        self.ledger = Ledger()
        self._handles, self._ids = Handles(len(self._session.settings.tags)), {}
        self.bound, self._had_items = set(), set()
        self._expect(made)
        made_ns = self._context.clock.now_ns()
        self._intake.since([item.tag for item in self.items], made_ns)
        nodes = self._identity.nodes
        found = await datatypes(self._session, {i.tag: nodes[i.tag] for i in self.items if i.tag in nodes})
        created = await self.add(plan.in_runs(self.items, found))
        if self._events:
            await self._events.create(self.id)
        seconds = round(self._context.clock.monotonic_s() - started_s, 3)
        self._context.note(
            "subscription_created",
            subscription=self.id,
            items=len(self.bound),
            refused=len(created.refused),
            shorter_queues=len(created.shortened),
            slower_sampling=len(created.slower),
            seconds=seconds,
        )
        self.hear()
        self.last_ns = made_ns  # not before: a state told meanwhile has to know from when on a gap is still to be told
        return created

    async def add(self, wanted: Sequence[plan.Item]) -> Created:
        """Make items, anew for those that had one before.

        Raises:
            TimeoutError, OSError, ua.UaStatusCodeError, ValueError: no usable answer.
        """
        nodes = self._identity.nodes
        had = self._had_items
        offered = {item.tag: self._handles.offer(item.tag) for item in wanted if item.tag in nodes and item.tag in had}
        created = await create_items(self._session, self._limits, self.id, wanted, nodes, offered)
        for tag, code in self._identity.unknown.items():
            if tag in created.refused:
                created.refused[tag] = code
        for tag, handle in offered.items():
            self._handles.settle(tag, handle, taken=tag in created.ids)
        replaced = [self._ids[tag] for tag in created.ids if tag in self._ids]
        had |= created.ids.keys()
        self._ids |= created.ids
        self.bound = (self.bound | created.ids.keys()) - created.refused.keys()
        self._fingerprint = ""
        if replaced:
            await drop_items(self._session, self.id, replaced)
        if created.unfiltered:
            codes = sorted({ua.StatusCode(code).name for code in created.unfiltered.values()})
            self._context.note("filter_not_on_server", tags=len(created.unfiltered), reasons=codes)
        return created

    def forget(self, tag: int) -> None:
        """The node of `tag` is gone: its item stands for nothing that a later link could count on."""
        self.bound.discard(tag)
        self._fingerprint = ""

    def regain(self, tag: int) -> None:
        """The item of `tag` gives readings again."""
        self.bound.add(tag)
        self._fingerprint = ""

    async def delete(self, number: int = 0) -> None:
        """Delete subscription `number`, by default this one; one that is not there any more is no fault."""
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [number or self.id]
        try:
            with link_errors(self._endpoint):
                await self._session.call(request, ua.DeleteSubscriptionsResponse)
        except LinkError:
            self._context.stats.rejected["delete_subscription"] += 1
        if not number:
            self.id = 0

    def missed(self, cause: str, start_ns: int, end_ns: int) -> list[Gap]:
        """A gap of everything in it."""
        gaps = [Gap(item.tag, cause, start_ns, end_ns) for item in self.items]
        return gaps + (self._events.missed(cause, start_ns, end_ns) if self._events else [])

    async def message(self, message: Notification) -> None:
        """Deliver a message, and before it what was sent earlier and never came.

        Raises:
            LinkError: the server ended the subscription, or counts its messages anew.
        """
        if self.ledger.distance(message.sequence) < 0:
            if self.ledger.counts_anew(message.sequence, keepalive=message.keepalive):
                await self.delete()  # or the next link would take it over
                raise LinkClosed(self._endpoint, "the server counts its messages anew; the subscription is made again")
            if not message.keepalive:
                self._context.stats.rejected["duplicate"] += 1
                return
        lost = await self._repair(message.sequence)
        scans = await self._prepare(message)
        if lost:
            self._lose(lost)
        if not message.keepalive:
            self.ledger.take(message.sequence)
        await self._deliver(message, scans)

    async def fetch_missed(self) -> None:
        """Everything sent since the last delivered message, until the server has no more."""
        first = after(self.ledger.last)
        count = 0
        while (message := await self._republish(after(self.ledger.last))) is not None:
            scans = await self._prepare(message)
            self.ledger.take(message.sequence)
            await self._deliver(message, scans, late=True)
            count += 1
        if count:
            self._tell("notifications_recovered", first, self.ledger.last, count)

    async def _repair(self, sequence: int) -> int:
        """Fetch what was sent before `sequence` and never came; name what the server no longer has.

        Returns:
            Number of the last lost message that no gap tells of yet, 0 = none: the gap goes with what comes next.
        """
        missing = self.ledger.missing(sequence)
        beyond = max(0, self.ledger.distance(sequence) - len(missing))
        if not missing:
            return 0
        lost: list[int] = []
        recovered: list[int] = []
        untold = missing[0] if beyond else 0
        for number in missing:
            message = await self._republish(number)
            if message is None:
                lost.append(number)
                untold = number
                continue
            scans = await self._prepare(message)
            if untold:
                self._lose(untold)
                untold = 0
            self.ledger.take(number)
            recovered.append(number)
            await self._deliver(message, scans, late=True)
        if recovered:
            self._tell("notifications_recovered", recovered[0], recovered[-1], len(recovered))
        if lost or beyond:
            self._tell("notifications_lost", (lost or missing)[0], (lost or missing)[-1], len(lost) + beyond)
        return untold

    def _lose(self, number: int) -> None:
        """Messages up to `number` are given up: a gap from the last reading before to the first one after them."""
        now_ns = self._context.clock.now_ns()
        self._lost_ns = start_ns = max(self.last_ns, self._lost_ns + 1)
        self._intake.gaps += self.missed("sequence_lost", min(start_ns, now_ns), now_ns)
        self.ledger.take(number)

    def _tell(self, event: str, first: int, last: int, count: int) -> None:
        self._context.note(event, subscription=self.id, first=first, last=last, count=count)

    async def _republish(self, number: int) -> Notification | None:
        self._context.stats.requests += 1
        return await self._session.wire.republish(
            self.id, number, self._session.settings.timeout_s, self._context.clock.now_ns()
        )

    async def _prepare(self, message: Notification) -> tuple[Scan, ...]:
        """The readings of a message, with everything asked for that they and its events need.

        Between taking a number and handing over nothing may be waited for: others tell the state in between.
        """
        self._intake.hear(message, self._handles)
        if self._events and message.events:
            await self._events.prepare(message.events)
        found = [one for columns in message.columns for one in await self._intake.scans(columns, self._handles)]
        return tuple(in_turn(found))

    async def _deliver(self, message: Notification, scans: tuple[Scan, ...], *, late: bool = False) -> None:
        complete_ns = self._complete_ns(scans)
        if late:  # more of the same time may follow: only what the server sent until then is known
            complete_ns = max(self.last_ns, min(complete_ns, message.publish_ns - self._publishing_ns))
        self.last_ns = complete_ns
        for code in message.statuses:
            if not code & SEVERITY_MASK:
                continue  # GoodSubscriptionTransferred: our own take-over, told late
            name = ua.StatusCode(code).name
            await self.delete()  # one whose end was told may still be there, and would be taken over
            raise LinkClosed(self._endpoint, f"the server ended the subscription ({name})")
        events: tuple[AlarmEvent, ...] = ()
        if self._events:
            events, lost = await self._events.take(message.events, message.publish_ns)
            self._intake.gaps += lost
        await self._deliver_to(self, scans, events, message)

    def _complete_ns(self, scans: tuple[Scan, ...]) -> int:
        """Until when nothing is missing: one publishing interval ago, or the newest reading when that is older."""
        publishing_ns = self._publishing_ns
        complete_ns = self._context.clock.now_ns() - publishing_ns
        newest_ns = max((int(scan.time_ns.max()) for scan in scans), default=complete_ns)
        return newest_ns if complete_ns - 2 * publishing_ns - 1_000_000_000 < newest_ns < complete_ns else complete_ns

    def _expect(self, revised: Any) -> None:
        """Three keep-alives, as the server revised them, are the longest silence."""
        real_s = revised.RevisedPublishingInterval / 1000
        self._publishing_ns = int(real_s * self._context.clock.rate * 1e9)
        self.deadline_s = max(3 * real_s * revised.RevisedMaxKeepAliveCount, 1.0)

    def _hash(self, bound: set[int]) -> str:
        nodes = self._identity.nodes
        known = {tag: nodes[tag] for tag in bound if tag in nodes}
        events = self._events.fingerprint() if self._events else ""
        return plan.fingerprint([item for item in self.items if item.tag in bound], texts(known), events)
