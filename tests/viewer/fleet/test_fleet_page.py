"""From points in a store to `/fleet`, the same of both stores; each figure by hand."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from argon2.profiles import CHEAPEST
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from pipelines.sinks.duckdb import DuckDbSink
from tests.services.influxd import Influxd, influxd
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.fleet.seven import CATALOG, FACTS, FINE, LAST, LATE, LOST, NEVER, NOW, OTHER, SILENT, bodies
from tests.viewer.one_shop import HOUR, MINUTE, part, rows
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.fleet.compare import Box, Row, boxes, compared
from viewer.fleet.detail import detail
from viewer.fleet.promised import promised
from viewer.fleet.risk import Risk, risk
from viewer.fleet.summary import Detail, Summary
from viewer.fleet.tiles import TOWNS, town_of
from viewer.fleet.together import Snapshot
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.goals.programme import Programmes
from viewer.kpi.freshness import Freshness
from viewer.reports.programme import Target
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore
from viewer.stores.influx import InfluxStore

__all__ = ["influxd"]

pytestmark = pytest.mark.wire


Write = Callable[[str, str], None]
START = "/"


@pytest.fixture(params=["duckdb", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Write]]:
    """Each kind of store, empty, and what writes line protocol of a company into it."""
    if request.param == "duckdb":
        sink = DuckDbSink(tmp_path / "a.duckdb")
        yield DuckDbStore(sink.cursor), lambda company, body: asyncio.run(sink.write(company, body.encode()))
        asyncio.run(sink.close())
    else:
        server: Influxd = request.getfixturevalue("influxd")
        database = f"db_{uuid.uuid4().hex}"
        server.create(database)
        opened = InfluxStore(server.url, database)
        yield opened, lambda _, body: server.write(database, body.encode())
        opened.close()


@pytest.fixture
def app(store: tuple[Store, Write]) -> tuple[Starlette, Access, SetClock]:
    reader, write = store
    for company, body in bodies():
        write(company, body)
    clock = SetClock(NOW)
    access = Access(Book(), clock, Mode.AUTO, passwords=Passwords(CHEAPEST))
    Companies(access.book, clock).put(FACTS, lambda *_: None)
    pages = make_app(reader, CATALOG, clock, [], access)
    pages.state.fleet.turn(longest_s=1e9)
    return pages, access, clock


def page(app: Starlette, query: str = "") -> str:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(f"/fleet{query}" if query != START else query)

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_list_by_hand(app: tuple[Starlette, Access, SetClock]) -> None:
    """At 10:00: 360 of 720 readings since 08:00 are 50 %; an urgent alarm nobody took note of is 10 + 5."""
    found = rows(page(app[0]), "fleet")
    assert [(row[0], row[1]) for row in found] == [
        (SILENT, "60 40+0+20+0"),
        (NEVER, "50 40+0+10+0"),
        (LOST, "30 30+0+0+0"),
        (FINE, "15 0+15+0+0"),
        (LATE, "10 10+0+0+0"),
        (OTHER, "0 0+0+0+0"),
        (LAST, "0 0+0+0+0"),
    ]
    fine = next(row for row in found if row[0] == FINE)
    assert fine[2:11] == ["정상 10초 전", "1 / 1", "50.0 %", "–", "–", "1", "1", "0", "100.0 %"]
    never = next(row for row in found if row[0] == NEVER)
    assert never[2:11] == ["미수집", "0 / 1", "0.0 %", "–", "–", "0", "0", "미수집", "–"]
    assert next(row for row in found if row[0] == SILENT)[9] == "4"


def test_each_freshness_leads_to_the_companies_that_it_counts(app: tuple[Starlette, Access, SetClock]) -> None:
    totals = page(app[0]).split('id="totals"')[1].split("</section>")[0]
    counted = {one: int(n) for one, n in re.findall(r'href="/fleet\?fresh=(\w+)#list".*?<b>(\d+)</b>', totals)}
    assert counted == {"ok": 3, "delayed": 1, "lost": 1, "none": 2}
    for fresh, count in counted.items():
        assert len(rows(page(app[0], f"?fresh={fresh}"), "fleet")) == count
    assert [row[0] for row in rows(page(app[0], "?fresh=lost"), "fleet")] == [LOST]
    assert len(rows(page(app[0], "?fresh=other"), "fleet")) == 7


def test_who_needs_somebody_and_why(app: tuple[Starlette, Access, SetClock]) -> None:
    assert [(row[0], row[1]) for row in rows(page(app[0]), "acting")] == [
        (FINE, "긴급경보 1건 미확인 · 사유 미입력 100.0 %"),
        (SILENT, "데이터 단절 4일 · 수집기한 2026-09-06 지남"),
        (NEVER, "데이터가 한 번도 오지 않음"),
        (LOST, "데이터 단절"),
    ]


def test_totals_and_towns(app: tuple[Starlette, Access, SetClock]) -> None:
    """Three of seven are fresh; 포항시: one of five; 구미시 has two companies and is not shown."""
    text = page(app[0])
    assert part(text, '<section class="summary" id="totals"', "</section>").startswith(
        "기업 7 연결기업 (정상·지연) 4 활성 (24시간) 5 정상 3 지연 1 단절 1 미수집 2 신선도 정상률 42.9 %"
        " 설비 연결률 3 / 7대 평균 수집률 (오늘) 25.0 % n=2 KPI 목표달성 기업 (집계된 목표 모두) 미수집 n=0"
        " 종합달성도 중앙값 (이번 달) 미수집 n=0 수준 분포 기초 75.0 % 고도화 25.0 % n=4 금일 긴급경보 1 긴급경보 1"
    )
    text = page(app[0], "/regions")
    towns = text.rsplit("<tbody>", 1)[1].split("</section>")[0]
    assert "포항시" in towns
    assert "20.0 %" in towns
    assert "50.0 %" not in towns
    assert "25.0 %" not in towns, "the mean over two of five would tell what each of them is"
    assert "구미시" not in towns
    assert "5곳보다 적은 묶음은 보이지 않습니다 (1개)" in towns
    tiles = part(text, '<svg class="tiles"', "</svg>")
    assert "포항시 20.0 % n=5" in tiles
    assert "구미시 n&lt;5" in tiles


def promise(app: tuple[Starlette, Access, SetClock]) -> None:
    """Two goals of one company, one of another, measured; one of the first is approved."""
    pages, access, clock = app
    goals = GoalBook(access.book, clock)
    for company, code, baseline, target in (
        (FINE, "DQ-RATE", 0.5, 0.6),
        (FINE, "P-UPH", 1, 2),
        (NEVER, "DQ-RATE", 1, 2),
    ):
        one = Promise(code=code, baseline=Baseline(baseline, "작업일보"), target=target)
        made = goals.propose(Whose(company, "A"), one, "담당자", lambda *_: None)
        if (company, code) == (FINE, "DQ-RATE"):
            goals.approve(made, "코디네이터", lambda *_: None)
    pages.state.fleet.turn(longest_s=1e9)


def test_goals_by_hand(app: tuple[Starlette, Access, SetClock]) -> None:
    """September so far are 146 h of 360 readings: 360 of 52,560 are 0.685 %, and 0.185 of 0.1 more are 184.9 %.

    The other goal of the first company has no figure; nothing came of the second company: 0 % is worse than 1 %.
    """
    promise(app)
    found = {row[0]: row for row in rows(page(app[0]), "fleet")}
    assert found[FINE][5:7] == ["1 / 2", "184.9 % 참고치"]
    assert found[NEVER][5:7] == ["0 / 1", "-100.0 % 참고치"]
    assert (found[FINE][1], found[NEVER][1]) == ("15 0+15+0+0", "60 40+0+10+10")
    assert (
        "KPI 목표달성 기업 (집계된 목표 모두) 1 (50.0 %) n=2 종합달성도 중앙값 (이번 달) 42.5 % n=2 참고치 2곳"
        in part(page(app[0]), 'id="totals"', "</section>")
    )
    assert (NEVER, "데이터가 한 번도 오지 않음 · KPI 역행 1개") in [
        (row[0], row[1]) for row in rows(page(app[0]), "acting")
    ]
    table = {(row[0], row[1].split(" 산식")[0]): row for row in rows(page(app[0], "/kpi"), "goals")}
    assert {(key[0].split()[0], row[3], row[4], row[5], row[7], row[-1]) for key, row in table.items()} == {
        (FINE, "0.50%", "0.60%", "0.68%", "184.93%", "참고치"),
        (FINE, "1.0", "2.0", "미수집", "미수집", "운영지표 설정에 생산 계수기(count)가 없음"),
        (NEVER, "1.00%", "2.00%", "0.00%", "-100.00%", "참고치"),
    }


def test_coordinators_and_their_checks(app: tuple[Starlette, Access, SetClock]) -> None:
    """Two companies, twelve checks: facts and a link of both, a goal of one that is not approved in all."""
    promise(app)
    found = {row[0]: row[1:] for row in rows(page(app[0], "/coordinators"), "charges")}
    assert found["코디네이터1"] == ["2", "41.7 %", "2 / 2", "2 / 2", "0 / 2", "1 / 2", "0 / 2", "0 / 2", "1"]
    assert found["코디네이터2"][:2] == ["1", "16.7 %"]
    assert found["담당 없음"][0] == "4"


def test_targets_of_the_programme_are_shown_to_those_who_see_all(app: tuple[Starlette, Access, SetClock]) -> None:
    pages, access, clock = app
    for target in (
        Target(name="지원기업수", target=160, actual=260),
        Target(name="연결", target=4, measure="connected"),
    ):
        Programmes(access.book, clock).put("2022", target, "", lambda *_: None)
    totals = part(page(pages), 'id="totals"', "</section>")
    assert "지원기업수 260 / 목표 160 162.5 % 수기 연결 6 / 목표 4 150.0 %" in totals
    assert "연결 = 연결기업 (저장된 데이터가 있는 기업)." in totals, (
        "six of which anything is stored, four in touch now"
    )
    access.users.add("coord", Role.COORDINATOR, (FINE, LATE), access.hash(PASSWORD, "coord"))
    browser = Browser(pages)
    browser.log_in("coord")
    assert "지원기업수" not in browser.get("/fleet").text
    assert LATE in browser.get("/").text


def test_who_sees_one_company_starts_with_its_machines(app: tuple[Starlette, Access, SetClock]) -> None:
    pages, access, _ = app
    assert 'id="totals"' in page(pages, START)
    access.users.add("own", Role.COMPANY, (FINE,), access.hash(PASSWORD, "own"))
    browser = Browser(pages)
    browser.log_in("own")
    assert "PRS-01" in browser.get("/").text
    for path in ("/", "/machines"):
        text = browser.get(path).text
        assert "PRS-01" in text
        assert 'href="/machines" aria-current="page"' in text
        assert LATE not in text


def test_what_is_asked_together_is_what_each_company_asks(app: tuple[Starlette, Access, SetClock]) -> None:
    """Every figure of the board is that of a company that is asked by itself, in many questions."""
    promise(app)
    fleet = app[0].state.fleet
    for company, line in fleet.board().lines.items():
        alone = Snapshot(fleet._store, company, fleet._latest[company])
        sites = fleet._sites.get(company, [])
        assert detail(alone, company, sites, NOW) == line.detail
        if line.promised:
            assert promised(alone, line.promised.held, sites, NOW) == line.promised


@pytest.mark.parametrize("show", ["rate", "overall", "risk"])
def test_comparison_shows_groups_of_five(app: tuple[Starlette, Access, SetClock], show: str) -> None:
    text = page(app[0], f"/compare?show={show}")
    assert text.count("<svg") - 1 == 0, "no trade, size or level has five companies"
    assert "5곳보다 적은 묶음은 보이지 않습니다" in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?coordinator=" + quote("코디네이터1"), [FINE, LATE]),
        ("?division=25", [LOST, FINE]),
        ("?town=" + quote("구미시"), [OTHER, LAST]),
        ("?q=" + quote("마"), [LOST]),
        ("?size=small&q=" + quote("다"), [LATE]),
        ("?town=x", None),
        ("?page=99999999999", [SILENT, NEVER, LOST, FINE, LATE, OTHER, LAST]),
    ],
)
def test_filters(app: tuple[Starlette, Access, SetClock], query: str, names: list[str] | None) -> None:
    text = page(app[0], query)
    assert ([row[0] for row in rows(text, "fleet")] if names else "조건에 맞는 기업이 없습니다" in text) == (
        names or True
    )


def test_a_user_sees_the_own_companies_and_nothing_of_others(app: tuple[Starlette, Access, SetClock]) -> None:
    pages, access, _ = app
    for name, role, scope in (
        ("coord", Role.COORDINATOR, (FINE, LATE)),
        ("boss", Role.MANAGER, ()),
        ("none", Role.READER, ()),
        ("order", Role.ORDERING, (FINE,)),
    ):
        access.users.add(name, role, scope, access.hash(PASSWORD, name))
    seen = {}
    for name in ("coord", "boss", "none", "order"):
        browser = Browser(pages)
        browser.log_in(name)
        text = browser.get("/fleet?q=").text
        seen[name] = {one for one in (FINE, LATE, LOST, SILENT, NEVER, OTHER, LAST) if one in text}
        assert name == "boss" or "구미시" not in text
    assert seen == {
        "coord": {FINE, LATE},
        "boss": {FINE, LATE, LOST, SILENT, NEVER, OTHER, LAST},
        "none": set(),
        "order": set(),
    }


def test_a_page_asks_the_store_nothing(
    app: tuple[Starlette, Access, SetClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, _, clock = app

    def never(*_: object) -> None:
        raise AssertionError("a page asked the store")

    store = pages.state.fleet._store
    for name in ("latest", "series", "points", "trends", "readings", "tagged", "records", "before", "gaps"):
        monkeypatch.setattr(type(store), name, never)
    clock.at_ns = NOW + MINUTE
    assert rows(page(pages), "fleet")[0][0] == SILENT


def test_an_old_board_is_made_anew_and_says_of_when_it_is(app: tuple[Starlette, Access, SetClock]) -> None:
    pages, _, clock = app
    clock.at_ns = NOW + 25 * HOUR
    found = rows(page(pages), "fleet")
    assert {row[0]: row[2].split()[0] for row in found}[OTHER] == "미수집"
    assert "2026-09-08 11:00:00 KST" in page(pages)


def test_fifty_companies_on_a_page(store: tuple[Store, Write]) -> None:
    reader, write = store
    for n in range(120):
        write(f"c{n:03}", f"m,company=c{n:03},site=A,machine=M x=1 {NOW}")
    pages = make_app(reader, CATALOG.of([]), SetClock(NOW))
    assert len(rows(page(pages), "fleet")) == 50
    text = page(pages, "?page=3")
    assert [row[0] for row in rows(text, "fleet")] == [f"c{n:03}" for n in range(100, 120)]
    assert "3 / 3" in text
    assert "미수집" in rows(text, "fleet")[0], "what was not asked yet is no 0"


def test_a_box_by_hand() -> None:
    """0, 10, 20, 30 and 40: quarters at 10, 20 and 30; four companies are none."""
    made = [
        Row(Summary(str(n), NOW, Freshness.OK, 1, 1, 0, Detail(NOW, rate)), Facts(str(n), size=size), Risk(0, 0, 0), ())
        for n, (size, rate) in enumerate([*(("small", 10.0 * n) for n in range(5)), *[("large", 1.0)] * 4])
    ]
    shown, hidden = boxes(made, lambda one: one.size, lambda one: one.rate)
    assert (shown, hidden) == ([Box("small", 5, 0, 10, 20, 30, 40)], 1)


@pytest.mark.parametrize(
    ("said", "town"), [("포항", "포항시"), ("포항시 남구", "포항시"), ("여수시", "여수시"), ("서울", "")]
)
def test_towns_of_the_map(said: str, town: str) -> None:
    assert town_of(said) == town
    assert len(set(TOWNS)) == len(TOWNS) == 22 + 22


# ── pure ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("until", "points"),
    [("", 0), ("2026-09-06", 20), ("2026-09-07", 15), ("2026-09-14", 15), ("2026-10-07", 10), ("2026-10-08", 0)],
)
def test_deadlines(until: str, points: int) -> None:
    line = Summary("A", NOW, Freshness.OK, 1, 1, 0)
    assert risk(line, Facts("A", until=until), date(2026, 9, 7)).total == points


def test_alarms_add_thirty_at_most() -> None:
    line = Summary("A", NOW, Freshness.LOST, 1, 1, 0, Detail(NOW, urgent=9, waiting=9))
    assert risk(line, Facts("A"), date(2026, 9, 7)) == Risk(30, 30, 0)


@given(st.lists(st.sampled_from(["포항시", "구미시", "경주시", ""]), max_size=30))
def test_no_group_below_five_is_shown_and_nobody_is_forgotten(towns: list[str]) -> None:
    made = [
        Row(Summary(str(n), None, Freshness.NONE, 0, 0, None), Facts(str(n), town=town), Risk(40, 0, 0), ())
        for n, town in enumerate(towns)
    ]
    shown, hidden, nowhere = compared(made, lambda one: one.town)
    assert all(one.count >= 5 and one.rate is None for one in shown)
    assert {one.name: one.count for one in shown} == {
        town: towns.count(town) for town in set(towns) if town and towns.count(town) >= 5
    }
    assert len(shown) + hidden == len(set(towns) - {""})
    assert nowhere == towns.count("")
