"""From points in a store to evidence and to the page, the same of both stores."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from argon2.profiles import CHEAPEST

from agent.server import catalog_of
from tests.set_clock import SetClock
from tests.viewer.conftest import Write
from tests.viewer.level.month import BEGIN, COMPANY, DAY, MINUTE, NOW, SECOND, SITE_YAML, at, lines, tags
from viewer.access.access import Access
from viewer.access.audit import Audit
from viewer.access.cookies import SESSION
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.access.users import Users
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.entries.model import Entry
from viewer.entries.written import Written, lines_of
from viewer.kpi.words import Text
from viewer.level import text
from viewer.level.levels import LEVELS, NO_VERDICT, TITLE
from viewer.query.figures import figures_of
from viewer.query.level import Check, level_check
from viewer.query.stored import stored
from viewer.query.unit import Unit
from viewer.stores.base import Place, Store
from viewer.words import Words

pytestmark = pytest.mark.wire

KO, EN = Words("ko"), Words("en")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return of(tmp_path, SITE_YAML)


def of(folder: Path, *files: str) -> Catalog:
    paths = [folder / f"site{number}.yaml" for number, _ in enumerate(files)]
    for path, said in zip(paths, files, strict=True):
        path.write_text(said, encoding="utf-8")
    return catalog_of(paths)


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    return reader


def check(store: Store, catalog: Catalog, now_ns: int = NOW, days: int = 30) -> Check:
    return level_check(store, catalog.sites[COMPANY, "A"], now_ns, days)


def values(found: Check) -> dict[str, tuple[float | None, int]]:
    return {code: (one.value, one.samples) for code, one in found.findings.items() if code != "rate"}


def test_the_month_by_hand(filled: Store, catalog: Catalog) -> None:
    found = check(filled, catalog)
    assert found.period == (BEGIN, NOW)
    assert values(found) == {
        "used": (None, 0),
        "connected": (50.0, 3),
        "states": (25.0, 4),
        "counts": (50.0, 7),
        "lots": (2, 3),
        "standard": (pytest.approx(200 / 7), 7),
        "kept": (41, 103),
        "automatic": (50.0, 4),
        "lag": (6.0, 100),
        "prompt": (97.0, 100),
        "alarms": (2, 102),
    }
    assert [code for code, one in found.findings.items() if one.why] == ["used"]


def test_what_it_is_made_of(filled: Store, catalog: Catalog) -> None:
    found = check(filled, catalog).findings
    parts = {code: {part.what.ko: part.value for part in one.parts} for code, one in found.items()}
    assert parts["states"] == {"상태 저장": 1, "설정 파일": 4, "수집 설정": 2}
    assert parts["kept"] == {"기기 연결": 3, "하트비트": 4}
    assert parts["standard"] == {
        "셋 다 있음": 2, "설정 파일": 7, "한글명": 4, "단위": 3, "출처": 3
    }  # fmt: skip
    assert parts["automatic"] == {
        "측정값만으로 산출": 2, "설정된 KPI": 4, "수기 입력이 필요": 1, "자료 없음": 1
    }  # fmt: skip
    assert parts["alarms"] == {"설정": 3, "기간 내 발생": 1}
    assert parts["lots"] == {"자동 기록": 3, "수기 입력": 0, "자동 기록한 설비": 1}
    assert parts["lag"] == {"최대": 60.0, "수신": 100, "기대": 8640}
    notes = {code: [note.ko for note in one.notes] for code, one in found.items() if one.notes}
    assert notes["states"] == ["설정되었으나 저장되지 않음: PRS-02"]
    assert notes["connected"] == ["연결되지 않은 설비: PRS-02, 전력량계"]
    assert notes["kept"] == ["첫 기록 2026-08-21"]
    assert notes["automatic"] == ["자료 없음: C-KWH (기간 내 표본 없음)"]
    assert found["connected"].period == (NOW - MINUTE, NOW)
    assert found["lag"].period == (NOW - DAY, NOW)
    assert found["kept"].period == (at("2026-08-21T00:00"), NOW)


def test_the_collection_rate_is_the_key_figure(filled: Store, catalog: Catalog) -> None:
    found = check(filled, catalog, days=1)
    (figure,) = figures_of(filled, found.site, Unit(), ["DQ-RATE"], (at("2026-09-30T08:00"), NOW))
    assert figure.value
    assert found.findings["rate"].value == figure.value
    assert found.findings["rate"].parts == figure.parts
    assert not found.findings["rate"].notes
    early = check(filled, catalog, days=60).findings["rate"]
    assert [note.ko for note in early.notes] == ["수집을 시작하기 전의 시간이 기간에 있음"]


def test_nothing_stored_is_no_value(store: tuple[Store, Write], catalog: Catalog) -> None:
    """Tags are described in the site file; nothing of what was expected came: 0 %, as on the page of figures."""
    found = check(store[0], catalog).findings
    assert {code: one.why and one.why.ko for code, one in found.items() if code not in {"standard", "rate"}} == {
        "connected": "저장된 값이 없음",
        "states": "기간 내 표본 없음",
        "counts": "기간 내 표본 없음",
        "lots": "기간 내 표본 없음",
        "kept": "저장된 하트비트 없음",
        "used": "로그인 없이 보는 뷰어이거나 접속 기록을 지정하지 않음",
        "automatic": "기간 내 표본 없음",
        "lag": "기간 내 저장 지연(lag_s)을 알린 하트비트 없음",
        "prompt": "기간 내 저장 지연(lag_s)을 알린 하트비트 없음",
        "alarms": "기간 내 에이전트 하트비트 없음",
    }
    assert {one.value for code, one in found.items() if code not in {"standard", "rate"}} == {None}
    assert (found["rate"].value, found["standard"].samples) == (0.0, 7)
    assert text.value(KO, found["connected"]) == "미수집"


def test_what_is_not_configured_says_so(filled: Store, tmp_path: Path) -> None:
    bare = re.sub(r"^(calendar|kpis):.*\n", "", SITE_YAML, flags=re.MULTILINE)
    bare = re.sub(r"^alarms:\n(  - .*\n)+", "", bare, flags=re.MULTILINE)
    bare = re.sub(r"^    (state|count|energy): .*\n", "", bare, flags=re.MULTILINE)
    bare = bare.replace(", state: {tag: shots2}, count: {total: shots2}", "")
    found = check(filled, of(tmp_path, bare)).findings
    assert {code: one.why.ko for code, one in found.items() if one.why} == {
        "used": "로그인 없이 보는 뷰어이거나 접속 기록을 지정하지 않음",
        "states": "설정에 상태(state)가 없음",
        "counts": "설정에 생산 계수기(count)가 없음",
        "lots": "설정에 로트(energy의 lot)가 없고 수기 입력도 없음",
        "automatic": "설정에 KPI(kpis)가 없음",
        "alarms": "설정에 경보(alarms)가 없음",
    }


def test_lots_that_people_entered(filled: Store, store: tuple[Store, Write], catalog: Catalog) -> None:
    """L2 is recorded too and L7 is not: three different lots, of three records and two entries. L0 ended before."""
    for n, (lot, start) in enumerate([("L2", "2026-09-02"), ("L7", "2026-09-20"), ("L0", "2026-08-01")]):
        entry = Entry(
            id=f"{n}" * 32, kind="lot", author="김반장", lot=lot, start=f"{start} 08:00", end=f"{start} 20:00"
        )
        store[1](lines_of(Written(entry, COMPANY, "A", NOW - n - 1, NOW - n - 1, "web")).body)
    found = check(filled, catalog).findings["lots"]
    assert (found.value, found.samples) == (3, 5)
    assert {part.what.ko: part.value for part in found.parts} == {"자동 기록": 3, "수기 입력": 2, "자동 기록한 설비": 1}
    assert found.notes == (Text("수기", "Entered by hand"),)


def test_days_of_use_are_those_of_the_company(filled: Store, catalog: Catalog) -> None:
    """Kim on two days, three times; her colleague before the period; a coordinator and another company do not count."""
    book, clock = Book(), SetClock(NOW)
    users, audit = Users(book, clock), Audit(book, clock)
    for name, role, company in (
        ("kim", Role.COMPANY, COMPANY),
        ("lee", Role.COMPANY, COMPANY),
        ("choi", Role.COORDINATOR, COMPANY),
        ("park", Role.COMPANY, "다른회사"),
    ):
        users.add(name, role, [company], "hash")
    site = catalog.sites[COMPANY, "A"]
    nobody = level_check(filled, site, NOW, book=book).findings["used"]
    assert (nobody.value, nobody.why) == (None, Text("기간 내 표본 없음", "no samples in the period"))
    for name, day in (
        ("lee", "2026-08-31T12:00"),
        ("kim", "2026-09-15T09:00"),
        ("kim", "2026-09-15T23:59"),
        ("kim", "2026-09-16T00:00"),
        ("choi", "2026-09-17T09:00"),
        ("park", "2026-09-18T09:00"),
    ):
        clock.at_ns = at(day)
        audit.write(name, "127.0.0.1", "login", name)
    found = level_check(filled, site, NOW, book=book).findings["used"]
    assert (found.value, found.samples) == (2, 3)
    assert [part.value for part in found.parts] == [30, 2]
    assert level_check(filled, site, NOW, book=Book()).findings["used"].why == Text(
        "등록된 기업 담당자가 없음", "no user of the company is known"
    )
    book.close()


def test_the_page_counts_days_of_use_where_people_log_in(filled: Store, catalog: Catalog) -> None:
    clock = SetClock(NOW - 2 * DAY)
    access = Access(Book(), clock, Mode.LOGIN, passwords=Passwords(CHEAPEST))
    kim = access.users.add("kim", Role.COMPANY, [COMPANY], "hash")
    access.audit.write("kim", "127.0.0.1", "login", "kim")
    clock.at_ns = NOW
    app = make_app(filled, catalog, clock, access=access)

    async def ask() -> httpx.Response:
        cookies = {SESSION: access.sessions.open(kim)}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies) as client:
            return await client.get("/level")

    answer = asyncio.run(ask())
    assert answer.status_code == 200
    assert plain(cards(answer.text)["used"]).startswith("활용도 1 일 ")
    access.book.close()


def test_another_site_is_not_this_one(filled: Store, store: tuple[Store, Write], catalog: Catalog) -> None:
    """A site of the same company with machines of the same names, an agent that is slow, and a lot of its own."""
    before = values(check(filled, catalog))
    there = tags("PRS-02").replace("site=A", "site=B")
    store[1](
        f"press,{there} shots2=1i {NOW - SECOND}\n"
        f'state,{there} code=1i,reason="1",since=1i {NOW - SECOND}\n'
        f'energy,{there},per=lot cover=100,lot="L9",end=1i {NOW - SECOND}\n'
        f"agent,{there} connections=1i,connected=1i,lag_s=900 {NOW - SECOND}".encode()
    )
    assert values(check(filled, catalog)) == before


def test_several_agents_are_taken_together(filled: Store, store: tuple[Store, Write], catalog: Catalog) -> None:
    """A second agent, slow in three heartbeats: the p95 is the 98th of 103, which is 60 s; 97 of 103 are quick."""
    other = tags("edge-2").replace(",line=L1", "")
    for n in range(3):
        store[1](f"agent,{other} connections=1i,connected=0i,lag_s=70.0 {NOW - n * 5 * 60 * MINUTE - SECOND}".encode())
    found = check(filled, catalog).findings
    assert found["lag"].value == 60.0
    assert found["prompt"].value == pytest.approx(97 / 103 * 100)
    assert [part.value for part in found["lag"].parts] == [70.0, 103, 2 * 8640]
    assert (found["kept"].value, found["kept"].samples) == (41, 106)


def cards(page: str) -> dict[str, str]:
    """What stands in each card."""
    return dict(re.findall(r'<article class="card figure" id="([^"]+)">(.*?)</article>', page, re.DOTALL))


def plain(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def page(store: Store, catalog: Catalog, **query: str) -> str:
    app = make_app(store, catalog, SetClock(NOW))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            return await client.get(f"/level?{urlencode(query)}")

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("words", [KO, EN], ids=lambda one: one.language)
def test_the_page_says_what_the_functions_say(filled: Store, catalog: Catalog, words: Words) -> None:
    found = check(filled, catalog).findings
    shown = cards(page(filled, catalog, lang=words.language))
    assert list(shown) == [code for level in LEVELS for code in level.findings]
    assert shown.keys() == found.keys()
    for code, card in shown.items():
        one = found[code]
        value = re.search(r'"figure-value">(.*?)</p>', card, re.DOTALL)
        assert value
        assert plain(value[1]) == text.value(words, one), code
        for said in (words.text(one.formula), text.period(one), text.samples(words, one), *map(words.text, one.notes)):
            assert said in plain(card), (code, said)
    assert plain(shown["lag"]).count("60.00 s") == 1


def test_no_samples_on_the_page(store: tuple[Store, Write], catalog: Catalog) -> None:
    shown = cards(page(store[0], catalog))
    empty = {code for code, card in shown.items() if "미수집" in card}
    assert empty == shown.keys() - {"standard", "rate"}
    assert "0.00 %" in plain(shown["rate"])


def test_it_judges_nothing(filled: Store, catalog: Catalog) -> None:
    shown = page(filled, catalog)
    assert TITLE.ko in shown
    assert NO_VERDICT.ko in shown
    for words in ("기초", "중간1", "중간2", "고도화", "Lv1–2", "Lv5", "AI로 자율 운영"):
        assert words in shown
    assert shown.count("확인 불가") == sum(len(level.unknowable) for level in LEVELS) == 5
    assert "PLC에 쓰지 않으며" in shown
    assert not re.search("합격|불합격|적합|달성|인증서 발급", shown)
    english = page(filled, catalog, lang="en")
    assert "never writes to a PLC" in english
    assert not re.search("[가-힣]", re.sub("한국어|한국금속|프레스 1호기|전력량계", "", english))


def test_another_period_and_site_by_the_address(filled: Store, tmp_path: Path) -> None:
    catalog = of(tmp_path, SITE_YAML, SITE_YAML.replace("site: A", "site: B"))
    week = page(filled, catalog, unit=f"{COMPANY}/A/-/-", days="7")
    assert "2026-09-24 08:00 – 2026-09-30 14:00 KST" in week
    assert "기간 내 표본 없음" in cards(week)["states"]
    other = page(filled, catalog, unit=f"{COMPANY}/B/-/-", days="x")
    assert "2026-09-01 08:00" in other
    assert "저장된 값이 없음" in cards(other)["connected"]
    assert 'aria-current="page">수준 점검' in other


def test_without_site_files(filled: Store) -> None:
    assert "설정 파일이 있는 사이트가 없습니다" in page(filled, Catalog.of([]))


@pytest.mark.parametrize(
    ("period", "count"),
    [
        ((0, 120), 12),
        ((5, 115), 11),
        ((60, 120), 6),
        ((61, 119), 5),
        ((30, 31), 1),
        ((31, 40), 0),
        ((40, 70), 3),
        ((0, 60), 6),
    ],
)
def test_points_are_counted_to_the_moment(store: tuple[Store, Write], period: tuple[int, int], count: int) -> None:
    """Every ten minutes from 08:00 on one, of two hours; the store keeps full hours, the rest is read."""
    eight = at("2026-09-15T08:00")
    body = "\n".join(f"count,{tags('PRS-01')} total={n}i,good={n}i {eight + n * 10 * MINUTE}" for n in range(12))
    store[1](f"{body}\ncount,{tags('PRS-01')} total=12i {eight - 1}".encode())
    begin, end = (eight + minute * MINUTE for minute in period)
    place = Place(COMPANY, "A", "L1", "PRS-01", "count")
    assert stored(store[0], place, ["total", "good", "other"], (begin, end)) == count


def test_safety_alarms_are_measured_while_their_detectors_are_heard(filled: Store, tmp_path: Path) -> None:
    """The press is heard of in the last minute alone; an alarm over it makes S-ALM a figure of measured data."""
    said = SITE_YAML.replace("[P-UTIL, P-MTBF, Q-FDR, C-KWH]", "[S-ALM, Q-FDR]")
    found = check(filled, of(tmp_path, said.replace("priority: important}", "priority: urgent, safety: true}")))
    assert (found.findings["automatic"].value, found.findings["automatic"].samples) == (50.0, 1)
    none = check(filled, of(tmp_path, said)).findings["automatic"]
    assert (none.value, [note.ko for note in none.notes]) == (
        None,
        ["자료 없음: S-ALM (설정에 안전경보(safety)가 없음)"],
    )
