"""The link to one OPC UA server: subscription and cyclic reads in one session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from connectors.base import Connector, Found, LinkContext
from connectors.opcua import plan, service_level
from connectors.opcua.browse import walk
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.history.backfill import Backfill
from connectors.opcua.identity import Identity
from connectors.opcua.limits import limits_of
from connectors.opcua.outbox import Outbox
from connectors.opcua.properties import Facts
from connectors.opcua.reading import Reader
from connectors.opcua.resume import ResumeState
from connectors.opcua.security.discovery import open_channel
from connectors.opcua.session import OpcUaSession, link_errors
from connectors.opcua.subscriptions import Subscriptions
from connectors.opcua.values.readings import Values
from connectors.ticker import ticks
from pipelines.errors import LinkError
from pipelines.point import Delivery, Gap

HELD: Final = 64
"""Deliveries a slow consumer may lag behind before the server has to queue."""
_RENEW_AT: Final = 0.75
"""Part of the security token's lifetime after which it is renewed (OPC 10000-4 §5.6.2.1)."""


class OpcUaLink(Connector):
    """One session with one OPC UA server.

    A subscription is taken over from the link before when the server still has it; what was not committed is asked
    for again, so nothing is lost or doubled. The consumer of an earlier link must have accepted or dropped every
    delivery of it before `LinkContext.resume` is read.
    """

    def __init__(self, context: LinkContext) -> None:
        super().__init__(context)
        settings: OpcUaConnection = context.settings
        self._settings = settings
        self._session = OpcUaSession(context)
        self._reader: Reader | None = None
        self._subscriptions: Subscriptions | None = None
        self._backfill = Backfill(self._session, context)
        self._outbox = Outbox(HELD, self._backfill.pass_on, self._backfill.last_words)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Open the session, the subscription, and start collecting.

        Raises:
            LinkError: it cannot be opened.
        """
        old = ResumeState.from_bytes(self.context.resume)
        if old is not None and old.endpoint != self._settings.endpoint:
            old = old.elsewhere(self._settings.endpoint)
        same_session = await self._session.open(old)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._abandon, keep=same_session)
            if old is not None:
                self.context.note("session_reactivated" if same_session else "session_created")
            await service_level.usable(self._session)
            limits = await limits_of(self._session, self.context)
            identity = Identity(self._session, self.context, limits)
            await identity.resolve()
            common = (
                self._session,
                self.context,
                limits,
                identity,
                self._outbox,
                self._state,
                Values(self._session, self.context, identity),
            )
            self._reader, self._subscriptions = Reader(*common), Subscriptions(*common)
            await self._read_gaps(old)
            await self._subscriptions.open(old, same_session=same_session)
            stack.pop_all()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        work = [self._renew, self._reader.run]
        if self._settings.backups:
            work.append(partial(service_level.watch, self._session, self.context.clock))
        if self._subscriptions.all:
            work += [self._subscriptions.publish, self._subscriptions.retest]
        work.append(Facts(self._session, self.context, identity).run)
        own = Values(self._session, self.context, identity)
        work.append(partial(self._backfill.run, self._outbox, identity.nodes, own))
        self._tasks = [self._group.create_task(self._guard(one)) for one in work]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the tasks and leave session and subscription at the server, so that a restart loses nothing."""
        for task in self._tasks:
            task.cancel()
        try:
            if self._group is not None:
                await self._group.__aexit__(None, None, None)
        finally:
            await self._session.close(keep=bool(self._subscriptions and self._subscriptions.all))

    async def _abandon(self, *, keep: bool) -> None:
        """The opening failed: what was transferred to a new session outlives it, for the next link."""
        taken = self._subscriptions is not None and any(one.resumed for one in self._subscriptions.all)
        await self._session.close(keep=keep, subscriptions=taken)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Deliveries, oldest first; a notification is acknowledged after its `accepted` was called.

        Raises:
            LinkError: the link ended.
        """
        while True:
            yield await self._outbox.get()

    async def browse(self, depth: int | None = None, most: int | None = None) -> AsyncIterator[Found]:
        """What is under Objects, depth first.

        Raises:
            LinkError: the link ended.
        """
        async for found in walk(self._session, self.context.note, depth, most):
            yield found

    def _state(self) -> bytes:
        assert self._reader is not None
        assert self._subscriptions is not None
        token, nonce = self._session.resumable()
        subscriptions = self._subscriptions
        return ResumeState(
            self._settings.endpoint,
            self._session.server_start,
            token,
            nonce,
            self._reader.last_ns,
            subscriptions.parts(),
            subscriptions.refused(),
            self._session.guard.key(),
        ).to_bytes()

    async def _read_gaps(self, old: ResumeState | None) -> None:
        """Reads that did not happen while nobody was there."""
        now_ns = self.context.clock.now_ns()
        gaps = [
            Gap(tag, self.context.absence, old.read_ns, now_ns)
            for period_s, tags in plan.reads(self._settings).items()
            if old is not None and now_ns - old.read_ns > 2 * period_s * 1e9
            for tag in tags
        ]
        if gaps:
            await self._outbox.put(Delivery((), None, tuple(gaps)))

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except LinkError as error:
            await self._outbox.fail(error)

    async def _renew(self) -> None:
        """Renew the channel's security token before it expires."""
        lifetime_s = self._session.client.secure_channel_timeout / 1000
        first = True
        async for _ in ticks([lifetime_s * _RENEW_AT * self.context.clock.rate], self.context.clock):
            if not first:
                with link_errors(self._settings.endpoint):
                    async with asyncio.timeout(self._settings.timeout_s):
                        await open_channel(self._session.client, renew=True)
                    self._session.client.uaclient.revolve_security_token()
                self._session.guard.remind()
            first = False
