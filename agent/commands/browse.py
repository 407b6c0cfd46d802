"""`agent browse ENDPOINT`."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from agent.files import write_new
from agent.output import emit, emit_json, say
from agent.paths import STATE_DIR
from agent.tags.choose import Choice
from agent.tags.export import as_csv, as_yaml
from connectors.base import Browsable, Found, LinkContext
from connectors.registry import KINDS, kind_of, make_link
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError
from pipelines.settings import ConnectionSettings, words_of
from pipelines.stats import LinkStats

_BARE: Final = re.compile(r"[\w.\-]+:\d{1,5}(/[\w./\-]*)?|\[[0-9a-fA-F:]+\]:\d{1,5}(/[\w./\-]*)?")
_STDOUT: Final = Path("-")
_BOM: Final = "\ufeff"


def command(
    endpoint: Annotated[str, typer.Argument(help="opc.tcp://host:port/path, or http://host:port (MTConnect).")],
    match: Annotated[list[str] | None, typer.Option(help="Glob on path or node id: Objects/**/Temp*.")] = None,
    types: Annotated[list[str] | None, typer.Option("--type", help="Glob on the type: Double.")] = None,
    units: Annotated[list[str] | None, typer.Option("--unit", help="Glob on the engineering unit: °C.")] = None,
    depth: Annotated[int | None, typer.Option(help="Levels from the top.", min=1)] = None,
    most: Annotated[int, typer.Option("--max", help="Most entries.", min=1)] = 100_000,
    yaml: Annotated[Path | None, typer.Option(help="Write a configuration; - for stdout.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a tag list for tags_file; - for stdout.")] = None,
    user: Annotated[str | None, typer.Option(help="User name.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    policy: Annotated[str | None, typer.Option(help="auto, none, or a policy such as Basic256Sha256.")] = None,
    mode: Annotated[str | None, typer.Option(help="SignAndEncrypt or Sign.")] = None,
    user_certificate: Annotated[Path | None, typer.Option(help="Certificate that says who the user is.")] = None,
    user_key: Annotated[Path | None, typer.Option(help="Private key of --user-certificate.")] = None,
    state_dir: Annotated[Path, typer.Option(help="State folder: own certificate and trust list.")] = STATE_DIR,
    *,
    force: Annotated[bool, typer.Option(help="Write over an existing file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """List what an OPC UA server or MTConnect agent has: path, node id, type, value, unit; or write its tags."""
    kind = kind_of(endpoint)
    if not kind or KINDS[kind].doctor:
        if _BARE.fullmatch(endpoint):
            raise ConfigError(None, None, f"browse: write opc.tcp://{endpoint}")
        raise ConfigError(
            None, None, "browse: expected opc.tcp://host:port or http://host:port; for Modbus, agent probe"
        )
    if (user is None) != (password_file is None):
        raise ConfigError(None, None, "browse: --user and --password-file belong together")
    outputs = [one for one in (yaml, csv) if one is not None and one != _STDOUT]
    if (json + (yaml == _STDOUT) + (csv == _STDOUT)) > 1:
        raise ConfigError(None, None, "browse: only one of --json, --yaml - and --csv - can have stdout")
    for file in outputs:
        if file.exists() and not force:
            raise ConfigError(file, None, "exists already; name another file or say --force")
    asked = {
        "user": user,
        "password_file": password_file,
        "user_certificate_file": user_certificate,
        "user_private_key_file": user_key,
        "security": {key: value for key, value in (("policy", policy), ("mode", mode)) if value is not None},
    }
    settings = _settings(kind, endpoint, asked)
    found = asyncio.run(_browse(kind, settings, state_dir, depth, most))
    choice = Choice(match or (), types or (), units or ())
    chosen = [one for one in found if choice.takes(one)][:most]
    if len(found) > most:
        say(f"note: there is more than {most} entries; say --max for more, or --depth and --match for less")
    tags = [one for one in chosen if one.tag is not None]
    _write(yaml, as_yaml(settings, tags) if yaml else "", len(tags), force=force)
    _write(csv, (_BOM if csv != _STDOUT else "") + as_csv(tags) if csv else "", len(tags), force=force)
    if json:
        emit_json({"nodes": [asdict(one) for one in chosen]})
    elif yaml is None and csv is None:
        show(chosen, tree=sys.stdout.isatty() and choice.all())
    return 0 if chosen or choice.all() else 1


def show(found: list[Found], *, tree: bool) -> None:
    """A tree, or one line for each entry with tabs between path, address, type, value and unit."""
    for one in found:
        texts = [one.path, one.address, one.datatype, one.value, one.unit]
        plain = [" ".join(text.split()) for text in texts]
        if tree:
            *above, name = one.path.strip("/").split("/")
            value = f"{plain[3]} {plain[4]}".strip()
            emit(f"{'  ' * len(above)}{name}  " + "  ".join(text for text in (plain[2], value, plain[1]) if text))
        else:
            emit("\t".join(plain))


def _write(file: Path | None, text: str, count: int, *, force: bool) -> None:
    if file is None:
        return
    if not count:
        raise ConfigError(None, None, "browse: nothing that can be collected was chosen, so there is nothing to write")
    if file == _STDOUT:
        emit(text.removesuffix("\n"))
    else:
        write_new(file, text, force=force)
        say(f"{file}: {count} tags")


def _settings(kind: str, endpoint: str, asked: dict[str, Any]) -> ConnectionSettings:
    """Settings of a connection; what was not asked for is left out, so that a written file stays short."""
    fields = {"type": kind, "name": "device", "endpoint": endpoint} | {key: one for key, one in asked.items() if one}
    try:
        return KINDS[kind].settings.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        first, *below = [str(one) for one in fault["loc"]] or [""]
        what = "the endpoint " if first == "endpoint" else f"--{below[0]} " if below else ""
        reason = words_of(fault)
        if fault["type"] == "extra_forbidden":
            what, reason = "", f"{kind} has no {first}; leave that option out"
        raise ConfigError(None, None, f"browse: {what}{reason}") from None


async def _browse(
    kind: str, settings: ConnectionSettings, state_dir: Path, depth: int | None, most: int
) -> list[Found]:
    clock = clock_from_environment()
    context = LinkContext(settings, None, clock, LinkStats(), state_dir=state_dir, note=_progress)
    async with make_link(kind, context) as link:
        assert isinstance(link, Browsable)
        return [found async for found in link.browse(depth, most)]


def _progress(event: str, /, **values: object) -> None:
    if event == "browsed":
        say(f"{values['nodes']} nodes so far")
