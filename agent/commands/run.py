"""`agent run CONFIG`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from agent.collector import Collector
from agent.config import load_sites
from agent.logs import set_up_logs
from agent.output import say
from agent.paths import STATE_DIR
from agent.serving import command as serve_command
from agent.serving import serving
from agent.site import Site
from agent.stopping import when_told
from agent.urls import mqtt_settings
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError


def command(
    config: Annotated[list[Path], typer.Argument(help="Configuration file; several of one site are joined.")],
    state_dir: Annotated[Path, typer.Option(help="Journal, quarantine, identity and control socket.")] = STATE_DIR,
    mqtt: Annotated[str | None, typer.Option(help="Broker instead of the file's: mqtt://[user@]host:port.")] = None,
    mqtt_password_file: Annotated[Path | None, typer.Option(help="File with the broker's password.")] = None,
    mqtt_ca_file: Annotated[Path | None, typer.Option(help="PEM of the broker's authority; makes it TLS.")] = None,
    endpoint: Annotated[
        list[str] | None, typer.Option(help="NAME=HOST:PORT: a connection elsewhere than the file says.")
    ] = None,
    drain_s: Annotated[float, typer.Option(help="Longest wait for confirmations at the end, seconds.")] = 5.0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> int:
    """Collect until told to stop: reads the devices, keeps everything on disk, publishes it, never gives up.

    With `serve` in the file it also runs the site server, unless `--mqtt` names a broker that is there.
    SIGHUP, or `agent reload`, takes a changed configuration over without a restart.
    """
    set_up_logs(log_level)

    def read() -> Site:
        site = elsewhere(load_sites(config), endpoint or [])
        if not mqtt:
            return site
        return site.model_copy(update={"mqtt": mqtt_settings(mqtt, mqtt_password_file, mqtt_ca_file, site.mqtt)})

    site = read()
    server = serve_command(site.serve, site.mqtt.port, config, state_dir) if site.serve and not mqtt else None
    return asyncio.run(_run(site, read, state_dir, drain_s, server))


def elsewhere(site: Site, endpoints: list[str]) -> Site:
    """The site with `NAME=HOST:PORT` applied.

    Raises:
        ConfigError: not of that form, or no such connection.
    """
    for one in endpoints:
        if "=" not in one:
            raise ConfigError(None, None, f"--endpoint {one}: expected NAME=HOST:PORT")
    try:
        return site.at(dict(one.split("=", 1) for one in endpoints))
    except ValueError as error:
        raise ConfigError(None, None, f"--endpoint: {error}") from error


async def _run(site: Site, read: Callable[[], Site], state_dir: Path, drain_s: float, server: list[str] | None) -> int:
    stop = asyncio.Event()
    when_told(stop.set)
    collector = Collector(site, state_dir, clock_from_environment(), read)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, collector.reload.wanted.set)
    tags = sum(len(one.tag_list()) for one in site.connections)
    say(f"agent {collector.agent}: {len(site.connections)} connections, {tags} tags, broker {site.mqtt.endpoint}")
    if site.serve and server:
        say(f"화면 screen: http://{site.serve.host}:{site.serve.port}")
    async with serving(server) if server else nullcontext():
        done = await collector.run(stop, drain_s)
    if not done:
        say(f"{collector.flow.points_queued} points wait in {state_dir} and are sent after the next start")
    return 0
