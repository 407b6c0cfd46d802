"""The parts of the site server: a bridge and a viewer, each until told to stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import uvicorn

from agent.config import load_site
from agent.control import QuietServer
from agent.notify import notify, watchdog
from agent.output import emit_json, say
from agent.supervise import keep_open
from pipelines.bridge import Bridge
from pipelines.clock import clock_from_environment
from pipelines.errors import DependencyError
from pipelines.mqtt import MqttSettings
from pipelines.sinks.base import Sink
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.stores.base import Store

_TICK_S: Final = 0.02


def catalog_of(sites: Sequence[Path]) -> Catalog:
    """Labels, units and state maps of configuration files.

    Raises:
        ConfigError: one of them is not valid.
    """
    return Catalog.of([load_site(path).model_dump(by_alias=True, mode="json") for path in sites])


def bridge_of(mqtt: MqttSettings, sink: Sink, *, shared: bool) -> Bridge:
    """A bridge with a client id of its own."""
    return Bridge(mqtt, sink, f"sf-bridge-{secrets.token_hex(6)}", shared)


class ViewerServer(QuietServer):
    """The viewer on an address; port 0 takes a free one."""

    def __init__(self, store: Store, catalog: Catalog, notices: Sequence[str], host: str, port: int) -> None:
        app = make_app(store, catalog, clock_from_environment(), notices)
        super().__init__(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, ws="none"))

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

    async def run_until_cancelled(self) -> None:
        """Serve; an address in use ends quietly, `url` tells it."""
        try:
            await self.serve()
        except SystemExit:  # what uvicorn does when it cannot bind
            self.should_exit = True


async def serve_until_stopped(
    parts: Sequence[Coroutine[Any, Any, None]],
    started: Callable[[], Coroutine[Any, Any, dict[str, str]]],
    *,
    json: bool,
) -> int:
    """Run parts until SIGINT or SIGTERM; say where things are once they are there."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(part) for part in parts]
            running.append(group.create_task(watchdog(lambda: True, lambda: "serving")))
            places = await started()
            notify("READY=1")
            if json:
                emit_json({"ready": True, **places})
            else:
                say("\n".join(f"{name}: {place}" for name, place in places.items() if place))
            await stop.wait()
            notify("STOPPING=1")
            for task in running:
                task.cancel()
    except* DependencyError as errors:
        raise errors.exceptions[0] from None
    return 0


def bridging(bridge: Bridge) -> Coroutine[Any, Any, None]:
    """The bridge, reopened for ever."""
    return keep_open(bridge.settings.endpoint, bridge.run)
