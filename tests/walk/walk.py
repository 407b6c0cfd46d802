"""Somebody who opens every page in both languages and looks at each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from starlette.applications import Starlette

from pipelines.calendar import Span
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD
from tests.viewer.entries.desks import desk_in_thread
from tests.viewer.screens import emulate
from tests.viewer.serving import serving
from tests.viewer.test_browser import DEADLINE_S
from tests.walk.addresses import BEHIND, addresses
from tests.walk.book import BUYER, MANAGER, ORDERING, SHARED, book_of
from tests.walk.factories import COMPANIES, Factories, factories
from tests.walk.sight import Library, barriers, complaints, keys
from viewer.access.scope import scoped_catalog
from viewer.app import make_app
from viewer.book.book import Book
from viewer.words import LANGUAGES, Words

SCHEMES: Final = ("light", "dark")


@dataclass
class Report:
    """What a walk found.

    Attributes:
        looked: how often something was looked at: `pages`, `figures`, `stops` of the tabulator key and so on.
        wrong: a line for each fault, beginning with language and address.
    """

    looked: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Pages that are served.

    Attributes:
        url: of the server.
        app: what it serves.
        factories: whom the pages are about.
    """

    url: str
    app: Starlette
    factories: Factories


@contextmanager
def served(lines: Sequence[str], seconds: int, folder: Path) -> Iterator[Place]:
    """Pages over so many seconds of some lines, for people who log in."""
    with factories(lines, seconds, folder) as some, desk_in_thread(folder / "desk", some.catalog) as desk:
        clock = SetClock(some.end_ns)
        period: Span = (some.end_ns - seconds * 10**9, some.end_ns)
        access = book_of(some, Book(folder / "viewer.db"), clock, period)
        app = make_app(some.store, some.catalog, clock, [], access, desk)
        app.state.fleet.turn(3600)
        with serving(app) as url:
            yield Place(url, app, some)
        access.book.close()


def log_in(browser: webdriver.Chrome, url: str, name: str) -> None:
    """As a person does, who waits for the answer: what is opened before it is there calls the log-in off."""
    browser.get(f"{url}/login")
    browser.find_element(By.NAME, "name").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    WebDriverWait(browser, DEADLINE_S).until(lambda page: urlsplit(page.current_url).path != "/login")


def addresses_of(place: Place, name: str) -> list[str]:
    """What somebody can open: a customer, of machines only those of a company that shares them."""
    catalog = place.factories.catalog
    if name != BUYER:
        return addresses(place.app, catalog)
    levels = zip(place.factories.lines, cycle(SHARED), strict=False)
    open_to = frozenset(COMPANIES[line] for line, level in levels if level in {"aggregate", "raw"})
    return addresses(place.app, scoped_catalog(catalog, open_to), ORDERING)


def walk(browser: webdriver.Chrome, place: Place, name: str = MANAGER, *, whole: bool = True) -> Report:
    """Open every address in both languages.

    Args:
        browser: that opens them.
        place: where.
        name: who looks.
        whole: rules are held against both colour schemes in both languages, and keys are tried; else the light one in
            the first language and the dark one in the second.
    """
    report = Report()
    log_in(browser, place.url, name)
    library = Library(place.factories.store, place.factories.catalog)
    waiting = addresses_of(place, name)
    for address in waiting:
        for language in LANGUAGES:
            open_page(browser, f"{place.url}{address}", language)
            compared = None if name == BUYER else library
            wrong = elsewhere(browser, address)
            wrong += looked_at(browser, language, report.looked, compared, whole=whole)
            wrong += complaints(browser, place.url)
            report.looked["pages"] += 1
            report.wrong += [f"{language} {address}: {one}" for one in dict.fromkeys(wrong)]
        waiting += [one for one in behind(browser) if one not in waiting]
    return report


def open_page(browser: webdriver.Chrome, url: str, language: str) -> None:
    """As a click on the language does."""
    browser.get(f"{url}{'&' if '?' in url else '?'}lang={language}")


def elsewhere(browser: webdriver.Chrome, address: str) -> list[str]:
    """That the page that is open is neither what was asked for nor behind it, such as the log-in."""
    here, asked = urlsplit(browser.current_url).path, urlsplit(address).path
    return [] if here.startswith(asked) else [f"leads to {here}"]


def behind(browser: webdriver.Chrome) -> Iterator[str]:
    """The first link of a page to each kind of page that only links lead to."""
    links = [str(one.get_dom_attribute("href")) for one in browser.find_elements(By.CSS_SELECTOR, "main a[href]")]
    for start in BEHIND.values():
        yield from islice((one for one in links if one.startswith(start)), 1)


def looked_at(
    browser: webdriver.Chrome, language: str, looked: Counter[str], library: Library | None, *, whole: bool
) -> list[str]:
    """What is wrong with the page that is open."""
    wrong: list[str] = []
    first = language == LANGUAGES[0]
    for scheme in SCHEMES if whole else SCHEMES[:1] if first else SCHEMES[1:]:
        emulate(browser, scheme)
        wrong += barriers(browser)
        looked["looks of axe-core"] += 1
    if library:
        count, differ = library.differences(browser, Words(language))
        looked["figures"] += count
        wrong += differ
    if whole and first:
        stops, missed = keys(browser)
        looked["stops of the tabulator key"] += stops
        wrong += missed
    return wrong
