"""`agent view`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from agent.control.client import SOCKET
from agent.control.server import serve_orders
from agent.entering import entering
from agent.influx import influx_store
from agent.logs import set_up_logs
from agent.operating import order_desk
from agent.paths import ENTRIES, STATE_DIR, VIEWER
from agent.server import ViewerServer, catalog_of, serve_until_stopped
from agent.urls import mqtt_settings
from agent.viewing import IDLE, LONGEST, limits_of, notices_of, opened_access, tell_first
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.errors import ConfigError
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore


def command(
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME.")] = None,
    store: Annotated[Path | None, typer.Option(help="File of an embedded store that no server is using.")] = None,
    site: Annotated[list[Path] | None, typer.Option(help="Configuration files: labels, units, states.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[Path | None, typer.Option(help="File with its password or token.")] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(help="Broker for entries by hand: mqtt://[user@]host:port; without it nothing is entered."),
    ] = None,
    mqtt_password_file: Annotated[Path | None, typer.Option(help="File with the broker's password.")] = None,
    mqtt_ca_file: Annotated[Path | None, typer.Option(help="PEM of the broker's authority.")] = None,
    state_dir: Annotated[
        Path, typer.Option(help="Where users are, and entries wait for the broker; of this viewer alone.")
    ] = STATE_DIR / VIEWER,
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
    """Show machines from a database: states, live values, trends."""
    set_up_logs(log_level)
    if (influx is None) == (store is None):
        raise ConfigError(None, None, "say --influx URL or --store FILE, one of the two")
    reading: Store = DuckDbStore(store) if store else influx_store(influx or "", influx_user, influx_password_file)
    broker = mqtt_settings(mqtt, mqtt_password_file, mqtt_ca_file) if mqtt else None
    with opened_access(state_dir, access, host, limits_of(session_idle, session_max)) as who:
        return asyncio.run(
            _view(reading, site or [], broker, agent or [STATE_DIR], state_dir, (host, port), who, json=json)
        )


async def _view(
    store: Store,
    sites: list[Path],
    mqtt: MqttSettings | None,
    agents: list[Path],
    folder: Path,
    address: tuple[str, int],
    access: Access,
    *,
    json: bool,
) -> int:
    catalog = catalog_of(sites)
    async with AsyncExitStack() as stack:
        stack.callback(store.close)
        taking = await stack.enter_async_context(entering(folder / ENTRIES, mqtt, catalog)) if mqtt else None
        operate = order_desk(agents, mqtt, catalog.sites)
        desk = taking.desk if taking else None
        server = ViewerServer(store, catalog, notices_of(access), *address, access, desk, operate)

        async def started() -> dict[str, str]:
            url = await server.url()
            tell_first(access, url, folder)
            return {"viewer": url}

        parts = [server.run_until_cancelled(), operate.run()]
        if taking is not None:
            parts += [serve_orders(folder / SOCKET, taking.orders, server.alive), *taking.parts]
        return await serve_until_stopped(parts, started, [server.alive], json=json)
