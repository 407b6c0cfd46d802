"""`agent level-check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from agent.columns import emit_table
from agent.influx import influx_store
from agent.output import emit, emit_json
from agent.server import catalog_of
from pipelines.clock import clock_from_environment
from pipelines.errors import ConfigError
from viewer import figure_text
from viewer.book.book import FILE, Book
from viewer.kpi.words import Amount, Text
from viewer.level import text
from viewer.level.finding import Finding
from viewer.level.levels import LEVELS, NO_VERDICT, SOURCES, TITLE, UNKNOWABLE, Level
from viewer.query.level import Check, level_check
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore
from viewer.words import Words, local

_HEAD: Final = ("", "근거 evidence", "값 value", "표본 samples", "기간 period", "구성 made of")
_MOST_DAYS: Final = 3650


def command(
    site: Annotated[list[Path], typer.Option(help="Configuration files of the sites.")],
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME.")] = None,
    store: Annotated[Path | None, typer.Option(help="File of an embedded store that no server is using.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[Path | None, typer.Option(help="File with its password or token.")] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Folder of a viewer's users: the log-ins of the company count; default: none.")
    ] = None,
    days: Annotated[int, typer.Option(help="Production days, today included.", min=1, max=_MOST_DAYS)] = 30,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Say what a store can show for each level of a smart factory: evidence, no certificate and no verdict."""
    if (influx is None) == (store is None):
        raise ConfigError(None, None, "say --influx URL or --store FILE, one of the two")
    if state_dir is not None and not (state_dir / FILE).is_file():
        raise ConfigError(state_dir, None, "holds no users; name the --state-dir of `agent view`, or leave it out")
    catalog = catalog_of(site)
    now_ns = clock_from_environment().now_ns()
    checks = []
    book = Book(state_dir / FILE) if state_dir is not None else None
    for _, of in sorted(catalog.sites.items()):
        reading: Store = (
            DuckDbStore(store) if store else influx_store(influx or "", influx_user, influx_password_file, of.company)
        )
        try:
            checks.append(level_check(reading, of, now_ns, days, book))
        finally:
            reading.close()
    if book is not None:
        book.close()
    if json:
        said = {"label": _json(TITLE), "note": _json(NO_VERDICT)}
        emit_json({**said, "at": _iso(now_ns), "days": days, "sites": [_as_json(one) for one in checks]})
    else:
        _show(checks)
    return 0


def _show(checks: list[Check]) -> None:
    words = Words("ko")
    emit(f"{_both(TITLE)}\n{NO_VERDICT.ko}\n{NO_VERDICT.en}")
    for check in checks:
        emit(f"\n{' · '.join(filter(None, check.site.key))}, {figure_text.period(check.period)}")
        for level in LEVELS:
            wording = ", ".join(f"“{one.ko}”" for one in level.wording)
            emit(f"\n{_both(level.name)} ({level.steps}): {wording}")
            if level.findings:
                emit_table([_HEAD, *(_row(words, check.findings[code]) for code in level.findings)])
            for note in (note for code in level.findings for note in _notes(check.findings[code])):
                emit(f"  * {note}")
            for one in level.unknowable:
                emit(f"  {_both(UNKNOWABLE)}: {one.name.ko} — {one.why.ko}")
    emit("\n산식 Formulas")
    emit_table([("", _both(one.name), one.formula.ko) for one in checks[0].findings.values()])
    emit(f"\n{SOURCES.ko}")


def _row(words: Words, one: Finding) -> tuple[str, ...]:
    made_of = ", ".join(figure_text.amount(words, part) for part in one.parts)
    return "", _both(one.name), text.value(words, one), text.samples(words, one), text.period(one), made_of


def _notes(one: Finding) -> list[str]:
    """Why there is no value, and remarks."""
    return [f"{one.name.ko}: {said.ko}" for said in (one.why, *one.notes) if said is not None]


def _as_json(check: Check) -> dict[str, Any]:
    return {
        "company": check.site.company,
        "site": check.site.name,
        "from": _iso(check.period[0]),
        "to": _iso(check.period[1]),
        "levels": [_level(level, check) for level in LEVELS],
    }


def _level(level: Level, check: Check) -> dict[str, Any]:
    return {
        "level": level.code,
        "label": _json(level.name),
        "steps": level.steps,
        "wording": [_json(one) for one in level.wording],
        "findings": [_finding(check.findings[code]) for code in level.findings],
        "unknowable": [{"what": _json(one.name), "why": _json(one.why)} for one in level.unknowable],
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "code": one.code,
        "label": _json(one.name),
        "formula": _json(one.formula),
        "value": one.value,
        "unit": _json(one.unit),
        "samples": one.samples,
        "sampled": _json(one.kind.sampled),
        "from": _iso(one.period[0]),
        "to": _iso(one.period[1]),
        "parts": [_part(part) for part in one.parts],
        "why": None if one.why is None else _json(one.why),
        "notes": [_json(note) for note in one.notes],
    }


def _part(part: Amount) -> dict[str, Any]:
    return {"what": _json(part.what), "value": part.value, "unit": _json(part.unit)}


def _json(said: Text) -> dict[str, str]:
    return said._asdict()


def _both(said: Text) -> str:
    return f"{said.ko} {said.en}"


def _iso(time_ns: int) -> str:
    return local(time_ns).isoformat(timespec="seconds")
