"""Pages about a site as a person sees them, in a real Chromium that may reach nothing but this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer import packs
from tests.viewer.cluster import members as cluster
from tests.viewer.entries.desks import desk_in_thread
from tests.viewer.one_shop import CATALOG, COMPANY
from tests.viewer.query import test_alarms_page as alarms
from tests.viewer.query import test_energy_page as energy
from tests.viewer.query import test_quality_page as quality
from tests.viewer.query import test_spc_page as spc
from tests.viewer.serving import serving
from tests.viewer.test_browser import DEADLINE_S, browser, chromium, requests_of, shown, wait_for
from tests.walk.sight import barriers
from viewer.app import make_app
from viewer.stores.duckdb import DuckDbStore

__all__ = ["browser", "chromium"]

pytestmark = [pytest.mark.wire, pytest.mark.slow]

PAGES = {
    "/fleet": ("조치 필요 기업", "Risk = freshness"),
    "/company": ("연결 상태", "Running now"),
    "/alarms": ("현재 경보", "Alarms now"),
    "/goals": ("종합달성도", "Overall achievement"),
    "/reports": ("파일로 받기", "Save it"),
    "/safety": ("감지기 현재 상태", "Detectors now"),
    "/energy?period=yesterday": ("적용한 배출계수", "Emission factors applied"),
    "/quality": ("설비별 수집률", "Collection by machine"),
    f"/quality?unit={COMPANY}/A/L1/PRS-01": ("태그별 품질", "Quality by tag"),
    "/entry": ("무엇을 입력합니까?", "What do you enter?"),
}
ALARM = f"/alarm?unit={COMPANY}/A/-/-&alarm=PRS-01/lube_low"
BEHIND = ("/entry/new?kind=stop", "/entry/new?kind=order", "/entry/file", ALARM)
"""Pages that no menu leads to."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of pages over the small shop at 10:00 of the day after."""
    folder: Path = tmp_path_factory.mktemp("shop")
    sink = DuckDbSink(folder / "site.duckdb")
    asyncio.run(sink.write(COMPANY, "\n".join([*alarms.lines(), *quality.lines(), *energy.lines()]).encode()))
    with (
        desk_in_thread(folder / "desk", CATALOG) as desk,
        serving(make_app(DuckDbStore(sink.cursor), CATALOG, SetClock(energy.NOW), [], None, desk)) as url,
    ):
        yield url
    asyncio.run(sink.close())


def test_an_alarm_comes_by_itself(browser: webdriver.Chrome, tmp_path: Path) -> None:
    sink = DuckDbSink(tmp_path / "site.duckdb")
    asyncio.run(sink.write(COMPANY, "\n".join(alarms.lines()).encode()))
    with serving(make_app(DuckDbStore(sink.cursor), CATALOG, SetClock(alarms.NOW))) as url:
        browser.get(url + "/alarms")
        first = browser.find_elements(By.CSS_SELECTOR, "#standing article")
        more = alarms.event("lube_low", alarms.NOW - 1, "raised", "UNACK", active=True, priority="important")
        asyncio.run(sink.write(COMPANY, more.encode()))
        WebDriverWait(browser, DEADLINE_S, 0.2).until(
            lambda one: len(one.find_elements(By.CSS_SELECTOR, "#standing article")) == len(first) + 1
        )
        assert "윤활 압력 저하" in browser.find_element(By.ID, "standing").text
        clean(browser, url)
    asyncio.run(sink.close())


def clean(browser: webdriver.Chrome, url: str) -> None:
    """Nothing complained, and nothing was asked of anybody else."""
    assert browser.get_log("browser") == []
    assert {urlsplit(one).netloc for one in requests_of(browser) if one.startswith("http")} == {urlsplit(url).netloc}


@pytest.mark.parametrize("path", PAGES)
def test_korean_then_english(browser: webdriver.Chrome, shop: str, path: str) -> None:
    korean, english = PAGES[path]
    browser.get(shop + "/")
    browser.find_element(By.CSS_SELECTOR, f'.menu a[href="{path.partition("?")[0]}"]').click()
    browser.get(shop + path)
    assert korean in shown(browser)
    browser.find_element(By.LINK_TEXT, "English").click()
    wait_for(browser, english)
    clean(browser, shop)


@pytest.mark.parametrize("path", [*PAGES, *BEHIND])
def test_a_phone_needs_no_sideways_scrolling(browser: webdriver.Chrome, shop: str, path: str) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(shop + path)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", PAGES)
def test_paper_has_no_controls(browser: webdriver.Chrome, shop: str, path: str) -> None:
    browser.get(shop + path)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not any(one.is_displayed() for one in browser.find_elements(By.CSS_SELECTOR, ".choose, .top nav"))
    assert browser.find_element(By.TAG_NAME, "h1").is_displayed()


def test_cycles_and_their_chart(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Readable by day, by night and on a phone; a point that is out of control says why, and leads to its moment."""
    sink = DuckDbSink(tmp_path / "site.duckdb")
    asyncio.run(sink.write(COMPANY, "\n".join(spc.lines()).encode()))
    with serving(make_app(DuckDbStore(sink.cursor), spc.CATALOG, SetClock(spc.NOW))) as url:
        address = f"{url}{spc.SPC}?{urlencode(spc.DAYS)}"
        browser.get(address)
        titles = browser.execute_script(
            "return Array.from(document.querySelectorAll('#chart-1 polygon.spc-out title'), one => one.textContent)"
        )
        (far,) = (at for at, one in enumerate(titles) if "규칙 1: 1점이 3σ 밖" in one)
        point = browser.find_elements(By.CSS_SELECTOR, "#chart-1 polygon.spc-out")[far]
        ActionChains(browser).move_to_element(point).perform()
        assert "108.0" in browser.find_element(By.CSS_SELECTOR, "#chart-1 output").text
        browser.find_element(By.CSS_SELECTOR, "#marks th a").click()
        wait_for(browser, "확대한 구간: 2026-09-08 08:25:00")
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        for scheme, path in (("light", address), ("dark", address), ("dark", url + spc.CYCLES)):
            wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
            browser.get(path)
            assert barriers(browser) == []
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        clean(browser, url)
    asyncio.run(sink.close())


def test_grades_of_packs_and_one_of_them(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Readable by day, by night and on a phone; a pack leads to its curve, which says what is under the pointer."""
    sink = DuckDbSink(tmp_path / "site.duckdb")
    asyncio.run(sink.write(COMPANY, packs.stored()))
    with serving(packs.app_of(DuckDbStore(sink.cursor))) as url:
        browser.get(url + "/")
        browser.find_element(By.CSS_SELECTOR, '.menu a[href="/battery"]').click()
        WebDriverWait(browser, DEADLINE_S).until(lambda page: urlsplit(page.current_url).path == "/battery")
        grades = browser.current_url
        browser.find_element(By.CSS_SELECTOR, "#tests-of-packs tr:nth-child(1) th a").click()
        wait_for(browser, "재현됨")
        plot = browser.find_element(By.CSS_SELECTOR, "#curve-1 .plot svg")
        ActionChains(browser).move_to_element(plot).perform()
        assert "3.6" in browser.find_element(By.CSS_SELECTOR, "#curve-1 output").text
        pack = browser.current_url
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        for scheme, path in (("light", grades), ("dark", pack), ("light", pack), ("dark", grades)):
            wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
            browser.get(path)
            assert barriers(browser) == []
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        clean(browser, url)
    asyncio.run(sink.close())


def test_an_alarm_leads_to_its_moment(browser: webdriver.Chrome, shop: str) -> None:
    browser.get(f"{shop}/alarms?name=윤활&period=yesterday")
    browser.find_element(By.CSS_SELECTOR, "#history td.time a").click()
    wait_for(browser, "확대한 구간: 2026-09-07 08:00:00 KST – 2026-09-07 08:20:00 KST")
    clean(browser, shop)


def test_a_peak_leads_to_its_meter(browser: webdriver.Chrome, shop: str) -> None:
    browser.get(f"{shop}/energy?period=yesterday")
    bar = browser.find_element(By.CSS_SELECTOR, "#demand rect.most")
    ActionChains(browser).move_to_element(bar).perform()
    assert "80.0 kW" in browser.find_element(By.CSS_SELECTOR, "#demand output").text
    ActionChains(browser).move_to_element(bar).click_and_hold().move_by_offset(60, 0).release().perform()
    WebDriverWait(browser, DEADLINE_S, 0.1).until(lambda one: "확대한 구간" in shown(one))
    assert "/MTR-01?from=" in browser.current_url
    day = "#by-day .plot svg"
    browser.get(f"{shop}/energy?period=yesterday")
    here = browser.current_url
    plot = browser.find_element(By.CSS_SELECTOR, day)
    ActionChains(browser).move_to_element(plot).click_and_hold().move_by_offset(60, 0).release().perform()
    assert browser.current_url == here, "a picture of days has nothing to zoom into"
    clean(browser, shop)


def test_a_cluster_can_be_read_and_fits_a_phone(browser: webdriver.Chrome, tmp_path: Path) -> None:
    sink, store = cluster.written(tmp_path)
    clock = SetClock(cluster.NOW)
    app = cluster.pages_of(store, cluster.filled(clock), clock)
    names = (cluster.ORDERING, cluster.RAW, "공장", cluster.SECRETS[cluster.RAW].machine)
    machine = "/cluster/" + "/".join(map(quote, names))
    with serving(app) as url:
        for user, paths in (
            ("order", ("/cluster", machine)),
            ("own", (f"/sharing/{quote(cluster.KPI)}",)),
        ):
            person = cluster.logged_in(app, user)
            browser.get(url + "/login")
            browser.delete_all_cookies()
            browser.add_cookie({"name": "session", "value": person.cookies["session"]})
            for path in paths:
                for scheme, width in (("light", 1280), ("dark", 390)):
                    wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
                    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
                    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
                    browser.get(url + path)
                    assert barriers(browser) == [], path
                    assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path
        clean(browser, url)
    asyncio.run(sink.close())
