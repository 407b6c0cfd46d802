"""`agent browse ENDPOINT`."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from agent.output import emit, emit_json
from agent.paths import STATE_DIR
from connectors.base import Browsable, LinkContext
from connectors.opcua.config import OpcUaConnection
from connectors.opcua.security.config import OpcUaSecurity
from connectors.registry import make_link
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError
from pipelines.stats import LinkStats

_BARE: Final = re.compile(r"[\w.\-]+:\d{1,5}(/[\w./\-]*)?|\[[0-9a-fA-F:]+\]:\d{1,5}(/[\w./\-]*)?")


def command(
    endpoint: Annotated[str, typer.Argument(help="opc.tcp://host:port/path")],
    user: Annotated[str | None, typer.Option(help="User name.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    policy: Annotated[str, typer.Option(help="auto, none, or a policy such as Basic256Sha256.")] = "auto",
    state_dir: Annotated[Path, typer.Option(help="State folder: own certificate and trust list.")] = STATE_DIR,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """List what an OPC UA server has: browse path, node id, type, value."""
    if not endpoint.startswith("opc.tcp://"):
        if _BARE.fullmatch(endpoint):
            raise ConfigError(None, None, f"browse: write opc.tcp://{endpoint}")
        raise ConfigError(None, None, "browse: expected opc.tcp://host:port; Modbus has nothing to browse")
    if (user is None) != (password_file is None):
        raise ConfigError(None, None, "browse: --user and --password-file belong together")
    try:
        settings = OpcUaConnection(
            name="browse",
            type="opcua",
            endpoint=endpoint,
            user=user,
            password_file=password_file,
            security=OpcUaSecurity.model_validate({"policy": policy}),
        )
    except ValidationError as error:
        fault = error.errors()[0]
        what = "--policy" if "policy" in fault["loc"] else "the endpoint"
        raise ConfigError(None, None, f"browse: {what} {fault['msg'].removeprefix('Value error, ')}") from None
    rows = asyncio.run(_browse(settings, state_dir, show=not json))
    if json:
        emit_json({"nodes": rows})
    return 0


async def _browse(settings: OpcUaConnection, state_dir: Path, *, show: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    context = LinkContext(settings, None, clock_from_environment(), LinkStats(), state_dir=state_dir)
    async with make_link("opcua", context) as link:
        assert isinstance(link, Browsable)
        async for found in link.browse():
            if show:
                emit("\t".join(" ".join(text.split()) for text in astuple(found)))
            else:
                rows.append(asdict(found))
    return rows
