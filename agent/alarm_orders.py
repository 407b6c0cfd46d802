"""Orders about alarms that come from a viewer: each is checked, done once, and answered when it is on disk for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from agent.alarming import Alarming
from agent.control.server import Routes
from pipelines.clock import Clock
from pipelines.errors import OrderRefused
from pipelines.orders import HOLDS_S, AlarmOrder, OrderAnswer, check_age, order_of
from pipelines.topics import AgentTopics

ORDER: Final = "/orders/alarm"
FACTS: Final = "/orders/facts"
_MOST_KEPT: Final = 512
"""Orders whose ids are remembered; more within a minute are not a person's."""
_KEPT_S: Final = 2 * HOLDS_S
"""So long an order may be taken, by clocks that differ; its id is remembered at least so long after it came."""
log = structlog.get_logger()


class AlarmOrders:
    """What a viewer may have this agent do with its alarms, whichever way it comes.

    Args:
        alarming: does it.
        topics: of this agent.
        clock: the agent's.
        alarms: `MACHINE/NAME` of every alarm there is now.
        here: this PC's own clock, by which a viewer on it stamps; default: the agent's. They differ while the agent
            does not believe this PC's, as on one without NTP whose battery is empty.
    """

    def __init__(
        self,
        alarming: Alarming,
        topics: AgentTopics,
        clock: Clock,
        alarms: Callable[[], tuple[str, ...]],
        here: Clock | None = None,
    ) -> None:
        self._alarming = alarming
        self._topics = topics
        self._clock = clock
        self._alarms = alarms
        self._here = here or clock
        self._taken: dict[str, tuple[AlarmOrder, asyncio.Future[OrderAnswer], float]] = {}

    @property
    def routes(self) -> Routes:
        """What a viewer on this PC asks for over the control socket."""
        return {ORDER: self._over_the_socket, FACTS: self._facts}

    async def take(
        self, said: bytes | Mapping[str, Any], *, retained: bool = False, rival: str = "", here: bool = False
    ) -> OrderAnswer:
        """Do what an order says, if it may be done; the answer is true after a power cut too.

        Args:
            said: the order.
            retained: whether the broker had kept it: nobody knows for how long.
            rival: who else takes what is meant for this agent; empty = nobody.
            here: whether it was sent, and stamped, on this PC.

        Raises:
            OrderRefused: it is no order at all, so that there is nobody to answer.
        """
        order = order_of(said)
        now_ns, taken = self._clock.now_ns(), self._taken.get(order.id)
        try:
            if taken is not None:
                taken[0].check_same(order)
                return await asyncio.shield(taken[1])
            self._check(order, self._here.now_ns() if here else now_ns, retained=retained, rival=rival)
        except OrderRefused as error:
            return self._told(order, _refused(order, now_ns, error))
        answer: asyncio.Future[OrderAnswer] = asyncio.get_running_loop().create_future()
        self._taken[order.id] = (order, answer, self._clock.monotonic_s())
        try:
            answer.set_result(self._told(order, await self._act(order, now_ns)))
        finally:
            answer.cancel()  # without effect where it is answered
        return answer.result()

    async def _act(self, order: AlarmOrder, now_ns: int) -> OrderAnswer:
        said = {"alarms": [order.alarm], "by": order.by, "comment": order.comment, "for_s": order.for_s}
        try:
            found = await self._alarming.act(order.action, said)
        except OrderRefused as error:
            return _refused(order, now_ns, error)
        name = order.alarm
        return OrderAnswer(
            id=order.id,
            at_ns=found["at_ns"],
            done=name in found["done"],
            why=found["why"].get(name, ""),
            reason=found["refused"].get(name, ""),
            state=found["states"][name],
            until_ns=found["until_ns"][name],
        )

    def _check(self, order: AlarmOrder, now_ns: int, *, retained: bool, rival: str) -> None:
        """Refuse what comes from another time, and make room for its id.

        Ids go by a clock that never jumps: one that was set back would have an order be young a second time.

        Raises:
            OrderRefused: it is retained, old or ahead, there are too many of this minute, or there is a rival.
        """
        if rival:
            raise OrderRefused("rival", rival)
        if retained:
            raise OrderRefused("retained", "the broker had kept it; an order is sent and never retained")
        check_age(order, now_ns, self._clock.rate)
        if len(self._taken) < _MOST_KEPT:
            return
        oldest_s = self._clock.monotonic_s() - _KEPT_S * self._clock.rate
        self._taken = {name: one for name, one in self._taken.items() if one[2] >= oldest_s}
        if len(self._taken) >= _MOST_KEPT:
            raise OrderRefused("busy", f"{_MOST_KEPT} orders came within a minute; wait a little")

    def _told(self, order: AlarmOrder, answer: OrderAnswer) -> OrderAnswer:
        log.info("alarm_order", id=order.id, action=order.action, alarm=order.alarm, done=answer.done, why=answer.why)
        return answer

    async def _over_the_socket(self, said: dict[str, Any]) -> dict[str, Any]:
        return (await self.take(said, here=True)).model_dump()

    async def _facts(self, _said: dict[str, Any]) -> dict[str, Any]:
        topics = self._topics
        return {"company": topics.company, "site": topics.site, "agent": topics.agent, "orders": list(self._alarms())}


def _refused(order: AlarmOrder, now_ns: int, error: OrderRefused) -> OrderAnswer:
    return OrderAnswer(id=order.id, at_ns=now_ns, done=False, why=error.why, reason=error.reason)
