"""`agent serve`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from agent.broker import local_broker
from agent.control.client import SOCKET
from agent.control.readings import PATH, answers
from agent.control.server import serve_orders
from agent.entering import entering
from agent.logs import set_up_logs
from agent.operating import order_desk
from agent.paths import ENTRIES, STATE_DIR, STORE_FILE, VIEWER
from agent.server import DRAIN_S, ViewerServer, bridge_of, bridging, catalog_of, serve_until_stopped
from agent.urls import mqtt_settings
from agent.viewing import IDLE, LONGEST, limits_of, notices_of, opened_access, tell_first
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import ConfigError, DependencyError
from pipelines.sinks.duckdb import DuckDbSink
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.stores.duckdb import DuckDbStore


def command(
    store: Annotated[Path, typer.Option(help="Folder of the embedded store.")] = STATE_DIR / "store",
    site: Annotated[list[Path] | None, typer.Option(help="Configuration files: labels, units, states.")] = None,
    mqtt: Annotated[str | None, typer.Option(help="A broker that runs already: mqtt://[user@]host:port.")] = None,
    mqtt_password_file: Annotated[Path | None, typer.Option(help="File with the broker's password.")] = None,
    mqtt_ca_file: Annotated[Path | None, typer.Option(help="PEM of the broker's authority.")] = None,
    mqtt_port: Annotated[
        int, typer.Option(help="Port of the broker of our own; 0 = a free one.", min=0, max=65535)
    ] = 1883,
    broker: Annotated[str, typer.Option(help="auto, mosquitto or embedded.")] = "auto",
    agent: Annotated[
        list[Path] | None,
        typer.Option(help="State folder of an agent on this PC whose alarms are acknowledged here; default: state."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address of the viewer.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the viewer; 0 = a free one.", min=0, max=65535)] = 8080,
    access: Annotated[
        Mode, typer.Option(help="When a log-in is asked for; auto: not on this PC alone while there is no user.")
    ] = Mode.AUTO,
    session_idle: Annotated[str, typer.Option(help="A log-in ends after so long without a click: 30m, 2h.")] = IDLE,
    session_max: Annotated[str, typer.Option(help="A log-in ends after so long in any case.")] = LONGEST,
    *,
    json: Annotated[bool, typer.Option("--json", help="Say where things are as one JSON line.")] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> int:
    """The small site server: broker, bridge, embedded store and viewer in one process."""
    set_up_logs(log_level)
    if broker not in {"auto", "mosquitto", "embedded"}:
        raise ConfigError(None, None, f"--broker {broker}: expected auto, mosquitto or embedded")
    limits = limits_of(session_idle, session_max)
    settings = mqtt_settings(mqtt, mqtt_password_file, mqtt_ca_file) if mqtt else None
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make the folder of the store: {error.strerror}; name another with --store"
        raise DependencyError(str(store), reason) from error
    with opened_access(store / VIEWER, access, host, limits) as who:
        return asyncio.run(
            _serve(store, site or [], settings, mqtt_port, broker, agent or [STATE_DIR], (host, port), who, json=json)
        )


async def _serve(
    folder: Path,
    sites: list[Path],
    mqtt: MqttSettings | None,
    mqtt_port: int,
    kind: str,
    agents: list[Path],
    address: tuple[str, int],
    access: Access,
    *,
    json: bool,
) -> int:
    catalog = catalog_of(sites)
    async with AsyncExitStack() as stack:
        notices = notices_of(access)
        if mqtt is None:
            local = await stack.enter_async_context(local_broker(folder / "broker", kind=kind, port=mqtt_port))  # type: ignore[arg-type]
            mqtt = MqttSettings(host=local.host, port=local.port)
            notices += [local.notice] if local.kind == "embedded" else []
        sink = DuckDbSink(folder / STORE_FILE)
        stack.push_async_callback(sink.close)
        reading = DuckDbStore(sink.cursor)
        taking = await stack.enter_async_context(entering(folder / VIEWER / ENTRIES, mqtt, catalog))
        operate = order_desk(agents, mqtt, catalog.sites)
        server = ViewerServer(reading, catalog, notices, *address, access, taking.desk, operate)
        bridge = bridge_of(mqtt, sink)

        async def started() -> dict[str, str]:
            url = await server.url()
            tell_first(access, url, folder / VIEWER)
            return {"viewer": url, "mqtt": bridge.settings.endpoint, "notice": " ".join(notices)}

        orders = {PATH: answers(reading), **taking.orders}
        asked = serve_orders(folder / SOCKET, orders, lambda: bridge.alive() and server.alive())
        parts = [bridging(bridge), server.run_until_cancelled(), asked, *taking.parts, operate.run()]
        beats, drain = [bridge.alive, server.alive], partial(bridge.drain, DRAIN_S)
        return await serve_until_stopped(parts, started, beats, json=json, drain=drain)
