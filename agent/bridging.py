"""What a bridge says of itself: status, health and metrics over HTTP, for who scrapes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agent.control.server import QuietServer, control_app
from agent.metrics import Family, Samples, Status
from pipelines.bridge import Bridge
from pipelines.errors import ConfigError, DependencyError

_TICK_S: Final = 0.02
_LOOPBACK: Final = "127.0.0.1"
_PORTS: Final = range(65536)


def _count(name: str, meaning: str, key: str) -> Family:
    return Family(f"shopfloor_bridge_{name}", "counter", meaning, lambda status: (((), float(status[key])),))


def _lane(key: str, value: Callable[[Any], float]) -> Callable[[Status], Samples]:
    def samples(status: Status) -> Samples:
        return (((company,), value(lane[key])) for company, lane in status["lanes"].items())

    return samples


FAMILIES: Final = (
    _count("records", "Records stored and confirmed.", "records"),
    _count("bytes", "Bytes of their line protocol.", "bytes"),
    _count("rejected_fields", "Fields the store refused; their agents keep them in quarantine.", "rejected"),
    _count("expired_points", "Points older than the store keeps.", "expired"),
    _count("strangers", "Messages that were no records, or not their agent's own.", "strangers"),
    _count("handed_back", "Messages of companies whose store stays away; their agents send them again.", "handed_back"),
    _count("store_errors", "Requests the store did not answer, or without a word on the data.", "store_errors"),
    Family(
        "shopfloor_bridge_broker_up",
        "gauge",
        "1 while there is a session with the broker.",
        lambda status: (((), float(status["connected"])),),
    ),
    Family(
        "shopfloor_bridge_lane_messages",
        "gauge",
        "Messages of a company that are not acknowledged.",
        _lane("held", float),
        ("company",),
    ),
    Family(
        "shopfloor_bridge_store_up",
        "gauge",
        "1 while the store of a company takes what it is given; absent while the company sends nothing.",
        _lane("error", lambda error: float(not error)),
        ("company",),
    ),
)
"""Every metric of a bridge."""


def status_of(bridge: Bridge) -> dict[str, Any]:
    """Everything a bridge says of itself."""
    stats = bridge.stats
    lanes = {company: {"held": held, "error": error} for company, (held, error) in bridge.lanes.items()}
    troubles = [] if stats.connected else [f"{bridge.settings.endpoint}: no session with the broker"]
    troubles += [f"{bridge.sink.name}: {company}: {lane['error']}" for company, lane in lanes.items() if lane["error"]]
    return {
        "mqtt": bridge.settings.endpoint,
        "store": bridge.sink.name,
        "healthy": not troubles,
        "troubles": troubles,
        "connected": stats.connected,
        "records": stats.records,
        "bytes": stats.bytes,
        "rejected": stats.rejected,
        "expired": stats.expired,
        "strangers": stats.strangers,
        "handed_back": stats.handed_back,
        "store_errors": stats.store_errors,
        "lanes": lanes,
    }


class BridgeMetrics(Collector):
    """Metrics of a bridge, made when they are asked for."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def collect(self) -> Iterator[Metric]:
        """Every metric once."""
        status = status_of(self._bridge)
        for family in FAMILIES:
            yield family.metric(status)


class HealthServer(QuietServer):
    """`/status`, `/metrics`, `/healthz` and `/readyz` of a bridge on an address.

    Args:
        bridge: the bridge.
        address: `PORT` or `HOST:PORT`; without a host on loopback, port 0 takes a free one.

    Raises:
        ConfigError: it is no address.
    """

    def __init__(self, bridge: Bridge, address: str) -> None:
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or _LOOPBACK
        if not port.isdecimal() or int(port) not in _PORTS:
            raise ConfigError(None, None, f"--metrics {address}: expected PORT or HOST:PORT, such as 127.0.0.1:9273")
        app = control_app(lambda: status_of(bridge), BridgeMetrics(bridge), {}, bridge.alive)
        quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "ws": "none", "lifespan": "off"}
        super().__init__(uvicorn.Config(app, host=host, port=int(port), **quiet))

    async def url(self) -> str:
        """Where it answers, once it does.

        Raises:
            DependencyError: the address is taken.
        """
        while not self.started:
            if self.should_exit:
                where = f"{self.config.host}:{self.config.port}"
                raise DependencyError(where, "cannot be listened on; choose another --metrics")
            await asyncio.sleep(_TICK_S)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    async def run_until_cancelled(self) -> None:
        """Serve; an address in use ends quietly, `url` tells it."""
        try:
            await self.serve()
        except SystemExit:  # what uvicorn does when it cannot bind
            self.should_exit = True
