"""Deliveries on their way from a link's tasks to its consumer: bounded, in order, and the link's end comes last."""

from __future__ import annotations

import asyncio
from collections import deque

from pipelines.errors import LinkError
from pipelines.point import Delivery


class Outbox:
    """A bounded queue that can end with an error.

    Args:
        most: deliveries held before `put` waits.
    """

    def __init__(self, most: int) -> None:
        self._held: deque[Delivery] = deque(maxlen=most)
        self._most = most
        self._error: LinkError | None = None
        self._changed = asyncio.Condition()

    async def put(self, delivery: Delivery) -> None:
        """Add at the end, waiting for room."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._held) < self._most)
            self._held.append(delivery)
            self._changed.notify_all()

    async def fail(self, error: LinkError) -> None:
        """The link ended; what is held is still handed out. The first error counts."""
        async with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    async def get(self) -> Delivery:
        """Take the oldest, waiting for one.

        Raises:
            LinkError: the link ended and nothing is left.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._held or self._error is not None)
            if not self._held:
                assert self._error is not None
                raise self._error
            delivery = self._held.popleft()
            self._changed.notify_all()
            return delivery
