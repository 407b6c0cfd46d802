"""Who may enter what: nobody for another company, and nobody in another's name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from argon2.profiles import CHEAPEST
from starlette.applications import Starlette

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.browser import PASSWORD, Browser
from tests.viewer.entries.desks import desk_in_thread
from tests.viewer.plant import COMPANY, SITE
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.access.passwords import Passwords
from viewer.access.roles import Role
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.entries.desk import EntryDesk
from viewer.stores.duckdb import DuckDbStore

OTHER = {**SITE, "company": "비밀제강", "site": "비밀공장"}
KEYS = [(COMPANY, str(SITE["site"])), ("비밀제강", "비밀공장")]


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[tuple[Starlette, EntryDesk]]:
    access = Access(Book(), SystemClock(), Mode.AUTO, passwords=Passwords(CHEAPEST))
    for name, role, scope in (
        ("kim", Role.COMPANY, (COMPANY,)),
        ("lee", Role.COMPANY, ("비밀제강",)),
        ("reader", Role.READER, (COMPANY,)),
    ):
        access.users.add(name, role, scope, access.hash(PASSWORD, name))
    catalog, sink = Catalog.of([SITE, OTHER]), DuckDbSink(tmp_path / "site.duckdb")
    with desk_in_thread(tmp_path / "desk", catalog) as desk:
        yield make_app(DuckDbStore(sink.cursor), catalog, SystemClock(), [], access, desk), desk
    asyncio.run(sink.close())


def address(key: tuple[str, str], path: str = "/entry/new", **more: str) -> str:
    unit = "/".join(quote(level, safe="") for level in key) + "/-/-"
    return f"{path}?{urlencode({'unit': unit, 'kind': 'defect', **more})}"


def enter(browser: Browser, page: str, path: str, **said: str) -> int:
    found = dict(re.findall(r'<input type="hidden" name="(id|replaces)" value="([^"]*)"', browser.get(page).text))
    return browser.send(page, path, **found, **{"value": "3", "start": "2024-01-02", **said}).status_code


def test_a_user_enters_for_the_own_company_and_in_the_own_name(viewer: tuple[Starlette, EntryDesk]) -> None:
    app, desk = viewer
    kim = Browser(app)
    kim.log_in("kim")
    own, other = address(KEYS[0]), address(KEYS[1])
    assert 'name="author"' not in kim.get(own).text
    assert enter(kim, own, own, author="공장장") == 303
    assert [one.entry.author for one in desk.recent(KEYS[0], 0)] == ["kim"]
    assert enter(kim, own, other) == 404
    assert kim.get(other).status_code == 404
    assert kim.get(address(KEYS[1], "/entry")).status_code == 404
    assert desk.recent(KEYS[1], 0) == []


def test_nobody_sees_or_corrects_what_another_company_entered(viewer: tuple[Starlette, EntryDesk]) -> None:
    app, desk = viewer
    kim, lee = Browser(app), Browser(app)
    kim.log_in("kim")
    lee.log_in("lee")
    assert enter(lee, address(KEYS[1]), address(KEYS[1]), note="비밀 메모") == 303
    (secret,) = desk.recent(KEYS[1], 0)
    assert "비밀 메모" in unescape(lee.get("/entry").text)
    assert "비밀 메모" not in unescape(kim.get("/entry").text)
    assert kim.get(address(KEYS[0], replaces=secret.id)).status_code == 404


def test_a_reader_looks_and_enters_nothing(viewer: tuple[Starlette, EntryDesk]) -> None:
    app, desk = viewer
    reader = Browser(app)
    reader.log_in("reader")
    page = reader.get("/entry")
    assert page.status_code == 200
    assert "/entry/new" not in page.text
    assert reader.get(address(KEYS[0])).status_code == 403
    assert reader.get(address(KEYS[0], "/entry/file")).status_code == 403
    token = reader.token("/password")
    said = {"csrf": token, "value": "3", "start": "2024-01-02"}
    assert reader.ask("POST", address(KEYS[0]), data=said).status_code == 403
    assert desk.recent(KEYS[0], 0) == []


def test_a_file_is_entered_in_the_own_name(viewer: tuple[Starlette, EntryDesk]) -> None:
    app, desk = viewer
    kim = Browser(app)
    kim.log_in("kim")
    path = address(KEYS[0], "/entry/file")
    csv = "구분,설비,불량수량,일시,입력자\n불량,PRS-01,3,2024-01-02 08:00,공장장\n".encode()
    answer = kim.ask("POST", path, data={"csrf": kim.token(path)}, files={"file": ("a.csv", csv)})
    content = re.search(r'name="content" value="([^"]+)"', answer.text)
    assert content is not None
    assert kim.send(path, path, content=content[1], save="1").status_code == 303
    assert [one.entry.author for one in desk.recent(KEYS[0], 0)] == ["kim"]
