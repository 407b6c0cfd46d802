"""`agent browse ENDPOINT`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.output import emit, emit_json
from connectors.base import Browsable, LinkContext
from connectors.opcua.config import OpcUaConnection, OpcUaTag
from connectors.registry import make_link
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError
from pipelines.stats import LinkStats


def command(
    endpoint: Annotated[str, typer.Argument(help="opc.tcp://host:port/path")],
    user: Annotated[str | None, typer.Option(help="User name.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """List what an OPC UA server has: browse path, node id, type, value."""
    if not endpoint.startswith("opc.tcp://"):
        raise ConfigError(None, None, f"{endpoint}: expected opc.tcp://host:port; Modbus has nothing to browse")
    tag = OpcUaTag(name="server_time", node="i=2258")
    settings = OpcUaConnection(
        name="browse", type="opcua", endpoint=endpoint, user=user, password_file=password_file, machine="-", tags=(tag,)
    )
    rows = asyncio.run(_browse(settings, show=not json))
    if json:
        emit_json({"nodes": rows})
    return 0


async def _browse(settings: OpcUaConnection, *, show: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    context = LinkContext(settings, None, clock_from_environment(), LinkStats())
    async with make_link("opcua", context) as link:
        assert isinstance(link, Browsable)
        async for found in link.browse():
            if show:
                emit(f"{found.path}\t{found.address}\t{found.datatype}\t{found.value}")
            else:
                rows.append(
                    {"path": found.path, "address": found.address, "datatype": found.datatype, "value": found.value}
                )
    return rows
