"""Orders about alarms over MQTT, where `agent.alarm_orders` lets them in: a session of its own, nothing of it is kept.

The broker says who may order: by its access list only a viewer writes to `sf/<company>/<site>/<agent>/order`. The
session is clean, so that an order that comes while the agent is away is lost, and told so to the viewer, and never
comes later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from agent.alarm_orders import AlarmOrders
from agent.supervise import keep_open
from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import LinkError, OrderRefused
from pipelines.topics import AgentTopics

_AT_ONCE: Final = 32
log = structlog.get_logger()


class OrderLink:
    """Takes orders from the broker.

    Args:
        mqtt: the broker.
        topics: of this agent.
        orders: does them.
        rival: who else runs under this agent's identity; empty while nobody does.
    """

    def __init__(self, mqtt: MqttSettings, topics: AgentTopics, orders: AlarmOrders, rival: Callable[[], str]) -> None:
        self._mqtt = mqtt
        self._topics = topics
        self._orders = orders
        self._rival = rival
        self._moved = asyncio.Event()
        self._under_way = 0

    def move(self, mqtt: MqttSettings) -> None:
        """From now on at another broker, or with another login."""
        if mqtt != self._mqtt:
            self._mqtt = mqtt
            self._moved.set()

    async def run(self) -> NoReturn:
        """Take them for ever; ends by cancellation."""
        while True:
            self._moved.clear()
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(keep_open(f"{self._mqtt.endpoint} orders", self._session))
                await self._moved.wait()
                keeping.cancel()

    async def _session(self, opened: Callable[[], None]) -> None:
        # "/" is in no name, so that this is the id of no other agent or destination.
        client_id = f"{self._topics.client_id}/orders"
        async with asyncio.TaskGroup() as group:

            def take(message: Message) -> None:
                if self._under_way >= _AT_ONCE:
                    log.warning("alarm_order_dropped", topic=message.topic, reason="too many at once")
                    return
                self._under_way += 1
                group.create_task(self._answer(session, message))

            session = MqttSession(self._mqtt, client_id, take)
            try:
                async with session:
                    await session.subscribe([self._topics.order])
                    opened()
                    over = await session.ended()
            except LinkError as error:  # out of the group as it is, not as an ExceptionGroup
                over = error
        raise over

    async def _answer(self, session: MqttSession, message: Message) -> None:
        try:
            answer = await self._orders.take(message.payload, retained=message.retained, rival=self._rival())
        except OrderRefused as error:
            log.warning("alarm_order_refused", topic=message.topic, reason=error.reason)
        else:
            session.publish(self._topics.answer, answer.packed())
        finally:
            self._under_way -= 1
