"""`agent verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.output import emit_json, say
from agent.paths import STATE_DIR
from agent.verify.report import hour_of
from agent.verify.run import ALWAYS, verify
from agent.verify.stores import embedded, influx
from pipelines.errors import ConfigError


def command(
    state_dir: Annotated[Path, typer.Option(help="State folder of the agent.")] = STATE_DIR,
    store: Annotated[Path | None, typer.Option(help="Folder of the embedded store, as `agent serve` has it.")] = None,
    influx_url: Annotated[
        str | None, typer.Option("--influx", help="http://host:8086?db=NAME (1.x) or ?org=NAME&bucket=NAME (2.x, 3.x).")
    ] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[
        Path | None, typer.Option(help="File with its password, or with the token of 2.x and 3.x.")
    ] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First hour, for example 2026-11-22T08:00+09:00.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the last hour; without an offset: UTC.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Compare what the agent released with what the store holds, per tag and hour.

    Exit code 1 when they differ, or when there was nothing to compare.
    """
    if (influx_url is None) == (store is None):
        raise ConfigError(None, None, "say --store DIR or --influx URL, one of the two")
    if not state_dir.is_dir():
        raise ConfigError(state_dir, None, "no such state folder; name the agent's with --state-dir")
    of_company = embedded(store) if store else influx(influx_url or "", influx_user, influx_password_file)
    try:
        first = ALWAYS[0] if begin is None else hour_of("--from", begin, up=True)
        last = ALWAYS[1] if end is None else hour_of("--to", end, up=False) - 1
    except ValueError as error:
        raise ConfigError(None, None, str(error)) from error
    if first > last:
        raise ConfigError(None, None, f"--from {begin}, --to {end}: no whole hour lies between them; take --to later")
    report = verify(state_dir, of_company, (first, last), _progress)
    if json:
        emit_json(report.as_json())
    else:
        report.show()
    return 0 if report.agrees else 1


def _progress(done: int, total: int) -> None:
    say(f"verify: {done / 1e6:.1f} of {total / 1e6:.1f} million readings compared")
