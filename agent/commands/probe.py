"""`agent probe ENDPOINT`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from agent.duration import duration_s
from agent.files import write_new
from agent.output import emit, emit_json, say
from connectors.base import Probeable, ProbeOptions
from connectors.registry import KINDS, kind_of, make_doctor
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError

_BARE: Final = re.compile(r"[\w.\-]+(:\d{1,5})?")
_INTERRUPTED: Final = 130


def command(
    endpoint: Annotated[str, typer.Argument(help="modbus://host:port, modbus+rtu:///dev/ttyUSB0?baudrate=9600 …")],
    units: Annotated[str, typer.Option(help="Unit ids, such as 1-10,20; default: 1,2,3,0,255,247.")] = "",
    ranges: Annotated[str, typer.Option(help="Addresses, such as holding:0-199,input:0-99.")] = "",
    reads: Annotated[int, typer.Option(help="How often everything found is read.", min=1, max=20)] = 3,
    pause_s: Annotated[float, typer.Option("--pause", help="Pause before a request, seconds.", min=0, max=10)] = 0.02,
    budget: Annotated[str, typer.Option(help="Time for everything: 60s, 5m …")] = "60s",
    timeout_s: Annotated[float, typer.Option(help="Longest wait for a reply, seconds.", min=0.05, max=60)] = 1.0,
    write_tags: Annotated[Path | None, typer.Option(help="Write a configuration with what was found.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Write over an existing file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Find out what a Modbus device has: units, readable addresses, types and byte orders, each with a score."""
    kind = kind_of(endpoint)
    if not kind or not KINDS[kind].doctor:
        remedy = f"write modbus://{endpoint}" if _BARE.fullmatch(endpoint) else "expected modbus://host:port"
        if endpoint.startswith("/"):
            remedy = f"write modbus+rtu://{endpoint}?baudrate=9600&parity=N&stop_bits=1"
        reason = "such a device tells what it has: agent browse" if kind else remedy
        raise ConfigError(None, None, f"probe: {reason}")
    if write_tags is not None and write_tags.exists() and not force:
        raise ConfigError(write_tags, None, "exists already; name another file or say --force")
    options = ProbeOptions(units, ranges, pause_s, duration_s("--budget", budget), reads, timeout_s)
    doctor = make_doctor(kind, endpoint, options, clock_from_environment())
    interrupted = False
    try:
        asyncio.run(_look(doctor))
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted; this was found so far")
    result = doctor.result()
    if json:
        emit_json(result)
    else:
        for line in doctor.lines():
            emit(line)
    text = doctor.proposal()
    if write_tags is not None and text:
        write_new(write_tags, text, force=force)
        say(f"{write_tags}: change names and scales, then `agent check {write_tags}` and `agent read {write_tags}`")
    return _INTERRUPTED if interrupted else 0 if text else 1


async def _look(doctor: Probeable) -> None:
    async for line in doctor.probe():
        say(line)
