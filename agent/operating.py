"""Orders about alarms in the process of a viewer: to an agent on this PC by its control socket, to others by MQTT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from secrets import token_hex
from typing import Final, NoReturn

import structlog

from agent.alarm_orders import FACTS, ORDER
from agent.control.client import SOCKET, order
from agent.supervise import keep_open
from pipelines.clock import clock_from_environment
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import DependencyError, LinkRefused
from pipelines.orders import answer_of
from viewer.entries.site import SiteKey
from viewer.operate.broker import BrokerWay
from viewer.operate.desk import OrderDesk
from viewer.operate.model import Given, Way

log = structlog.get_logger()
_LOOK_S: Final = 5.0
_NOBODY: Final = (FileNotFoundError, ConnectionRefusedError)
"""What tells that nobody took it."""


class SocketWay:
    """A way to the agent on this PC: only who may open its socket may use it, and nobody from elsewhere.

    Args:
        state_dir: the agent's.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._alarms: dict[SiteKey, frozenset[str]] = {}

    def takers(self, key: SiteKey, alarm: str) -> int:
        """See `Way`."""
        return int(alarm in self._alarms.get(key, ()))

    async def send(self, given: Given) -> None:
        """See `Way`."""
        try:
            said = await asyncio.to_thread(order, self._state_dir, ORDER, given.order.model_dump())
        except DependencyError as error:
            log.warning("alarm_order_not_sent", id=given.order.id, reason=str(error))
            # One that was taken and not answered in time may be done all the same: nothing is known of it.
            if not isinstance(error.__cause__, OSError):
                given.lost("agent_refused")
            elif isinstance(error.__cause__, _NOBODY):
                given.lost("agent_away")
            return
        if (answer := answer_of(said)) is not None:
            given.answered(answer)

    async def run(self, opened: Callable[[], None]) -> NoReturn:
        """See `Way`.

        Raises:
            LinkRefused: the agent does not answer.
        """
        try:
            while True:
                if (self._state_dir / SOCKET).exists():  # without it no agent runs here, which is no trouble
                    said = await asyncio.to_thread(order, self._state_dir, FACTS, {}, _LOOK_S)
                    self._alarms = {(said["company"], said["site"]): frozenset(said["orders"])}
                opened()
                await asyncio.sleep(_LOOK_S)
        except (DependencyError, KeyError) as error:
            raise LinkRefused(str(self._state_dir / SOCKET), f"no agent takes orders: {error}") from error
        finally:
            self._alarms = {}


def order_desk(agents: Iterable[Path], mqtt: MqttSettings | None, sites: Iterable[SiteKey]) -> OrderDesk:
    """A desk with ways to these agents.

    Args:
        agents: state folders of agents on this PC.
        mqtt: the broker of agents elsewhere; None = there is none.
        sites: whose agents are asked.
    """
    ways: list[tuple[str, Way]] = [(f"orders {one}", SocketWay(one)) for one in agents]
    if mqtt is not None:
        ways.append((f"{mqtt.endpoint} orders", BrokerWay(mqtt, f"sf-orders-{token_hex(6)}", sites)))
    return OrderDesk(ways, clock_from_environment(), keep_open)
