"""The parts of the site server: a bridge and a viewer, each until told to stop."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import uvicorn

from agent.config import load_site
from agent.control.server import QuietServer
from agent.notify import notify, watchdog
from agent.output import emit_json, say
from agent.site import Site
from agent.stopping import when_told
from agent.supervise import keep_open
from pipelines.bridge import Bridge
from pipelines.clock import clock_from_environment
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import DependencyError
from pipelines.sinks.base import Sink
from pipelines.topics import DATA_FILTER, shared_filter
from viewer.access.access import Access
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.entries.desk import EntryDesk
from viewer.fleet.board import Fleet
from viewer.operate.desk import OrderDesk
from viewer.stores.base import Store

_TICK_S: Final = 0.02
_TURN_S: Final = 2.0
"""Rest between two turns of the board of all companies."""
STUCK_S: Final = 15.0
"""A viewer that has not turned for so long is stuck."""
DRAIN_S: Final = 10.0
"""Longest time that a bridge stores what it has when it is told to stop."""


def catalog_of(sites: Sequence[Path]) -> Catalog:
    """Labels, units and state maps of configuration files.

    Raises:
        ConfigError: one of them is not valid.
    """
    return Catalog.of([_written_out(load_site(path)) for path in sites])


def _written_out(site: Site) -> dict[str, Any]:
    """A site as plain data, with the tags that profiles stand for."""
    data = site.model_dump(by_alias=True, mode="json")
    for one, connection in zip(data["connections"], site.connections, strict=True):
        one["tags"] = [tag.model_dump(by_alias=True, mode="json") for tag in connection.tag_list()]
    return data


def bridge_of(mqtt: MqttSettings, sink: Sink, shared: str | None = None) -> Bridge:
    """A bridge with a client id of its own, for what agents share with a destination where one is named."""
    topics = shared_filter(shared) if shared else DATA_FILTER
    return Bridge(mqtt, sink, f"sf-bridge-{secrets.token_hex(6)}", topics)


class ViewerServer(QuietServer):
    """The viewer on an address; port 0 takes a free one."""

    _beat_s = math.inf
    """Monotonic time of uvicorn's last turn; not started is no fault."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        notices: Sequence[str],
        host: str,
        port: int,
        access: Access,
        desk: EntryDesk | None = None,
        operate: OrderDesk | None = None,
    ) -> None:
        app = make_app(store, catalog, clock_from_environment(), notices, access, desk, operate)
        self._fleet: Fleet = app.state.fleet
        # The page has nothing to start or end, and a cancelled lifespan would leave a traceback in the log.
        quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "ws": "none", "lifespan": "off"}
        super().__init__(uvicorn.Config(app, host=host, port=port, **quiet))

    async def url(self) -> str:
        """Where it answers, once it does.

        Raises:
            DependencyError: the address is taken.
        """
        while not self.started:
            if self.should_exit:
                raise DependencyError(f"{self.config.host}:{self.config.port}", "address in use; choose another --port")
            await asyncio.sleep(_TICK_S)
        port = self.servers[0].sockets[0].getsockname()[1]
        return f"http://{self.config.host}:{port}/"

    async def on_tick(self, counter: int) -> bool:
        """A turn of uvicorn, ten times a second."""
        self._beat_s = time.monotonic()
        return await super().on_tick(counter)

    def alive(self) -> bool:
        """Whether uvicorn's loop turned lately."""
        return time.monotonic() - self._beat_s < STUCK_S

    async def run_until_cancelled(self) -> None:
        """Serve; an address in use ends quietly, `url` tells it."""
        async with asyncio.TaskGroup() as group:
            turning = group.create_task(keep_open("companies", self._turn))
            try:
                await self.serve()
            except SystemExit:  # what uvicorn does when it cannot bind
                self.should_exit = True
            finally:
                turning.cancel()
                await asyncio.to_thread(self._fleet.stop)

    async def _turn(self, opened: Callable[[], None]) -> None:
        """Keep the lines of all companies up to date beside the pages."""
        while True:
            await asyncio.to_thread(self._fleet.turn)
            opened()
            await asyncio.sleep(_TURN_S)


async def serve_until_stopped(
    parts: Sequence[Coroutine[Any, Any, None]],
    started: Callable[[], Coroutine[Any, Any, dict[str, str]]],
    beats: Sequence[Callable[[], bool]],
    *,
    json: bool,
    drain: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Run parts until SIGINT or SIGTERM; say where things are once they are there.

    Args:
        parts: what runs; a part that ends with an error ends all.
        started: waits until everything answers; where things are.
        beats: the service manager's watchdog is fed while each says true, and while the event loop turns.
        json: say it as JSON.
        drain: finishes what is under way, once told to stop.
    """
    stop = asyncio.Event()
    when_told(stop.set)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(part) for part in parts]
            running.append(group.create_task(watchdog(lambda: all(beat() for beat in beats), lambda: "serving")))
            places = await started()
            notify("READY=1")
            if json:
                emit_json({"ready": True, **places})
            else:
                say("\n".join(f"{name}: {place}" for name, place in places.items() if place))
            await stop.wait()
            notify("STOPPING=1")
            if drain is not None:
                await drain()
            for task in running:
                task.cancel()
    except* DependencyError as errors:
        raise errors.exceptions[0] from None
    return 0


def bridging(bridge: Bridge) -> Coroutine[Any, Any, None]:
    """The bridge, reopened for ever."""
    return keep_open(bridge.settings.endpoint, bridge.run)
