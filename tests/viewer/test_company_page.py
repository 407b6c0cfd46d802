"""From points in a store to the one screen of a company, the same of both stores; and what is kept beside readings."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import tracemalloc
from html import unescape
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from argon2.profiles import CHEAPEST
from starlette.applications import Starlette

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.conftest import Write
from tests.viewer.query.shift import COMPANY, DAY, MINUTE, SITE, lines, tags
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.book.companies import Companies
from viewer.book.facts import Facts, checked
from viewer.book.facts_file import read
from viewer.catalog import Catalog
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

pytestmark = pytest.mark.wire

OTHER = "비밀제강"
NOW = DAY[0] + 480 * MINUTE
"""The end of the shift."""
WHERE = f"/company/{quote(COMPANY)}"
NUMBER = "123-45-67891"
"""Made up; its check digit is right: 169 → 1."""


def text_of(app: Starlette, path: str) -> str:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            return await client.get(path)

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return answer.text


def words_of(text: str, start: str, end: str = "</section>") -> str:
    """Words of a part of a page, without its folded details."""
    part = text.split(start, 1)[1].split(end, 1)[0].partition(">")[2]
    part = re.sub(r"<details>.*?</details>", " ", part, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    beat = f"agent,{tags('edge-1')} connections=1i,connected=1i,queued=7i,time_unsynced=false {NOW - MINUTE // 6}"
    fresh = f"press,{tags('PRS-01')} state=1i {NOW - MINUTE // 6}"
    hot = (
        f'alarm,{tags("PRS-01")},alarm=estop active=true,acknowledged=false,shelved=false,priority="urgent",'
        f'event="raised",state="UNACK",message="비상정지" {NOW - 10 * MINUTE}'
    )
    write("\n".join([*lines(), beat, fresh, hot]).encode())
    return reader


def test_the_shift_by_hand_is_on_one_screen(filled: Store) -> None:
    """Two of three machines send; PRS-01 made 700 pieces; one urgent alarm waits since ten minutes ago."""
    app = make_app(filled, Catalog.of([SITE]), SetClock(NOW))
    text = text_of(app, WHERE)
    link = words_of(text, '<section class="block" id="link"')
    assert link.startswith("연결 상태 데이터 품질 › 설비 연결률 2 / 3대 태그 3 버퍼 적체(건) 7 시각동기 동기됨")
    assert "700 EA" in words_of(text, 'id="machines-1"')
    assert text.count('class="day-ribbon"') == 2
    alarms = words_of(text, 'id="alarms-1"')
    assert "긴급 1 중요 0 주의 0 정보 0 미확인 1 금일 발생 1" in alarms
    assert "확인하지 않은 긴급경보가 1건 있습니다. 근거 ›" in words_of(text, 'id="advice-1"')
    assert "설비 3대 중 1대의 데이터가 끊겼습니다." in words_of(text, 'id="advice-1"')
    english = text_of(app, WHERE + "?lang=en")
    assert "Machines connected 2 / 3 Tags 3" in words_of(english, '<section class="block" id="link"')
    assert "1 urgent alarms wait" in english


def test_downtime_of_all_machines_is_added_up(filled: Store) -> None:
    from viewer.query.company import site_day  # noqa: PLC0415 - only here
    from viewer.query.downtime import downtime  # noqa: PLC0415

    site = Catalog.of([SITE]).sites[COMPANY, "A"]
    day = site_day(filled, site, NOW)
    of = [downtime(filled, site, one, day.period) for one in site.machines.values() if one.has_state]
    assert day.standstill.length_ns == sum(one.stopped_ns for one in of)
    alone = downtime(filled, site, site.machines["PRS-01"], day.period)
    assert alone.stopped_ns == (10 + 20 + 25 + 15) * MINUTE
    assert alone.without_reason == pytest.approx(50 / 70 * 100)
    expected = sum(one.stopped_ns * (one.without_reason or 0) for one in of) / day.standstill.length_ns
    assert day.standstill.without_reason == pytest.approx(expected)
    assert day.pieces["PRS-01"].total == 700


def test_a_company_without_samples_says_so_and_advises_nothing_of_figures(store: tuple[Store, Write]) -> None:
    reader, _ = store
    text = text_of(make_app(reader, Catalog.of([SITE]), SetClock(NOW)), WHERE)
    assert "미수집" in words_of(text, 'id="oee-1"')
    assert set(re.findall(r'data-hint="(\w+)"', text)) <= {"lost", "rate"}
    assert not re.search(r'class="number">0</span> <span class="unit">%', text.split('id="oee-1"')[1])
    assert "<dt>업종" not in text, "facts that nobody entered are left out"


def test_the_report_of_last_month_is_two_clicks_away(store: tuple[Store, Write]) -> None:
    """With the log-in page behind and the company found: its link, and one button."""
    app = make_app(store[0], Catalog.of([SITE]), SetClock(NOW))
    found = re.search(r'href="(/reports\?[^"]+)">2026-08 KPI 성과보고서 내기', text_of(app, WHERE))
    assert found
    text = text_of(app, unescape(found[1]))
    form = text.split('id="which"')[1].split("</form>")[0]
    assert re.findall(r'value="([^"]+)" selected', form) == [f"{quote(COMPANY)}/A/-/-", "2026-08", "iso22400"]
    assert '<button formaction="/reports/kpi.xlsx" form="which">' in text


# ── facts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def app(tmp_path: Path) -> tuple[Starlette, Access]:
    sink = DuckDbSink(tmp_path / "a.duckdb")
    for company in (COMPANY, OTHER):
        asyncio.run(sink.write(company, f"m,company={company},site=A,machine=M x=1 {NOW}".encode()))
    clock = SetClock(NOW)
    access = Access(Book(), clock, Mode.AUTO, passwords=Passwords(CHEAPEST))
    for name, role in (("boss", Role.MANAGER), ("coord", Role.COORDINATOR), ("kim", Role.COMPANY)):
        access.users.add(name, role, (COMPANY,), access.hash(PASSWORD, name))
    return make_app(DuckDbStore(sink.cursor), Catalog.of([SITE]), clock, [], access), access


def logged_in(app: Starlette, name: str) -> Browser:
    browser = Browser(app)
    browser.log_in(name)
    return browser


def test_a_coordinator_fills_in_the_head(app: tuple[Starlette, Access]) -> None:
    pages, access = app
    browser = logged_in(pages, "coord")
    said = {"registration": NUMBER, "ksic": "c25924", "town": "포항시", "level": "basic", "aim": "middle1"}
    assert browser.send(WHERE + "/facts", WHERE + "/facts", **said).headers["location"] == WHERE
    head = words_of(browser.get(WHERE).text, 'id="facts"', "</dl>")
    assert head == (
        "사업자등록번호 123-45-***** 업종 (KSIC) C25924 금속가공제품 소재지 (시·군) 포항시 도입수준 기초 → 중간1"
    )
    row = access.audit.newest(1)[0]
    assert (row.who, row.action, row.target) == ("coord", "facts", COMPANY)
    assert "town: - → 포항시" in row.detail
    everything = b"".join(str(tuple(one)).encode() for one in access.book.read("SELECT * FROM company_facts"))
    assert b"67891" not in everything
    assert "67891" not in row.detail


def test_what_cannot_be_is_not_kept(app: tuple[Starlette, Access]) -> None:
    pages, access = app
    answer = logged_in(pages, "boss").send(
        WHERE + "/facts", WHERE + "/facts", town="포항시", registration="123-45-67890"
    )
    assert answer.status_code == 400
    assert "검증번호" in answer.text
    assert Companies(access.book, SetClock(NOW)).get(COMPANY) == Facts(COMPANY)


def test_a_company_looks_and_changes_nothing(app: tuple[Starlette, Access]) -> None:
    browser = logged_in(app[0], "kim")
    assert WHERE + "/facts" not in browser.get(WHERE).text
    for path in (WHERE + "/facts", "/company-facts", "/company-facts.csv"):
        assert browser.get(path).status_code == 403
        assert browser.send("/password", path, town="포항시").status_code in {403, 405}


@pytest.mark.parametrize("name", ["coord", "kim"])
def test_anothers_company_is_one_that_is_not_there(app: tuple[Starlette, Access], name: str) -> None:
    pages, access = app
    Companies(access.book, SetClock(NOW)).put([Facts(OTHER, town="비밀시")], lambda *_: None)
    browser = logged_in(pages, name)
    where = f"/company/{quote(OTHER)}"
    assert browser.get(where).status_code == 404
    assert browser.get(where + "/facts").status_code in {403, 404}
    assert browser.get("/company").headers["location"] == WHERE
    assert not {OTHER, "비밀시"} & set(re.split(r"[,\r\n]", browser.get("/company-facts.csv").text))
    assert logged_in(pages, "boss").get(where).status_code == 200


def upload(browser: Browser, data: bytes) -> httpx.Response:
    token = browser.token("/company-facts")
    return browser.ask("POST", "/company-facts", data={"csrf": token}, files={"file": ("a.csv", data, "text/csv")})


def test_a_table_of_companies_comes_in_and_goes_out(app: tuple[Starlette, Access]) -> None:
    pages, access = app
    browser = logged_in(pages, "boss")
    rows = f"기업명,시·군,규모,업종코드,수집기한\r\n{COMPANY},포항시,소기업,C25924,2026-12-31\r\n"
    rows += f"{OTHER},구미시,medium,C24112,\r\n"
    answer = upload(browser, rows.encode("cp949"))
    assert "기업 2곳의 정보를 바꾸었습니다" in answer.text
    kept = Companies(access.book, SetClock(NOW)).all()
    assert kept[COMPANY] == Facts(COMPANY, ksic="C25924", town="포항시", size="small", until="2026-12-31")
    assert (kept[OTHER].size, kept[OTHER].division) == ("medium", "24")
    assert [one.target for one in access.audit.newest(2)] == [OTHER, COMPANY]
    saved = browser.get("/company-facts.csv")
    assert "기업 0곳" in upload(browser, saved.content).text, "what goes out comes in and changes nothing"


def test_what_a_spreadsheet_would_compute_goes_out_as_text_and_comes_back_as_it_was(
    app: tuple[Starlette, Access],
) -> None:
    pages, access = app
    browser = logged_in(pages, "coord")
    assert browser.send(WHERE + "/facts", WHERE + "/facts", town="-", supplier="=1+1", project="'@x").status_code == 303
    saved = browser.get("/company-facts.csv")
    row = next(csv.DictReader(io.StringIO(saved.text.removeprefix("\ufeff"))))
    assert (row["시군"], row["공급기업"], row["과제번호"]) == ("'-", "'=1+1", "''@x")
    assert "기업 0곳" in upload(browser, saved.content).text
    kept = Companies(access.book, SetClock(NOW)).get(COMPANY)
    assert (kept.town, kept.supplier, kept.project) == ("-", "=1+1", "'@x")


def test_a_file_of_empty_lines_takes_little_memory() -> None:
    data = b"company\n" + b"\n" * (2 << 20)
    tracemalloc.start()
    try:
        _, faults = read(data, {}, None)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [one.fault.word for one in faults] == ["many"]
    assert most < 16 * len(data), "a list of its lines would take 64 bytes each"


def test_one_wrong_cell_keeps_everything_out(app: tuple[Starlette, Access]) -> None:
    pages, access = app
    browser = logged_in(pages, "coord")
    answer = upload(browser, f"company,town,year\n{COMPANY},포항시,2026\n{OTHER},구미시,26\n".encode())
    assert answer.status_code == 400
    assert "3행" in answer.text
    assert Companies(access.book, SetClock(NOW)).all() == {}


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "heads"),
        (b"town\nx\n", "heads"),
        (b"company,company\na,b\n", "heads"),
        (b"company,colour\na,b\n", "heads"),
        (b"company\na\na\n", "twice"),
        (b"company\n,\n \nx\n", None),
        (b'company,town\n"a\x00,b\n', None),
        (b"company\n" + b"a\n" * 5001, "many"),
    ],
)
def test_files_that_are_none(data: bytes, word: str | None) -> None:
    found, faults = read(data, {}, None)
    assert {one.fault.word for one in faults} == ({word} if word else set())
    assert word is not None or found


@pytest.mark.parametrize(
    ("field", "text"),
    [("year", "26"), ("until", "2026-02-30"), ("ksic", "25-9"), ("size", "huge"), ("town", "x" * 101), ("aim", "?")],
)
def test_facts_that_are_none(field: str, text: str) -> None:
    assert [one.field for one in checked("A", {field: text})[1]] == [field]
