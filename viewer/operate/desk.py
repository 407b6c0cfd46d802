"""Gives orders about alarms and remembers what became of them, as long as the viewer runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NoReturn

from pipelines.clock import Clock
from pipelines.errors import OrderRefused
from pipelines.orders import AlarmOrder
from pipelines.way import Keep
from viewer.entries.site import SiteKey
from viewer.operate.model import Given, Way

ANSWER_S: Final = 10.0
"""Longest wait for an answer before a page says that there is none."""
_MOST_KEPT: Final = 256
_MOST_WAITING: Final = 16
"""People who wait at once; each of them keeps a thread of the pages."""


class OrderDesk:
    """The desk of one viewer.

    Args:
        ways: to agents, the nearest first; the first that leads to an alarm is taken.
        clock: of the viewer; orders are stamped by it.
        keep_open: opens a way again and again.
        answer_s: longest wait for an answer, seconds.
    """

    def __init__(
        self, ways: Sequence[tuple[str, Way]], clock: Clock, keep_open: Keep, answer_s: float = ANSWER_S
    ) -> None:
        self.clock = clock
        self._ways = ways
        self._keep_open = keep_open
        self._answer_s = answer_s
        self._given: deque[Given] = deque(maxlen=_MOST_KEPT)
        self._waiting = 0
        self._group: asyncio.TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Look for agents, and take orders; ends by cancellation."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as self._group:
                for name, way in self._ways:
                    self._group.create_task(self._look(name, way))
                await self._loop.create_future()
        finally:
            self._group = self._loop = None

    async def _look(self, name: str, way: Way) -> NoReturn:
        await self._keep_open(name, way.run)

    def reaches(self, key: SiteKey, alarm: str) -> bool:
        """Whether an agent says that it takes orders about an alarm (`MACHINE/NAME`)."""
        return any(way.takers(key, alarm) for _, way in self._ways)

    def of(self, key: SiteKey, alarm: str) -> list[Given]:
        """Orders about an alarm since the viewer started, newest first; pages ask in other threads."""
        return [one for one in reversed(self._given.copy()) if one.key == key and one.order.alarm == alarm]

    def find(self, key: SiteKey, name: str) -> Given | None:
        """The order of a site with an id."""
        return next((one for one in self._given.copy() if one.key == key and one.order.id == name), None)

    def give_now(self, key: SiteKey, order: AlarmOrder) -> Given:
        """Give an order and wait for the answer, `ANSWER_S` at most; for a thread that may wait.

        Args:
            key: company and site.
            order: to be given; one whose id was given before is not given again.

        Raises:
            OrderRefused: too many wait already, the desk does not run, or another order had this id.
        """
        if self._loop is None:
            raise OrderRefused("busy", "the desk does not run")
        return asyncio.run_coroutine_threadsafe(self._give(key, order), self._loop).result()

    async def _give(self, key: SiteKey, order: AlarmOrder) -> Given:
        given = self.find(key, order.id)
        if given is not None:
            given.order.check_same(order)
        if self._waiting >= _MOST_WAITING:
            raise OrderRefused("busy", f"{_MOST_WAITING} orders wait for an answer; try again in a moment")
        self._waiting += 1
        try:
            if given is None:
                given = Given(key, order)
                self._given.append(given)
                self._send(given)
            async with asyncio.timeout(self._answer_s):
                await given.known.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1
        assert given is not None
        return given

    def _send(self, given: Given) -> None:
        for _, way in self._ways:
            if takers := way.takers(given.key, given.order.alarm):
                given.asked = takers
                assert self._group is not None
                self._group.create_task(way.send(given))
                return
        given.lost("no_agent")
