"""`agent bridge`."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from agent.bridging import HealthServer
from agent.hours import keeping_hours
from agent.logs import set_up_logs
from agent.server import DRAIN_S, bridge_of, bridging, serve_until_stopped
from agent.urls import mqtt_settings
from pipelines.bridge import Bridge
from pipelines.errors import ConfigError
from pipelines.sinks.influx import InfluxSink, influx_sink

_LEVEL: Final = re.compile(r"[\w][\w.\-]*")


def command(
    mqtt: Annotated[str, typer.Option(help="The broker: mqtt://[user@]host:port or mqtts://….")],
    influx: Annotated[str, typer.Option(help="http://host:8086?db=NAME (1.x) or ?org=NAME&bucket=NAME (2.x, 3.x).")],
    mqtt_password_file: Annotated[Path | None, typer.Option(help="File with the broker's password.")] = None,
    mqtt_ca_file: Annotated[Path | None, typer.Option(help="PEM of the broker's authority.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[
        Path | None, typer.Option(help="File with its password, or with the token of 2.x and 3.x.")
    ] = None,
    influx_ca_file: Annotated[Path | None, typer.Option(help="PEM of the database's authority.")] = None,
    shared: Annotated[
        str | None, typer.Option(help="Take what agents share with this destination instead of their own data.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="PORT or HOST:PORT for /metrics, /status, /healthz and /readyz.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Say where things are as one JSON line.")] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> int:
    """Write records from the broker to InfluxDB; stateless, any number of them share the load."""
    set_up_logs(log_level)
    settings = mqtt_settings(mqtt, mqtt_password_file, mqtt_ca_file)
    sink = influx_sink(influx, influx_user, influx_password_file, influx_ca_file)
    if shared is not None and not _LEVEL.fullmatch(shared):
        raise ConfigError(None, None, f"--shared {shared}: expected the name of a destination, as in `share` of a site")
    return asyncio.run(_bridge(bridge_of(settings, sink, shared), sink, metrics, json=json))


async def _bridge(bridge: Bridge, sink: InfluxSink, metrics: str | None, *, json: bool) -> int:
    settings = bridge.settings
    health = HealthServer(bridge, metrics) if metrics else None

    async def started() -> dict[str, str]:
        return {"mqtt": settings.endpoint, "influx": sink.name, "metrics": await health.url() if health else ""}

    parts = [bridging(bridge), keeping_hours(sink), *([health.run_until_cancelled()] if health else [])]
    try:
        drain = partial(bridge.drain, DRAIN_S)
        return await serve_until_stopped(parts, started, [bridge.alive], json=json, drain=drain)
    finally:
        await sink.close()
