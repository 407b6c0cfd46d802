"""`agent report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.influx import influx_store
from agent.output import emit, emit_json, say
from agent.paths import STORE_FILE
from agent.reporting import drawing_of, kind_of, period_of, site_of, write
from agent.server import catalog_of
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError
from viewer.reports.gather.company import subject_of
from viewer.reports.goals_file import read_goals
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore


def command(
    kind: Annotated[str, typer.Argument(help="kpi, monthly or collection.")],
    month: Annotated[str, typer.Option(help="Which month, as 2026-11: its production days.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: .xlsx, .pdf or .html.")],
    site: Annotated[list[Path], typer.Option(help="Configuration files of the company: machines, calendar, labels.")],
    company: Annotated[str | None, typer.Option(help="Whose, where the files have several.")] = None,
    at: Annotated[str | None, typer.Option(help="Which of its sites, where there are several.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of an embedded store that no server is using.")] = None,
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[Path | None, typer.Option(help="File with its password or token.")] = None,
    goals: Annotated[Path | None, typer.Option(help="Baselines, targets and weights: YAML or CSV.")] = None,
    profile: Annotated[Literal["iso22400", "tpm_kr"], typer.Option(help="How OEE is split.")] = "iso22400",
    language: Annotated[Literal["ko", "en"], typer.Option(help="Of the report.")] = "ko",
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Make a report of a month from what is stored: what was not collected says so, and nothing is estimated."""
    make, draw = kind_of(kind), drawing_of(out)
    if (influx is None) == (store is None):
        raise ConfigError(None, None, "say --store DIR or --influx URL, one of the two")
    goal = read_goals(goals) if goals else None
    of = site_of(catalog_of(site), company, at)
    now_ns = clock_from_environment().now_ns()
    period = period_of(month, of.calendar, now_ns)
    reading: Store = (
        DuckDbStore(store / STORE_FILE)
        if store
        else influx_store(influx or "", influx_user, influx_password_file, of.company)
    )
    source = "DuckDB" if store else "InfluxDB"
    try:
        subject = subject_of(reading, of, period, now_ns, source=source, goals=goal, profile=profile)
    finally:
        reading.close()
    report = make(subject)
    write(out, draw(report, language))
    points = sum(one.count for one in subject.sources)
    if not points:
        say(
            f"{of.company}/{of.name}: 기간 내 수집된 데이터 없음: nothing was stored in {month}; every figure is 미수집"
        )
    if json:
        sheets = [one.sheet for one in report.sections]
        emit_json({"file": str(out), "sheets": sheets, "points": points, "hash": subject.digest})
    else:
        emit(f"{out}: {report.title.ko}, {points:,} points, SHA-256 {subject.digest or '-'}")
    return 0
