"""From the set-up code to the end of a session in a real Chromium: by keyboard, without an error in its console."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2.profiles import CHEAPEST
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD
from tests.viewer.plant import COMPANY, NS, SITE, readings
from tests.viewer.serving import serving
from tests.viewer.test_browser import DEADLINE_S, browser, chromium
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.stores.duckdb import DuckDbStore

__all__ = ["browser", "chromium"]
pytestmark = [pytest.mark.wire, pytest.mark.slow]


@dataclass(slots=True)
class Site:
    """Pages that ask for a log-in, on a free port."""

    url: str
    access: Access
    clock: SetClock


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    sink = DuckDbSink(tmp_path / "site.duckdb")
    now_ns = time.time_ns()
    for body in readings(now_ns - 300 * NS, now_ns):
        asyncio.run(sink.write(COMPANY, body))
    clock = SetClock(now_ns)
    access = Access(Book(), clock, Mode.LOGIN, passwords=Passwords(CHEAPEST))
    app = make_app(DuckDbStore(sink.cursor), Catalog.of([SITE]), SystemClock(), [], access)
    with serving(app) as url:
        yield Site(url, access, clock)
    asyncio.run(sink.close())


def typed(page: webdriver.Chrome, **fields: str) -> None:
    """Fill in fields by name; the last one sends the form with Enter."""
    for name, text in fields.items():
        found = page.find_element(By.NAME, name)
        found.clear()
        found.send_keys(text)
    found.send_keys(Keys.ENTER)


def errors(page: webdriver.Chrome) -> list[str]:
    """What the console holds, but for the answers that are meant to be refusals."""
    return [one["message"] for one in page.get_log("browser") if "status of 403" not in one["message"]]


def test_from_the_code_to_the_end_of_a_session(browser: webdriver.Chrome, site: Site) -> None:
    wait = WebDriverWait(browser, DEADLINE_S)
    browser.get(site.url)
    assert browser.current_url == f"{site.url}/setup"
    assert "첫 관리자 만들기" in browser.page_source
    typed(browser, code="AAAA", name="boss", password=PASSWORD, again=PASSWORD)
    wait.until(lambda page: "설정 코드가 맞지 않" in page.page_source)
    typed(browser, code=site.access.first.new(), password=PASSWORD, again=PASSWORD)
    wait.until(lambda page: page.current_url == f"{site.url}/users")
    Select(browser.find_element(By.NAME, "role")).select_by_value("company")
    typed(browser, name="kim", companies=COMPANY, password=PASSWORD, again=PASSWORD)
    wait.until(lambda page: "만들었습니다" in page.page_source)
    browser.find_element(By.LINK_TEXT, "감사 기록").click()
    wait.until(lambda page: "적힌 그대로" in page.page_source)
    browser.get(f"{site.url}/audit?lang=en")
    assert "User added" in browser.page_source
    browser.find_element(By.CSS_SELECTOR, ".account form button").click()
    wait.until(lambda page: page.current_url == f"{site.url}/login")
    typed(browser, name="kim", password="wrong words of mine")  # noqa: S106 - of nobody
    wait.until(lambda page: "User or password is not right" in page.page_source)
    typed(browser, name="kim", password=PASSWORD)
    wait.until(lambda page: "Press 1" in page.page_source)
    assert "Users" not in browser.find_element(By.CSS_SELECTOR, ".account").text
    site.clock.at_ns += 3600 * NS
    wait.until(lambda page: page.current_url.startswith(f"{site.url}/login"))  # the page notices it by itself
    typed(browser, name="kim", password=PASSWORD)
    wait.until(lambda page: "Press 1" in page.page_source)
    assert errors(browser) == []
