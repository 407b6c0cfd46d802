"""`agent view`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from agent.influx import influx_store
from agent.logs import set_up_logs
from agent.server import ViewerServer, catalog_of, serve_until_stopped
from pipelines.errors import ConfigError
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore


def command(
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME.")] = None,
    store: Annotated[Path | None, typer.Option(help="File of an embedded store that no server is using.")] = None,
    site: Annotated[list[Path] | None, typer.Option(help="Configuration files: labels, units, states.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[Path | None, typer.Option(help="File with its password or token.")] = None,
    host: Annotated[str, typer.Option(help="Address of the viewer.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the viewer; 0 = a free one.", min=0, max=65535)] = 8080,
    *,
    json: Annotated[bool, typer.Option("--json", help="Say where things are as one JSON line.")] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> int:
    """Show machines from a database: states, live values, trends."""
    set_up_logs(log_level)
    if (influx is None) == (store is None):
        raise ConfigError(None, None, "say --influx URL or --store FILE, one of the two")
    reading: Store = DuckDbStore(store) if store else influx_store(influx or "", influx_user, influx_password_file)
    return asyncio.run(_view(reading, site or [], (host, port), json=json))


async def _view(store: Store, sites: list[Path], address: tuple[str, int], *, json: bool) -> int:
    server = ViewerServer(store, catalog_of(sites), [], *address)

    async def started() -> dict[str, str]:
        return {"viewer": await server.url()}

    try:
        return await serve_until_stopped([server.run_until_cancelled()], started, [server.alive], json=json)
    finally:
        store.close()
