"""Deliveries on their way from a link's tasks to its consumer: bounded, in order, and the link's end comes last."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pipelines.errors import LinkError
from pipelines.point import Delivery


class Outbox:
    """A bounded queue that can end with an error.

    Args:
        most: deliveries held before `put` waits.
        look: sees every delivery in the order in which it goes out and may add to it; None = nobody looks.
        last: makes the delivery that is put behind all others when the link fails; None = there is none.
    """

    def __init__(
        self,
        most: int,
        look: Callable[[Delivery], Delivery] | None = None,
        last: Callable[[], Delivery | None] | None = None,
    ) -> None:
        self._look = look
        self._last = last
        self._held: deque[Delivery] = deque(maxlen=most)
        self._most = most
        self._error: LinkError | None = None
        self._turn = asyncio.Lock()
        self._changed = asyncio.Condition()

    @property
    def held(self) -> int:
        """Deliveries the consumer has not taken yet."""
        return len(self._held)

    async def put(self, delivery: Delivery) -> None:
        """Add at the end, waiting for room.

        Whoever called first is first, or a state could be committed before the readings that it counts as delivered.
        """
        async with self._turn, self._changed:
            await self._changed.wait_for(lambda: len(self._held) < self._most)
            self._held.append(delivery if self._look is None else self._look(delivery))
            self._changed.notify_all()

    async def fail(self, error: LinkError) -> None:
        """The link ended; what is held is still handed out. The first error counts."""
        async with self._changed:
            if self._error is None and self._last is not None:
                await self._changed.wait_for(lambda: len(self._held) < self._most)
                words = self._last()
                self._held.extend([words] if words is not None else [])
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
