"""Pages of entries: what a person sees, and what becomes of what is sent."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import urllib3

from pipelines.clock import SystemClock
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.conftest import Pages
from tests.viewer.entries.desks import desk_in_thread
from tests.viewer.plant import COMPANY, SITE, series
from tests.viewer.serving import serving
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.entries.desk import EntryDesk
from viewer.entries.times import written as written_time
from viewer.stores.duckdb import DuckDbStore

pytestmark = pytest.mark.wire
KEY = (COMPANY, SITE["site"])
UNIT = "/".join(quote(level, safe="") for level in KEY) + "/-/-"
FILE: dict[str, Any] = {**SITE, "entry": {"stop_reasons": {"die": {"ko": "금형 교체", "en": "Die change"}}}}


@dataclass
class Site:
    """A viewer that takes entries, while broker and bridge are away."""

    url: str
    desk: EntryDesk
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: str) -> str:
        answer = self._ask("GET", f"{self.url}{path}?{urlencode({'unit': UNIT, **query})}")
        assert answer.status == 200, (answer.status, answer.data.decode())
        return answer.data.decode()

    def post(self, path: str, said: dict[str, Any], **query: str) -> urllib3.BaseHTTPResponse:
        address = f"{self.url}{path}?{urlencode({'unit': UNIT, **query})}"
        files = {key: value for key, value in said.items() if isinstance(value, tuple)}
        if files:
            return self._ask("POST", address, fields=said)
        body = urlencode(said).encode()
        return self._ask("POST", address, body=body, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, address: str, **more: Any) -> urllib3.BaseHTTPResponse:
        headers = more.pop("headers", {}) | {"Cookie": "; ".join(f"{key}={one}" for key, one in self.cookies.items())}
        answer = urllib3.request(method, address, headers=headers, redirect=False, retries=False, timeout=60, **more)
        for one in answer.headers.getlist("Set-Cookie"):
            name, _, value = one.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


def hidden(page: str) -> dict[str, str]:
    """What a form sends by itself."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    catalog, sink = Catalog.of([FILE]), DuckDbSink(tmp_path / "site.duckdb")
    now_ns = time.time_ns()
    lines = "".join(
        f'{series("PRS-01", "state")} code={code}i,reason="" {now_ns - minute * 60 * 10**9}\n'
        for minute, code in [(at, 4 if 10 <= at < 30 else 1) for at in range(60, 0, -1)]
    )
    asyncio.run(sink.write(COMPANY, lines.encode()))
    with (
        desk_in_thread(tmp_path / "desk", catalog) as desk,
        serving(make_app(DuckDbStore(sink.cursor), catalog, SystemClock(), [], None, desk)) as url,
    ):
        yield Site(url, desk)
    asyncio.run(sink.close())


def test_a_stop_is_asked_about_until_somebody_gives_its_reason(site: Site) -> None:
    page = site.get("/entry")
    (link,) = re.findall(r'class="tile stop" href="([^"]+)"', page)
    assert "20분" in page
    form = site._ask("GET", site.url + unescape(link)).data.decode()
    assert re.search(r'value="PRS-01" checked', form)
    start, end = re.findall(r'type="datetime-local" name="(?:start|end)" value="([^"]+)"', form)
    answer = site.post(
        "/entry/new",
        {**hidden(form), "machine": "PRS-01", "reason": "die", "start": start, "end": end, "author": "김정비"},
        kind="stop",
    )
    assert answer.status == 303
    page = site._ask("GET", site.url + answer.headers["Location"]).data.decode()
    assert "저장했습니다" in page
    assert "최근 24시간에 사유가 빠진 비가동이 없습니다" in page
    assert re.search(r"수기</span> 김정비 · 화면", page)
    assert "금형 교체" in page
    assert site.desk.queued(KEY) == 1, "the broker is away, and it is saved all the same"
    assert 'name="author" value="김정비"' in site.get("/entry/new", kind="defect"), "the name is remembered"


def test_a_double_tap_is_one_entry_and_another_form_is_another(site: Site) -> None:
    said = {"value": "3", "start": "2024-01-02 08:00", "author": "김"}
    form = hidden(site.get("/entry/new", kind="defect"))
    assert [site.post("/entry/new", {**form, **said}, kind="defect").status for _ in range(2)] == [303, 303]
    assert len(site.desk.recent(KEY, 0)) == 1
    again = hidden(site.get("/entry/new", kind="defect"))
    site.post("/entry/new", {**again, **said}, kind="defect")
    assert len(site.desk.recent(KEY, 0)) == 2


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(site: Site) -> None:
    form = hidden(site.get("/entry/new", kind="defect"))
    answer = site.post(
        "/entry/new", {**form, "value": "many", "start": "2024-01-02", "note": "<b>둘", "author": ""}, kind="defect"
    )
    page = answer.data.decode()
    assert answer.status == 422
    assert re.search(r'id="wrong-value">숫자여야 합니다', page)
    assert re.search(r'id="wrong-author">필수 항목입니다', page)
    assert 'value="many"' in page
    assert "&lt;b&gt;둘" in page
    assert hidden(page)["id"] == form["id"]
    assert site.desk.recent(KEY, 0) == []
    english = site.post("/entry/new", {**form, "value": "many"}, kind="defect", lang="en").data.decode()
    assert re.search(r'id="wrong-value">must be a number', english)


def test_a_correction_and_a_withdrawal_are_appended(site: Site) -> None:
    form = hidden(site.get("/entry/new", kind="defect"))
    site.post("/entry/new", {**form, "value": "3", "start": "2024-01-02 08:00:30", "author": "김"}, kind="defect")
    page = site.get("/entry/new", kind="defect", replaces=form["id"])
    assert 'value="2024-01-02T08:00:30"' in page
    assert "앞의 입력을 고칩니다" in page
    fix = hidden(page)
    assert fix["replaces"] == form["id"] != fix["id"]
    site.post("/entry/new", {**fix, "value": "5", "start": "2024-01-02 08:00:30", "author": "이"}, kind="defect")
    page = site.get("/entry")
    assert (page.count("정정됨"), page.count("유효")) == (1, 1)
    last = hidden(site.get("/entry/new", kind="defect", replaces=fix["id"]))
    said = {**last, "value": "5", "start": "2024-01-02 08:00:30", "author": "이", "withdrawn": "true"}
    assert site.post("/entry/new", said, kind="defect").status == 303
    entries = [one.entry for one in site.desk.recent(KEY, 0)]
    assert [(one.value, one.withdrawn) for one in entries] == [(3.0, False), (5.0, False), (5.0, True)]
    assert "취소됨" in site.get("/entry")


def test_a_file_is_shown_before_it_is_saved_all_of_it_or_nothing(site: Site) -> None:
    good = "구분,설비,불량수량,일시,입력자\n불량,PRS-01,3,2024-01-02 08:00,홍\n불량,PRS-02,4,2024-01-02 09:00,홍\n"
    form = hidden(site.get("/entry/file"))
    bad = good + "불량,PRS-09,4,2024-01-02 09:00,홍\n"
    answer = site.post("/entry/file", {**form, "author": "김", "file": ("a.csv", bad.encode("cp949"))})
    page = answer.data.decode()
    assert answer.status == 422
    assert "2/3줄" in page
    assert re.search(r"<b>줄 4</b> 설비: ", page)
    assert 'name="save"' not in page
    answer = site.post("/entry/file", {**form, "author": "김", "file": ("a.csv", good.encode("cp949"))})
    page = answer.data.decode()
    assert answer.status == 200
    assert "2줄 모두 저장" in page
    assert site.desk.recent(KEY, 0) == [], "only looked at"
    answer = site.post("/entry/file", {**hidden(page), "save": "1"})
    assert answer.status == 303
    assert "2건을 저장했습니다" in site._ask("GET", site.url + answer.headers["Location"]).data.decode()
    assert [(one.source, one.entry.author) for one in site.desk.recent(KEY, 0)] == [("csv", "홍")] * 2


def test_a_form_that_another_page_sends_is_refused(site: Site) -> None:
    form = hidden(site.get("/entry/new", kind="defect"))
    said = {**form, "value": "3", "start": "2024-01-02", "author": "김", "csrf": "0" * 64}
    assert site.post("/entry/new", said, kind="defect").status == 403
    assert site.desk.recent(KEY, 0) == []


def test_pages_that_are_none(site: Site) -> None:
    for query in ({"kind": "weather"}, {}, {"kind": "stop", "replaces": "gone"}):
        address = f"{site.url}/entry/new?{urlencode({'unit': UNIT, **query})}"
        assert site._ask("GET", address).status == 404


@pytest.mark.parametrize("kind", ["stop", "defect", "crew", "order", "lot", "inspection", "claim", "stock"])
def test_a_form_says_what_it_knows_already(site: Site, kind: str) -> None:
    today = written_time(time.time_ns())[:10]
    page = site.get("/entry/new", kind=kind, lang="en")
    assert today in page or written_time(time.time_ns())[:10] in page
    assert page.count('name="author"') == 1
    assert "None" not in page


def test_a_viewer_without_a_broker_says_so(pages: Pages) -> None:
    assert "--mqtt" in pages.get(f"{pages.url}/entry").data.decode()
    assert pages.get(f"{pages.url}/entry/new?kind=stop").status == 404
