"""`agent battery`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from agent.columns import emit_table
from agent.influx import influx_store
from agent.output import emit, emit_json, say
from agent.paths import STORE_FILE
from agent.reporting import site_of
from agent.server import catalog_of
from pipelines.derive.battery.grading import RULE, load
from pipelines.errors import ConfigError
from viewer.battery.anew import pairs, verdict
from viewer.battery.figures import FIGURES
from viewer.battery.record import BatteryTest
from viewer.query.batteries import records_of_pack
from viewer.query.battery_curve import Anew, TooLongError, made_anew
from viewer.reports.cell import shown
from viewer.site_info import SiteInfo
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore
from viewer.words import Words, local

_HEAD: Final = ("", "기록 recorded", "재판정 anew", "")
_NOT_REPRODUCED: Final = frozenset({"", "other_grade", "other_figures"})


def command(
    action: Annotated[Literal["regrade"], typer.Argument(help="What to do.")],
    pack: Annotated[str, typer.Argument(help="Number of the pack, as its tests have it.")],
    site: Annotated[list[Path], typer.Option(help="Configuration files of the site that tested it.")],
    store: Annotated[Path | None, typer.Option(help="Folder of an embedded store that no server is using.")] = None,
    influx: Annotated[str | None, typer.Option(help="http://host:8086?db=NAME.")] = None,
    influx_user: Annotated[str | None, typer.Option(help="User of InfluxDB 1.x.")] = None,
    influx_password_file: Annotated[Path | None, typer.Option(help="File with its password or token.")] = None,
    company: Annotated[str | None, typer.Option(help="Whose, where the files have several.")] = None,
    at: Annotated[str | None, typer.Option(help="Which of its sites, where there are several.")] = None,
    rule: Annotated[
        Path | None, typer.Option(help="Grading rule to grade by; default: that of the cycler's settings.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> int:
    """Grade a pack's stored test curves anew by the rule of today, beside what was recorded, which stays.

    Exit code 1 when the pack is not known, or a test cannot be made anew, or comes to other figures, or by the same
    version of the rule to another grade.
    """
    del action
    if (influx is None) == (store is None):
        raise ConfigError(None, None, "say --store DIR or --influx URL, one of the two")
    of = site_of(catalog_of(site), company, at)
    reading: Store = (
        DuckDbStore(store / STORE_FILE)
        if store
        else influx_store(influx or "", influx_user, influx_password_file, of.company)
    )
    with closing(reading):
        tests = records_of_pack(reading, [one for one in of.machines.values() if one.battery], pack)
        found = [(test, *_anew(reading, of, test, rule)) for test in tests]
    if not found:
        say(f"시험 기록 없음: no test of {pack} is stored")
    if json:
        emit_json({"pack": pack, "tests": [_as_json(*one) for one in found]})
    else:
        for one in found:
            _show(*one)
    return 1 if not found or any(said in _NOT_REPRODUCED for *_, said in found) else 0


def _anew(store: Store, site: SiteInfo, test: BatteryTest, file: Path | None) -> tuple[Anew | None, str]:
    """The test made anew, and what comparing says; empty = it cannot be made anew."""
    battery = site.machines[test.name].battery
    try:
        anew = made_anew(store, site, test, load(file or (battery.rule_file if battery else None) or RULE))
    except TooLongError as error:
        say(str(error))
        return None, ""
    if anew is None or anew.record is None:
        return None, ""
    return anew, verdict(test, anew.record)


def _show(test: BatteryTest, anew: Anew | None, said: str) -> None:
    words = Words("ko")
    emit(f"{test.pack} {test.name}/{test.channel} {local(test.span[0]):%Y-%m-%d %H:%M:%S} KST")
    record = anew.record if anew else None
    rows = [("등급 grade", test.grade, record.grade if record else "–", "")]
    rows += [("기준 rule", test.rule, record.rule_version if record else "–", "")]
    for kind in FIGURES:
        rows.append(
            (f"{kind.name.ko} {kind.name.en}", shown(kind.cell(test)), shown(kind.cell(record)) if record else "–", "")
        )
    emit_table([_HEAD, *rows])
    for reason in record.reasons if record else ():
        emit(f"  * {reason}")
    emit(words.word("battery_verdicts", said) if record else words("battery_not_anew"))


def _as_json(test: BatteryTest, anew: Anew | None, said: str) -> dict[str, Any]:
    record = anew.record if anew else None
    return {
        "machine": test.name,
        "channel": test.channel,
        "at": local(test.span[0]).isoformat(timespec="seconds"),
        "recorded": {"grade": test.grade, "reason": test.reason, "rule": test.rule, "verified": test.verified},
        "anew": record
        and {
            "grade": record.grade,
            "reason": "; ".join(record.reasons),
            "rule": record.rule_version,
            "verified": record.rule_verified,
            "readings": anew.readings if anew else 0,
        },
        "figures": {
            one.kind.field: {"recorded": one.recorded, "anew": one.anew, "same": one.same, "unit": one.kind.unit}
            for one in (pairs(test, record) if record else ())
        },
        "verdict": said or "not_made",
    }
