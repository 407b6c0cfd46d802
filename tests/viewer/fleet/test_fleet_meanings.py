"""What words of `/fleet` mean: urgent alarms as the pages of alarms count them, goals met, reasons in their order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.applications import Starlette

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.fleet.seven import CATALOG, FINE, NOW, bodies
from tests.viewer.fleet.test_fleet_page import page
from tests.viewer.one_shop import MINUTE, SECOND, T0, part, rows
from tests.viewer.test_company_page import text_of
from viewer import figure_text
from viewer.app import make_app
from viewer.book.facts import Facts
from viewer.figure_text import achieved, reached
from viewer.fleet.compare import Row, standings
from viewer.fleet.promised import Kept, Promised
from viewer.fleet.risk import Risk, reasons, risk, severity
from viewer.fleet.summary import Detail, Summary
from viewer.goals.model import Whose
from viewer.kpi.freshness import Freshness
from viewer.kpi.goal import Goal, is_met, score
from viewer.kpi.result import Evidence, Result
from viewer.kpi.words import Text
from viewer.reports.cell import achieved_cell, shown
from viewer.stores.duckdb import DuckDbStore

TODAY = date(2026, 9, 7)
LINE = Summary("A", NOW, Freshness.OK, 1, 1, 0)


def alarm(name: str, state: str, *, active: bool, acknowledged: bool, at_ns: int, event: str) -> str:
    said = f"active={active},acknowledged={acknowledged}".lower()
    said += f",shelved={state == 'SHELVED'}".lower()
    where = f"alarm,company={FINE},site=A,machine=PRS-01,alarm={name}"
    return f'{where} {said},priority="urgent",event="{event}",state="{state}" {at_ns}'


def test_urgent_alarms_are_counted_as_the_pages_of_alarms_count_them(tmp_path: Path) -> None:
    """Six are over and nobody took note, one of them latched; one stands, acknowledged; one is shelved: 긴급 7."""
    body = dict(bodies())[FINE].splitlines()
    lines = [one for one in body if not one.startswith("alarm,")]
    for n in range(6):
        state = "LATCHED" if n == 0 else "RTN_UNACK"
        at = T0 + n * MINUTE
        lines.append(alarm(f"over{n}", "UNACK", active=True, acknowledged=False, at_ns=at, event="raised"))
        lines.append(alarm(f"over{n}", state, active=False, acknowledged=False, at_ns=at + SECOND, event="cleared"))
    for name, state, event in (("noted", "ACKED", "acknowledged"), ("put", "SHELVED", "shelved")):
        lines.append(alarm(name, "UNACK", active=True, acknowledged=False, at_ns=T0, event="raised"))
        lines.append(alarm(name, state, active=True, acknowledged=state == "ACKED", at_ns=T0 + MINUTE, event=event))
    sink = DuckDbSink(tmp_path / "a.duckdb")
    asyncio.run(sink.write(FINE, "\n".join(lines).encode()))
    app: Starlette = make_app(DuckDbStore(sink.cursor), CATALOG, SetClock(NOW))
    app.state.fleet.turn(longest_s=1e9)
    text = page(app)
    fine = next(row for row in rows(text, "fleet") if row[0] == FINE)
    assert (fine[1], fine[7:9]) == ("30 0+30+0+0", ["7", "6"])
    assert "금일 긴급경보 8 긴급경보 7 미확인 6 조치 필요 기업 2" in part(text, 'id="totals"', "</section>")
    assert rows(text, "acting")[0][:2] == [FINE, "긴급경보 6건 미확인 · 긴급경보 1건 지속 · 사유 미입력 100.0 %"]
    unit = quote(quote(FINE) + "/A/-/-")
    assert part(text_of(app, f"/alarms?unit={unit}"), 'id="alarm-summary"', "</dl>").startswith("긴급 7 중요 0")
    assert "긴급 7 중요 0" in part(text_of(app, f"/company/{quote(FINE)}"), 'id="alarms-1"', "</section>")
    asyncio.run(sink.close())


def kept(*achievements: float | None) -> Promised:
    """Goals of equal weights with these achievements: from 0 to 100."""
    goals = [
        (
            Goal(code="P-UTIL", baseline=0.0, target=100.0),
            Result(
                "P-UTIL", one, Evidence(period=(0, 1), samples=1), why=None if one is not None else Text("없음", "none")
            ),
        )
        for one in achievements
    ]
    return Promised(NOW, (), (Kept(Whose("A", "A"), (0, 1), score(goals)),))


@pytest.mark.parametrize(
    ("achievements", "reached", "points", "text"),
    [
        ((133.0, 67.0), False, 5, "100.0 %"),
        ((133.0, None), True, 0, "133.0 %"),
        ((99.99,), False, 5, "99.9 %"),
        ((100.0, 100.0), True, 0, "100.0 %"),
        ((180.0, -20.0), False, 10, "80.0 %"),
    ],
)
def test_goals_are_met_one_by_one(
    achievements: tuple[float | None, ...], reached: bool, points: int, text: str
) -> None:
    found = kept(*achievements)
    assert found.reached is reached
    assert risk(replace(LINE, promised=found), Facts("A"), TODAY) == Risk(0, 0, 0, points)
    assert found.overall is not None
    assert achieved(found.overall) == text


@pytest.mark.parametrize(("value", "text"), [(6.0, "6"), (6.3, "6.3"), (6.25, "6.3"), (1234.0, "1,234")])
def test_a_count_loses_no_part(value: float, text: str) -> None:
    """A target of 6.3 cases that reads 6 makes 6 cases look as if it were met."""
    assert figure_text.number(value, Text("건", "cases")) == text


@pytest.mark.parametrize("value", [99.94, 99.95, 99.9999, 100 - 1e-12, 100.0, 100.04])
def test_a_hundred_is_said_of_what_is_met_alone(value: float) -> None:
    """On a page, and with the two digits of a table and its files."""
    assert (achieved(value) == "100.0 %") is is_met(value)
    assert (reached(value, 2) >= 100) is is_met(value)
    assert shown(achieved_cell(value)) == f"{reached(value, 2):.2f}%"


def test_where_a_company_stands_in_its_trade() -> None:
    """Of 40, 60, 60, 80 and 100 %: none, one, one, three and four of four others have less; four have no percentile."""
    trades = {"25": (40.0, 60.0, 60.0, 80.0, 100.0, None), "10": (1.0, 2.0, 3.0, 4.0, None), "": (9.0,) * 5}
    found = [
        Row(replace(LINE, company=f"{trade}{n}", promised=kept(value)), Facts("A", ksic=trade), Risk(0, 0, 0, 0), ())
        for trade, values in trades.items()
        for n, value in enumerate(values)
    ]
    stand = standings(found, lambda one: one.division, lambda one: one.overall)
    assert {company: one.percentile for company, one in stand.items()} == {
        "250": 0, "251": 25, "252": 25, "253": 75, "254": 100,
    }  # fmt: skip
    assert {one.count for one in stand.values()} == {5}


@pytest.mark.parametrize(("cover", "weak"), [(94.9, True), (95.0, False), (None, False)])
def test_an_achievement_of_too_little_data_is_indicative(cover: float | None, weak: bool) -> None:
    (unit,) = kept(133.0, None).units
    rows = tuple(
        replace(row, actual=replace(row.actual, evidence=replace(row.actual.evidence, cover=cover)))
        for row in unit.total.rows
    )
    found = Promised(NOW, (), (replace(unit, total=replace(unit.total, rows=rows)),))
    assert found.indicative is weak


def test_nothing_measured_is_nothing_met() -> None:
    assert not kept(None).reached
    assert risk(replace(LINE, promised=kept(None)), Facts("A"), TODAY).goals == 0


@pytest.mark.parametrize(
    ("freshness", "days", "reason", "rank"),
    [
        (Freshness.OK, 0, [], 2),
        (Freshness.DELAYED, 0, [], 2),
        (Freshness.LOST, 0, [("lost", "")], 1),
        (Freshness.NONE, 1, [("silent", "1")], 1),
        (Freshness.NONE, None, [("never", "")], 1),
    ],
)
def test_who_is_not_in_touch_needs_somebody(
    freshness: Freshness, days: int | None, reason: list[tuple[str, str]], rank: int
) -> None:
    line = replace(LINE, freshness=freshness, silent_days=days)
    assert reasons(line, Facts("A"), TODAY) == reason
    assert severity(reason) == rank
    both = reasons(replace(line, detail=Detail(NOW, urgent=2, urgent_waiting=2)), Facts("A"), TODAY)
    assert both == [("urgent", "2"), *reason]
    assert severity(both) == 0


@pytest.mark.parametrize(("minutes", "said"), [(29, []), (30, [("reason", "80.0")])])
def test_no_reason_is_one_from_half_an_hour_on(minutes: int, said: list[tuple[str, str]]) -> None:
    line = replace(LINE, detail=Detail(NOW, without_reason=80.0, asked_ns=minutes * MINUTE))
    assert reasons(line, Facts("A"), TODAY) == said
