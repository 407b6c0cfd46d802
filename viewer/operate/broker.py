"""Orders over MQTT, to agents anywhere. Who takes them says so in its retained birth (`orders`, docs/alarms.md).

The session is clean: an answer that comes while the viewer is away is about an order that it does not remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import orjson
import structlog

from pipelines.delivery.mqtt import Message, MqttSession
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.orders import answer_of
from pipelines.topics import ROOT, AgentTopics
from viewer.entries.site import SiteKey
from viewer.operate.model import Given

_NOBODY: Final = 0x10
"""No matching subscribers (MQTT 5 §3.4.2.1)."""
_MOST_BIRTH: Final = 1 << 20
_MOST_OPEN: Final = 256
_MOST_AGENTS: Final = 64
"""Of a site: who may write births there could invent any number, each of which would be remembered and asked."""
_MOST_ALARMS: Final = 10_000
log = structlog.get_logger()


class BrokerWay:
    """A way by a broker.

    Args:
        mqtt: the broker.
        client_id: at the broker.
        sites: whose agents are asked.
    """

    def __init__(self, mqtt: MqttSettings, client_id: str, sites: Iterable[SiteKey]) -> None:
        self._mqtt = mqtt
        self._client_id = client_id
        self._sites = tuple(sites)
        self._session: MqttSession | None = None
        self._alarms: dict[AgentTopics, frozenset[str]] = {}
        self._open: dict[tuple[str, str], Given] = {}

    def takers(self, key: SiteKey, alarm: str) -> int:
        """See `Way`."""
        return len(self._topics(key, alarm))

    async def send(self, given: Given) -> None:
        """See `Way`."""
        session, payload = self._session, given.order.packed()
        topics = self._topics(given.key, given.order.alarm)
        given.asked = max(len(topics), 1)
        if session is None or not topics:
            given.asked = 1
            given.lost("no_broker")
            return
        for one in topics:
            self._open[one.answer, given.order.id] = given
            session.publish(one.order, payload, heard=partial(self._heard, given, one))
        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]

    async def run(self, opened: Callable[[], None]) -> None:
        """See `Way`.

        Raises:
            LinkError: it could not be opened, or it ended.
        """
        self._alarms.clear()
        session = MqttSession(self._mqtt, self._client_id, self._take, receive_maximum=1000)
        try:
            async with session:
                places = [f"{ROOT}/{company}/{site}/+" for company, site in self._sites]
                if places:
                    await session.subscribe([f"{one}/{end}" for one in places for end in ("order/answer", "birth")])
                self._session = session
                opened()
                raise await session.ended()
        finally:
            self._session = None

    def _topics(self, key: SiteKey, alarm: str) -> list[AgentTopics]:
        known = self._alarms.copy()  # pages ask in other threads, while agents come and go
        return [one for one, alarms in known.items() if (one.company, one.site) == key and alarm in alarms]

    def _take(self, message: Message) -> None:
        last = message.topic.rpartition("/")[2]
        if last == "birth" and len(message.payload) <= _MOST_BIRTH:
            self._born(AgentTopics.of(message.topic), message.payload)
        elif last == "answer" and (answer := answer_of(message.payload)) is not None:
            given = self._open.pop((message.topic, answer.id), None)
            if given is not None:
                given.answered(answer)

    def _born(self, topics: AgentTopics, payload: bytes) -> None:
        """An agent said what it is: an empty word takes it back."""
        try:
            said = orjson.loads(payload)
            orders = said.get("orders") if isinstance(said, dict) else None
        except orjson.JSONDecodeError:
            orders = None
        if not isinstance(orders, list):
            self._alarms.pop(topics, None)
        elif topics in self._alarms or self._agents(topics) < _MOST_AGENTS:
            self._alarms[topics] = frozenset(one for one in orders[:_MOST_ALARMS] if isinstance(one, str))
        else:
            log.warning("too_many_agents", company=topics.company, site=topics.site, most=_MOST_AGENTS)

    def _agents(self, topics: AgentTopics) -> int:
        return sum((one.company, one.site) == (topics.company, topics.site) for one in self._alarms)

    def _heard(self, given: Given, topics: AgentTopics, code: int, said: str) -> None:
        """What the broker did with an order: it says when nobody was there to take it, or when it may not be."""
        if code == _NOBODY:
            self._lost(given, topics, "agent_away")
        elif code:
            log.error("order_refused_by_broker", topic=topics.order, reason=said)
            self._lost(given, topics, "broker_refused")

    def _lost(self, given: Given, topics: AgentTopics, trouble: str) -> None:
        if self._open.pop((topics.answer, given.order.id), None) is not None:
            given.lost(trouble)
