"""A company whose pieces and states give figures that anybody can check by hand, and users of every role."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from argon2.profiles import CHEAPEST
from starlette.applications import Starlette

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.query.kept_shift import copy_shift
from tests.viewer.query.shift import COMPANY, DAY, MINUTE, SITE, tags
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.entries.model import Entry
from viewer.entries.written import Written, lines_of
from viewer.stores.duckdb import DuckDbStore

HOUR = 60 * MINUTE
OTHER = "비밀제강"
OTHER_SITE: dict[str, Any] = {
    "company": OTHER,
    "site": "B",
    "kpis": ["P-OEE"],
    "machines": {"F-1": {"class": "furnace"}},
}
COUNTED: dict[str, Any] = SITE | {
    "machines": SITE["machines"] | {"UPH-01": {"class": "press", "count": {"total": "n"}}}
}
"""The site with a machine that is counted and has no states: 124 pieces in each of eight hours."""
UNIT = f"{COMPANY}/A/-/-"
THEIRS = f"{OTHER}/B/-/-"
PRESS = f"{COMPANY}/A/L1/PRS-01"
COUNTER = f"{COMPANY}/A/L1/UPH-01"
NOW = DAY[1] + 24 * HOUR
DATES = {"period": "custom", "from": "2026-09-07", "to": "2026-09-07"}
NEXT_DAY = {"period": "custom", "from": "2026-09-08", "to": "2026-09-08"}
USERS = (
    ("boss", Role.MANAGER, ()),
    ("coord", Role.COORDINATOR, (COMPANY,)),
    ("kim", Role.COMPANY, (COMPANY,)),
    ("lee", Role.COORDINATOR, (OTHER,)),
    ("reader", Role.READER, (COMPANY,)),
    ("order", Role.ORDERING, (COMPANY,)),
)


def orders() -> Iterator[str]:
    """Made in 1,150 h and shipped 1,180 h after the order on the first day; made in 1,400 h on the next."""
    for n, (end_ns, made_h, shipped_h) in enumerate(((DAY[0] + HOUR, 1150, 1180), (DAY[1] + HOUR, 1400, 1400))):
        entry = Entry.model_construct(
            id=f"e{n}",
            kind="order",
            author="김",
            order=f"O{n}",
            start=end_ns - made_h * HOUR,
            end=end_ns,
            confirmed=end_ns - shipped_h * HOUR,
            shipped=end_ns,
        )
        yield lines_of(Written(entry, COMPANY, "A", DAY[0] + n, DAY[0] + n, "web")).body.decode()


def counts() -> Iterator[str]:
    """124 pieces an hour from 08:00 to 16:00."""
    for minute in range(481):
        yield f"count,{tags('UPH-01')} total={124 * minute // 60}i,epoch=0i {DAY[0] + minute * MINUTE - 1}"


class Plant:
    """A shift in a store, a book, and pages over both.

    Args:
        folder: where the store and the book are.
        users: whether there are any; without, everybody sees everything.
    """

    def __init__(self, folder: Path, *, users: bool = True) -> None:
        copy_shift(folder / "points.duckdb")
        self.sink = DuckDbSink(folder / "points.duckdb")
        asyncio.run(self.sink.write(COMPANY, "\n".join([*counts(), *orders()]).encode()))
        self.clock = SetClock(NOW)
        self.book = Book(folder / "viewer.db")
        self.access = Access(self.book, self.clock, Mode.AUTO, passwords=Passwords(CHEAPEST))
        for name, role, scope in USERS if users else ():
            self.access.users.add(name, role, scope, self.access.hash(PASSWORD, name))
        self.catalog = Catalog.of([COUNTED, OTHER_SITE])
        self.store = DuckDbStore(self.sink.cursor)
        self.app: Starlette = make_app(self.store, self.catalog, self.clock, [], self.access)

    def browser(self, name: str = "") -> Browser:
        """Somebody's, logged in."""
        browser = Browser(self.app)
        if name:
            assert browser.log_in(name).status_code == 303
        return browser

    def close(self) -> None:
        """Let go of store and book."""
        self.book.close()
        asyncio.run(self.sink.close())


def address(unit: str = UNIT, page: str = "/goals", **query: str) -> str:
    """A page of a unit."""
    return f"{page}?{urlencode({'unit': unit, **DATES, **query})}"


def do(browser: Browser, deed: str, unit: str = UNIT, **fields: str) -> tuple[int, str]:
    """Send a form of the page: status, and what the page then says on top."""
    path = f"/goals/{deed}?{urlencode({'unit': unit, **DATES})}"
    answer = browser.ask("POST", path, data={"csrf": browser.token("/password"), **fields})
    text = browser.get(answer.headers["location"]).text if answer.status_code == 303 else answer.text
    said = re.search(r'<p class="said[^>]*>(.*?)</p>', text, re.DOTALL)
    return answer.status_code, unescape(said[1]) if said else ""


def table(text: str, name: str = "goals") -> dict[str, list[str]]:
    """Words of each cell of the table of goals, by code; or of that of versions, by code and number."""
    body = text.split(f'<table id="{name}"', 1)[1].split("</table>", 1)[0].split("<tbody>", 1)[1]
    found = {}
    for row in body.split("<tr ")[1:]:
        key = re.search(r'data-\w+="([^"]*)"', row)
        assert key
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        found[key[1]] = [" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in cells]
    return found


def overall(text: str) -> str:
    """종합달성도 of a page."""
    found = re.search(r'<b id="overall">(.*?)</b>', text)
    assert found
    return found[1]
