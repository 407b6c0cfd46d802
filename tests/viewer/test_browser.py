"""The pages as a person sees them: a real Chromium, headless, that may reach nothing but this machine."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.conftest import Pages
from tests.viewer.entries.desks import desk_in_thread
from tests.viewer.plant import SITE, series
from tests.viewer.serving import serving
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.stores.duckdb import DuckDbStore

pytestmark = [pytest.mark.wire, pytest.mark.slow]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,900",
)
DEADLINE_S = 30


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: apt-get install chromium chromium-driver (deploy/test-components.sh does)")
    return found


@contextmanager
def chrome(profile: Path, *flags: str) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own, that logs what it asks for and what pages complain of."""
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(DEADLINE_S)
        yield driver
    finally:
        try:
            driver.quit()
        finally:
            service.process.kill()
            service.process.wait()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chrome(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """A tab that knows nothing of the one before: no cookies, nothing emulated, nothing logged."""
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    for kind in ("performance", "browser"):
        chromium.get_log(kind)
    yield chromium
    chromium.close()
    chromium.switch_to.window(first)


def requests_of(browser: webdriver.Chrome) -> set[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return {url for url in sent if not url.startswith("data:")}


def shown(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def wait_for(browser: webdriver.Chrome, words: str) -> None:
    # The page that was found may be gone when it is asked what it shows; the driver has several errors for that.
    wait = WebDriverWait(browser, DEADLINE_S, 0.1, ignored_exceptions=[WebDriverException])
    wait.until(lambda one: words in shown(one), f"{words!r} did not appear")


def clean(browser: webdriver.Chrome, pages: Pages) -> None:
    """Nothing complained, and nothing was asked of anybody else."""
    assert browser.get_log("browser") == []
    here = urlsplit(pages.url).netloc
    assert {urlsplit(url).netloc for url in requests_of(browser) if url.startswith("http")} == {here}


def test_korean_then_english(browser: webdriver.Chrome, pages: Pages) -> None:
    browser.get(pages.url)
    assert "프레스 1호기" in shown(browser)
    for word in ("가동", "대기", "고장", "상태 미확인", "정상", "지연"):
        assert word in shown(browser)
    badge = browser.find_element(By.CSS_SELECTOR, ".card .s1")
    assert badge.value_of_css_property("background-color") == "rgba(23, 130, 68, 1)"
    browser.find_element(By.LINK_TEXT, "English").click()
    wait_for(browser, "Running")
    browser.find_element(By.LINK_TEXT, "Press 1").click()
    wait_for(browser, "Strokes/min")
    assert "lang=" not in browser.current_url
    browser.refresh()
    wait_for(browser, "Running")
    clean(browser, pages)


def test_figures_are_chosen_and_explained(browser: webdriver.Chrome, pages: Pages) -> None:
    browser.get(pages.url)
    browser.find_element(By.LINK_TEXT, "KPI").click()
    wait_for(browser, "KPI 현황")
    Select(browser.find_element(By.NAME, "unit")).select_by_visible_text("· 프레스 1호기 (PRS-01)")
    browser.find_element(By.XPATH, "//button[text()='보기']").click()
    wait_for(browser, "설비종합효율 · 비가동")
    assert "실제가동시간 / 부하시간" not in shown(browser)
    browser.find_element(By.CSS_SELECTOR, "#P-UTIL summary").send_keys(Keys.ENTER)
    wait_for(browser, "실제가동시간 / 부하시간 × 100")
    assert browser.find_element(By.CSS_SELECTOR, "#P-UTIL .figure-value").text.endswith("%")
    browser.find_element(By.PARTIAL_LINK_TEXT, "비가동").click()
    wait_for(browser, "시간가동률")
    browser.find_element(By.LINK_TEXT, "English").click()
    wait_for(browser, "Working time by state")
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    for path in ("/kpi", urlsplit(browser.current_url).path):
        browser.get(pages.url + path)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    clean(browser, pages)


def test_a_written_value_appears_by_itself(pages: Pages, browser: webdriver.Chrome) -> None:
    browser.get(pages.url)
    assert "4,321" not in shown(browser)
    pages.write(f"{series('PRS-02', 'press')} spm=4321i,mode=1i {time.time_ns()}")
    wait_for(browser, "4,321")
    browser.get(pages.machine("PRS-02"))
    pages.write(f"{series('PRS-02', 'press')} spm=8765i {time.time_ns()}")
    wait_for(browser, "8,765")
    clean(browser, pages)


def test_charts_are_drawn_read_and_zoomed(pages: Pages, browser: webdriver.Chrome) -> None:
    browser.get(pages.machine("PRS-01"))
    lines = browser.find_elements(By.CSS_SELECTOR, "svg.chart polyline.line")
    assert len(lines) >= 5
    assert lines[0].size["width"] > 200
    assert lines[0].value_of_css_property("stroke") == "rgb(31, 111, 209)"
    chart = browser.find_elements(By.CSS_SELECTOR, "svg.chart")[1]
    ActionChains(browser).move_to_element(chart).perform()
    output = browser.find_elements(By.CSS_SELECTOR, "figure output")[1]
    WebDriverWait(browser, DEADLINE_S, 0.1).until(lambda _: re.match(r"\d\d:\d\d:\d\d +\d+", output.text))
    ActionChains(browser).move_to_element(chart).click_and_hold().move_by_offset(80, 0).release().perform()
    wait_for(browser, "확대한 구간")
    assert "from=" in browser.current_url
    browser.find_element(By.LINK_TEXT, "1시간").click()
    WebDriverWait(browser, DEADLINE_S, 0.1).until(lambda one: one.current_url.endswith("?period=1h"))
    clean(browser, pages)


def test_a_server_that_went_away_is_said(pages: Pages, browser: webdriver.Chrome) -> None:
    browser.get(pages.url)
    notice = browser.find_element(By.ID, "offline")
    assert (notice.get_property("hidden"), notice.get_property("textContent")) == (True, "")
    browser.execute_cdp_cmd("Network.enable", {})
    lost = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", lost)
    wait_for(browser, "서버와 연결이 끊겼습니다")
    assert "프레스 1호기" in shown(browser)
    back = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", back)
    WebDriverWait(browser, DEADLINE_S, 0.1).until(lambda one: "서버와 연결이 끊겼습니다" not in shown(one))
    assert (notice.get_property("hidden"), notice.get_property("textContent")) == (True, "")


def test_a_phone_needs_no_sideways_scrolling(pages: Pages, browser: webdriver.Chrome) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for url in (pages.url, pages.machine("PRS-01")):
        browser.get(url)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        assert browser.find_element(By.CSS_SELECTOR, "header.top").size["height"] <= 60
    browser.find_element(By.CSS_SELECTOR, ".fold summary").send_keys(Keys.ENTER)
    browser.find_element(By.CSS_SELECTOR, '.menu a[href="/kpi"]').click()
    wait_for(browser, "KPI 현황")


def test_dark_where_the_person_wants_it_dark(pages: Pages, browser: webdriver.Chrome) -> None:
    wish = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
    browser.get(pages.url)
    body = browser.find_element(By.TAG_NAME, "body")
    assert body.value_of_css_property("background-color") == "rgba(16, 21, 28, 1)"


def test_states_are_a_band_of_words(pages: Pages, browser: webdriver.Chrome) -> None:
    browser.get(pages.machine("PRS-01"))
    band = browser.find_element(By.CSS_SELECTOR, "#charts rect.s1")
    assert band.value_of_css_property("fill") == "rgb(23, 130, 68)"
    assert "가동" in [text.text for text in browser.find_elements(By.CSS_SELECTOR, "#charts .band-word")]
    assert {"꺼짐", "켜짐"} <= {text.text for text in browser.find_elements(By.CSS_SELECTOR, "#charts .axis.value")}


def test_a_tag_that_appears_later_gets_its_chart_by_itself(pages: Pages, browser: webdriver.Chrome) -> None:
    browser.get(pages.machine("PRS-02"))
    before = len(browser.find_elements(By.CSS_SELECTOR, "#charts figure"))
    pages.write(f"{series('PRS-02', 'press')} fresh_tag=1.5 {time.time_ns()}")
    WebDriverWait(browser, DEADLINE_S, 0.1).until(
        lambda one: len(one.find_elements(By.CSS_SELECTOR, "#charts figure")) == before + 1
    )
    clean(browser, pages)


def test_paper_has_no_controls(pages: Pages, browser: webdriver.Chrome) -> None:
    browser.get(pages.machine("PRS-01"))
    controls = browser.find_elements(By.CSS_SELECTOR, ".top nav, .periods, .hint")
    assert all(control.is_displayed() for control in controls)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not any(control.is_displayed() for control in controls)
    assert browser.find_element(By.CSS_SELECTOR, "#live table").is_displayed()
    assert browser.find_element(By.CSS_SELECTOR, "#charts svg").is_displayed()
    body = browser.find_element(By.TAG_NAME, "body")
    assert body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"


@pytest.fixture
def entering(tmp_path: Path) -> Iterator[str]:
    """A viewer that takes entries."""
    catalog, sink = Catalog.of([SITE]), DuckDbSink(tmp_path / "site.duckdb")
    with (
        desk_in_thread(tmp_path / "desk", catalog) as desk,
        serving(make_app(DuckDbStore(sink.cursor), catalog, SystemClock(), [], None, desk)) as url,
    ):
        yield url
    asyncio.run(sink.close())


TOUCHED = "main a, main button, main select, main input:not([type=hidden]):not([type=radio]), main .choice"
"""What a finger in a glove has to hit."""


def test_entries_are_made_with_gloves_on(browser: webdriver.Chrome, entering: str) -> None:
    """On a tablet: everything that is touched is at least 48 px high, and nothing runs out of the page."""
    browser.set_window_size(800, 1100)
    for path in ("/entry", "/entry/new?kind=stop", "/entry/new?kind=defect", "/entry/file"):
        browser.get(entering + path)
        crumbs = set(browser.find_elements(By.CSS_SELECTOR, ".crumbs a"))
        small = [
            (one.text or one.get_attribute("name"), one.size["height"])
            for one in browser.find_elements(By.CSS_SELECTOR, TOUCHED)
            if one not in crumbs and one.is_displayed() and one.size["height"] < 48
        ]
        assert small == [], path
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"), path
    browser.get(f"{entering}/entry/new?kind=stop")
    for name in ("machine", "reason"):
        browser.find_element(By.CSS_SELECTOR, f"input[name={name}]").click()
    browser.find_element(By.NAME, "author").send_keys("김정비", Keys.ENTER)
    wait_for(browser, "저장했습니다")
    assert "김정비" in shown(browser)
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert {urlsplit(url).hostname for url in requests_of(browser)} == {"127.0.0.1"}
    browser.set_window_size(1400, 900)


def test_entries_need_no_script(browser: webdriver.Chrome, entering: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{entering}/entry/new?kind=defect")
        browser.find_element(By.NAME, "author").send_keys("김정비")
        browser.find_element(By.CSS_SELECTOR, "button.main").click()
        wait_for(browser, "필수 항목입니다")
        browser.find_element(By.NAME, "value").send_keys("3")
        browser.find_element(By.CSS_SELECTOR, "button.main").click()
        wait_for(browser, "저장했습니다")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
