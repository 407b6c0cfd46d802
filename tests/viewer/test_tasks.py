"""What a consultant has to find out is five clicks from the first page at most, by following what pages offer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.browser import Browser
from tests.viewer.query.shift import COMPANY, MINUTE, SHIFT, SITE, lines
from viewer.access.access import Access
from viewer.access.mode import Mode
from viewer.app import make_app
from viewer.book.book import Book
from viewer.catalog import Catalog
from viewer.goals.book import GoalBook
from viewer.goals.model import Baseline, Promise, Whose
from viewer.stores.duckdb import DuckDbStore

pytestmark = pytest.mark.wire

SILENT: Final = "나라정공"
NOW: Final = SHIFT[1]
_PRESSES: Final = f"/company/{quote(COMPANY)}"
TASKS: Final = {
    "who is disconnected, and since when": (["/fleet?fresh=lost", "/company/"], [SILENT, "단절", "최근 수신 14:00:00"]),
    "why the press stood": ([_PRESSES, "/machine/.*PRS-01", "/oee/"], ["금형 파손", "20.0", "10:30:00"]),
    "what it told when it stood": (
        [_PRESSES, "/machine/.*PRS-01", "/oee/", "/machine/.*from="],
        ["확대한 구간", "가동"],
    ),
    "whether the target is met, and from which data": ([_PRESSES], ["목표 35", "37.28 %", "표본"]),
    "the report of last month": ([_PRESSES, "/reports?unit"], ["2026-08"]),
}
"""What is looked for: beginnings of the addresses that are clicked, one after the other, and what is read there."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Two companies: one with a shift and a target, one that fell silent two hours ago."""
    sink = DuckDbSink(Path(tmp_path_factory.mktemp("tasks")) / "a.duckdb")
    asyncio.run(sink.write(COMPANY, "\n".join(lines()).encode()))
    last = f"press,company={SILENT},site=A,machine=M-1 spm=50i {NOW - 120 * MINUTE}"
    asyncio.run(sink.write(SILENT, last.encode()))
    clock = SetClock(NOW)
    access = Access(Book(), clock, Mode.OPEN)
    promise = Promise(code="P-OEE", baseline=Baseline(value=30.0, note="도입 전"), target=35.0)
    GoalBook(access.book, clock).propose(Whose(COMPANY, "A"), promise, "담당자1", _quiet)
    app = make_app(DuckDbStore(sink.cursor), Catalog.of([SITE]), clock, [], access)
    app.state.fleet.turn(longest_s=1e9)
    yield Browser(app)
    asyncio.run(sink.close())


def _quiet(*_: str) -> None: ...


@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_five_clicks_at_most(browser: Browser, task: str) -> None:
    clicks, read = TASKS[task]
    text = browser.get("/").text
    for beginning in clicks:
        pattern = re.escape(beginning).replace(r"\.\*", ".*")
        links = re.findall(r'href="([^"]+)"', text.split("<main>", 1)[1])
        found = next(one for one in links if re.match(pattern, one))
        text = browser.get(unescape(found).partition("#")[0]).text
    assert len(clicks) <= 4, "and one to save it"
    shown = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert [one for one in read if one not in shown] == []
