"""`agent report`."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.influx import influx_store
from agent.output import emit, emit_json, say
from agent.paths import STORE_FILE, VIEWER
from agent.reporting import CLUSTER, PROGRAMME, Asked, cluster, drawing_of, of_site, programme, write
from agent.server import catalog_of
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError
from viewer.reports.groups import GROUPINGS
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore


def command(
    kind: Annotated[
        str, typer.Argument(help="kpi, monthly, collection, aftercare, safety, ccp, battery, programme or cluster.")
    ],
    month: Annotated[str, typer.Option(help="Which month, as 2026-11: its production days.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .xlsx, .pdf or .html.")],
    site: Annotated[list[Path], typer.Option(help="Configuration files of the company: machines, calendar, labels.")],
    company: Annotated[str | None, typer.Option(help="Whose, where the files have several.")] = None,
    at: Annotated[str | None, typer.Option(help="Which of its sites, where there are several.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of an embedded store that no server is using.")] = None,
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[Path | None, typer.Option(help="File with its password or token.")] = None,
    goals: Annotated[
        Path | None,
        typer.Option(
            help="Baselines, targets and weights, of programme its targets: YAML or CSV. Default: those of the pages."
        ),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="--state-dir of `agent view`, whose goals count; --store brings its own.")
    ] = None,
    profile: Annotated[Literal["iso22400", "tpm_kr"], typer.Option(help="How OEE is split.")] = "iso22400",
    language: Annotated[Literal["ko", "en"], typer.Option(help="Of the report.")] = "ko",
    by: Annotated[str, typer.Option(help="Of cluster: companies by cluster, town, trade or programme.")] = next(
        iter(GROUPINGS)
    ),
    group: Annotated[str | None, typer.Option(help="Of cluster: the companies of this one only.")] = None,
    *,
    lines: Annotated[bool, typer.Option(help="Of cluster: list single companies; without for other readers.")] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Make a report of a month from what is stored: what was not collected says so, and nothing is estimated."""
    draw = drawing_of(out)
    if (influx is None) == (store is None):
        raise ConfigError(None, None, "say --store DIR or --influx URL, one of the two")
    now_ns = clock_from_environment().now_ns()
    catalog = catalog_of(site)
    with ExitStack() as stack:
        opened: dict[str, Store] = {}

        def store_of(name: str) -> Store:
            key = "" if store else name
            if key not in opened:
                reading = _open(store, influx, influx_user, influx_password_file, name)
                opened[key] = stack.enter_context(closing(reading))
            return opened[key]

        book = state_dir or (store / VIEWER if store else None)
        asked = Asked(catalog, store_of, month, now_ns, "DuckDB" if store else "InfluxDB", goals, profile, book)
        if kind == PROGRAMME:
            made = programme(asked, company)
        elif kind == CLUSTER:
            made = cluster(asked, by, group, lines=lines)
        else:
            made = of_site(asked, kind, company, at)
    write(out, draw(made.report, language))
    if made.points == 0:
        say(f"기간 내 수집된 데이터 없음: nothing was stored in {month}; every figure is 미수집")
    if json:
        sheets = [one.sheet for one in made.report.sections]
        emit_json({"file": str(out), "sheets": sheets, "points": made.points, "hash": made.digest})
    else:
        behind = "" if made.points is None else f", {made.points:,} points, SHA-256 {made.digest or '-'}"
        emit(f"{out}: {made.report.title.ko}{behind}")
    return 0


def _open(folder: Path | None, influx: str | None, user: str | None, password_file: Path | None, company: str) -> Store:
    if folder:
        return DuckDbStore(folder / STORE_FILE)
    return influx_store(influx or "", user, password_file, company)
