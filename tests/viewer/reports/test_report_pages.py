"""The page of reports: what it offers of a site, and that it gives the report with the figures of the other pages."""

from __future__ import annotations

import asyncio
import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
import openpyxl
import pytest
from pypdf import PdfReader

from tests.set_clock import SetClock
from tests.viewer.conftest import Write
from tests.viewer.goals.played import OTHER, Plant
from tests.viewer.query.shift import COMPANY, DAY, MINUTE, SITE, lines, tags
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.routes import reports
from viewer.stores.base import Store

pytestmark = pytest.mark.wire

UNIT = {"unit": f"{COMPANY}/A/-/-", "month": "2026-09"}
GUARDED = {
    **SITE,
    "alarms": [
        {"name": "estop", "machine": "PRS-01", "tag": "state", "equals": 4, "safety": True},
        {"name": "boil", "machine": "PRS-01", "tag": "shots", "below": 95, "delay_s": 5.0, "ccp": True},
    ],
}


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    return reader


def get(store: Store, path: str, query: dict[str, str] | None = None, site: dict[str, object] = SITE) -> httpx.Response:
    app = make_app(store, Catalog.of([site]), SetClock(DAY[1] + 60 * MINUTE))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            return await client.get(path, params=query)

    return asyncio.run(ask())


def links(text: str) -> list[str]:
    return re.findall(r'form="which" formaction="(/reports/[^"?]+)"', text)


def test_what_is_offered(filled: Store) -> None:
    plain = get(filled, "/reports").text
    kinds = ["kpi", "monthly", "collection", "aftercare"]
    assert links(plain) == [f"/reports/{kind}.{ending}" for kind in kinds for ending in ("html", "xlsx", "pdf")]
    assert links(get(filled, "/reports", site=GUARDED).text)[12::3] == ["/reports/safety.html", "/reports/ccp.html"]
    assert re.findall(r'<option value="(20[0-9-]+)"', plain)[:3] == ["2026-09", "2026-08", "2026-07"]


def test_a_site_with_battery_tests_is_offered_their_results(store: tuple[Store, Write]) -> None:
    reader, write = store
    write(f'battery,{tags("PRS-01")},channel=ch1,kind=test grade="A" {DAY[0]}'.encode())
    assert "/reports/battery.pdf" in links(get(reader, "/reports").text)


def test_it_is_looked_at_and_saved_with_the_same_number_as_the_page_of_figures(filled: Store) -> None:
    """37.28 % of the site (tests/agent/test_report.py has it by hand)."""
    shown = get(filled, "/reports/kpi.html", UNIT)
    assert "37.28%" in shown.text
    assert '<link rel="stylesheet" href="/static/report.css">' in shown.text
    assert not re.search(r"<style|style=|<script", shown.text)
    assert get(filled, "/static/report.css").headers["content-type"].startswith("text/css")
    figures = get(filled, "/kpi", {"unit": UNIT["unit"], "period": "month"}).text
    card = re.search(r'data-code="P-OEE">(.*?)</article>', figures, re.DOTALL)
    assert card
    assert "37.28" in re.sub(r"<[^>]+>", "", card[1])

    saved = get(filled, "/reports/kpi.xlsx", UNIT)
    assert saved.headers["content-disposition"].startswith("attachment; filename*=UTF-8")
    assert unquote(saved.headers["content-disposition"]).endswith(f"성과보고서_{COMPANY}_A_2026-09.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(saved.content))
    assert 0.3728 in [one.value for row in book["03_OEE"].iter_rows() for one in row]
    text = " ".join(
        one.extract_text() for one in PdfReader(io.BytesIO(get(filled, "/reports/kpi.pdf", UNIT).content)).pages
    )
    assert "37.28%" in text


def test_in_english(filled: Store) -> None:
    assert "Smart factory key figures" in get(filled, "/reports", {"lang": "en"}).text
    assert "Overall equipment effectiveness" in get(filled, "/reports/kpi.html", {**UNIT, "lang": "en"}).text


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/reports/yearly.pdf", UNIT),
        ("/reports/kpi.docx", UNIT),
        ("/reports/kpi.pdf", {**UNIT, "month": "2026-13"}),
        ("/reports/kpi.pdf", {**UNIT, "month": "2026-10"}),
        ("/reports/kpi.pdf", {**UNIT, "unit": "other/A/-/-"}),
        ("/reports/kpi.pdf", {}),
    ],
)
def test_what_is_not_there(filled: Store, path: str, query: dict[str, str]) -> None:
    assert get(filled, path, query).status_code == 404


def test_a_cluster_is_of_the_companies_that_a_reader_sees(tmp_path: Path) -> None:
    """A manager sees two, and may hand out a report that names none; a coordinator of one has nothing to compare."""
    plant = Plant(tmp_path)
    try:
        boss, coord = plant.browser("boss"), plant.browser("coord")
        address = "/reports/cluster.html?month=2026-09&by=town"
        shown = boss.get(address).text
        assert COMPANY in shown
        assert OTHER in shown
        own = boss.get(f"/reports/collection.html?unit={quote(UNIT['unit'])}&month=2026-09").text
        rate = re.search(r'수집률</th><td><span class="number">([0-9.]+%)</span>', own)
        assert rate
        assert f">{rate[1]}<" in shown, "the month of its own production days, whatever those of the first company are"
        assert ">37.28%<" in shown
        assert OTHER not in boss.get(address + "&lines=0").text
        assert "비교만 (밖에 낼 때)" in boss.get("/reports").text
        assert boss.get(address + "&group=포항시").status_code == 404, "no company is there"
        assert boss.get(address.replace("2026-09", "2026-13")).status_code == 404
        assert 'id="cluster"' not in coord.get("/reports").text
        alone = coord.get(address).text
        assert COMPANY in alone
        assert OTHER not in alone
        check = boss.get(f"/reports/aftercare.html?unit={quote(UNIT['unit'])}&month=2026-09").text
        assert "0일, 담당자 1명" in check, "the company's own user may log in, and did not"
    finally:
        plant.close()


def test_one_is_made_at_a_time(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "WAIT_S", 0.01)
    with reports._ONE:
        refused = get(filled, "/reports/kpi.pdf", UNIT)
    assert refused.status_code == 503
    assert "다른 보고서를 만드는 중입니다" in refused.text
    assert get(filled, "/reports/kpi.pdf", UNIT).status_code == 200


def test_whoever_comes_second_waits_for_the_first(filled: Store) -> None:
    with ThreadPoolExecutor(1) as second:
        with reports._ONE:
            answer = second.submit(get, filled, "/reports/collection.xlsx", UNIT)
            while reports._WAITING._value == reports.MOST_WAITING:
                assert not answer.done(), "nobody waited"
        assert answer.result().status_code == 200


@pytest.mark.parametrize(("language", "whole"), [("ko", "사이트 전체"), ("en", "whole site")])
def test_who_sees_several_companies_reads_whose_figures_are_shown(tmp_path: Path, language: str, whole: str) -> None:
    plant = Plant(tmp_path)
    try:
        boss = plant.browser("boss")
        query = f"?unit={quote(UNIT['unit'])}&lang={language}"
        for path in ("/kpi", "/goals"):
            text = boss.get(path + query).text
            assert f"selected>{COMPANY} · A · {whole}</option>" in text
            assert f'<span class="name">{COMPANY} · A · {whole}</span></h1>' in text
        assert f'<span class="name">{COMPANY} · A</span></h1>' in boss.get("/reports" + query).text
    finally:
        plant.close()


def test_the_company_that_was_looked_at_last_is_kept(tmp_path: Path) -> None:
    """Where the menu leads to, and a coordinator of another company never learns of it."""
    plant = Plant(tmp_path)
    try:
        boss, other = plant.browser("boss"), plant.browser("lee")
        assert f'<span class="name">{OTHER} · B' in boss.get("/reports").text, "the first of the alphabet"
        boss.get(f"/kpi?unit={quote(UNIT['unit'])}")
        for path in ("/kpi", "/goals", "/reports", "/energy"):
            assert f'<span class="name">{COMPANY} · A' in boss.get(path).text
        boss.get(f"/company/{quote(OTHER)}")
        assert f'<span class="name">{OTHER} · B' in boss.get("/kpi").text
        boss.get(f"/machine/{quote(COMPANY)}/A/PRS-01")
        assert f'<span class="name">{COMPANY} · A' in boss.get("/kpi").text
        other.cookies["site"] = boss.cookies["site"]
        assert COMPANY not in other.get("/kpi").text
    finally:
        plant.close()
