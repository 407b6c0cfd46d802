"""The pages over HTTP: headers, languages, errors, and that nothing in them comes from elsewhere."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pipelines.errors import DependencyError
from pipelines.point import BAD_NO_COMMUNICATION
from tests.viewer.conftest import Pages
from tests.viewer.plant import COMPANY, NS, SITE, series
from viewer import app as module

pytestmark = pytest.mark.wire

STATIC = Path(module.__file__).parent


def tags_of(machine: str) -> list[dict[str, Any]]:
    return [
        tag
        for connection in SITE["connections"]
        for tag in connection["tags"]
        if tag.get("machine", connection.get("machine")) == machine
    ]


def text(pages: Pages, url: str, **headers: str) -> str:
    answer = pages.get(url, **headers)
    assert answer.status == 200, answer.data
    return answer.data.decode()


def test_machines_with_states_freshness_and_values(pages: Pages) -> None:
    page = text(pages, pages.url)
    for word in (
        "프레스 1호기",
        "가동",
        "고장",
        "대기",
        "상태 미확인",
        "정상",
        "지연",
        "상태 설정 없음",
        "spm",
        "센서 고장",
    ):
        assert word in page
    assert "O1234 &lt;BRKT&gt;" in page
    assert "내장 브로커 &lt;사용 중&gt;" in page
    assert re.search(r"<b>4</b> / 5대", page)


def test_what_is_counted_leads_to_the_machines(pages: Pages) -> None:
    counts = re.findall(
        r'href="/machines\?show=(\w+)".*?<b>(\d+)</b>', text(pages, pages.url).split('id="machines"')[0]
    )
    assert {"ok", "delayed", "no_state", "4"} <= {show for show, _ in counts}
    for show, count in counts:
        cards = text(pages, f"{pages.url}/machines?show={show}").split('id="machines"')[1]
        assert cards.count("<article") == int(count), show
    assert text(pages, f"{pages.url}/machines?show=nonsense").count("<article") == 5
    assert "지금 그런 설비가 없습니다" in text(pages, f"{pages.url}/machines?show=lost")


def test_english_by_address_is_remembered(pages: Pages) -> None:
    answer = pages.get(f"{pages.url}/?lang=en")
    assert "Running" in answer.data.decode()
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Running" in text(pages, pages.url, Cookie=cookie.split(";")[0])
    assert "가동" in text(pages, f"{pages.url}/?lang=xx", Cookie="lang=../en")


def test_every_answer_has_the_headers(pages: Pages) -> None:
    for path in ("/", "/healthz", "/static/app.js", "/none"):
        headers = pages.get(pages.url + path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_nothing_inline_and_nothing_from_outside(pages: Pages) -> None:
    for url in (pages.url, pages.machine("PRS-01"), pages.url + "/none"):
        page = pages.get(url).data.decode()
        assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son\w+=|javascript:", page)
        assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) <= {
            link for link in re.findall(r'(?:src|href)="([^"]+)"', page) if link.startswith(("/", "?"))
        }
    for file in (STATIC / "static").iterdir():
        content = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in content
        assert max(map(len, content.splitlines())) < 400, f"{file.name} is not for reading"


@pytest.mark.parametrize("period", ["10m", "1h", "8h", "1d", "nonsense"])
def test_a_machine_with_charts_over_each_period(pages: Pages, period: str) -> None:
    page = text(pages, pages.machine("PRS-01") + f"?period={period}")
    assert page.count("<polyline") >= 5
    assert '<rect class="s1"' in page
    assert ">꺼짐</text>" in page
    assert "최대 하중" in page
    assert "수집 공백: no_communication" in page
    shown = "10m" if period == "nonsense" else period
    assert f'href="?period={shown}" aria-current="true"' in page


def test_a_year_is_drawn_by_the_day_and_without_states(pages: Pages) -> None:
    page = text(pages, pages.machine("PRS-01") + "?period=365d")
    drawn = page.count("<circle") + page.count("<polyline")
    assert drawn >= 5, "twenty minutes lie in one bucket, or in two when an hour began meanwhile"
    assert '<rect class="s1"' not in page
    assert re.search(r"&#34;\d\d-\d\d \d\d:00&#34;", page)


def test_days_before_states_were_derived_have_the_raw_one(pages: Pages) -> None:
    day_ns = 86_400 * NS
    then_ns = time.time_ns() - 3 * day_ns
    pages.write("\n".join(f"{series('PRS-02', 'press')} mode=1i {then_ns + at * NS}" for at in range(0, 60, 2)))
    begin_ms = then_ns // 1_000_000
    page = text(pages, f"{pages.machine('PRS-02')}?from={begin_ms - 60_000}&to={begin_ms + 120_000}")
    assert '<rect class="s1"' in page
    assert ">가동</text>" in page


def test_a_state_of_a_time_to_come_does_not_hold(pages: Pages) -> None:
    """As after a clock that was a year ahead: what is told now counts, and without that nothing is known."""
    year_ns = 365 * 86_400 * NS
    for name in ("PRS-02", "FUR-01"):
        pages.write(f"{series(name, 'state')} code=3i {time.time_ns() + year_ns}")
    page = text(pages, pages.url)
    assert '"card edge3"' not in page
    assert page.count('"card edge4"') == 1


def test_a_zoomed_span(pages: Pages) -> None:
    end_ms = time.time_ns() // 1_000_000
    page = text(pages, f"{pages.machine('PRS-01')}?from={end_ms - 120_000}&to={end_ms}")
    assert "확대한 구간" in page
    assert f'data-start="{end_ms - 120_000}" data-end="{end_ms}"' in page
    for query in ("from=5&to=1", "from=x&to=9", "from=-5&to=9", f"from=1&to={10**30}", "from=٣&to=٩"):
        assert "확대한 구간" not in text(pages, f"{pages.machine('PRS-01')}?{query}") or query == "from=٣&to=٩"


def test_the_live_part_leaves_the_charts_out(pages: Pages) -> None:
    page = text(pages, pages.machine("PRS-01") + "?part=live")
    assert "<polyline" not in page
    assert 'id="live"' in page


def test_a_machine_only_the_store_knows(pages: Pages) -> None:
    pages.write(f"pump,company={COMPANY},machine=펌프\\ 1 flow=1.5 {time.time_ns()}")
    page = text(pages, pages.url)
    link = re.search(r'href="(/machine/[^"]+/-/[^"]+)"', page)
    assert link
    assert "flow" in text(pages, pages.url + link[1])


def test_a_machine_that_fell_silent_is_shown_until_its_last_reception(pages: Pages) -> None:
    last_ns = time.time_ns() - 3 * 3600 * NS
    pages.write("\n".join(f"pump,company={COMPANY},machine=P-9 flow=1.5 {last_ns - at * NS}" for at in range(0, 60, 5)))
    address = f"{pages.url}/machine/{quote(COMPANY)}/-/P-9"
    for period, silent in (("", True), ("?period=1h", True), ("?period=8h", False)):
        page = text(pages, address + period)
        assert "<polyline" in page, period
        assert ("마지막 수신" in page.split('id="shown"')[1].split("</span>")[0]) == silent
        assert (f'data-end="{(last_ns + NS) // 1_000_000}"' in page) == silent
    assert 'class="hint" id="shown" data-live>그래프를' in text(pages, pages.machine("PRS-01"))


def test_a_value_written_later_is_on_the_next_page(pages: Pages) -> None:
    pages.write(f"{series('PRS-02', 'press')} spm=77i {time.time_ns() + NS}")
    assert ">77</span>" in text(pages, pages.url)


def test_an_unknown_address_says_so_in_words(pages: Pages) -> None:
    for url in (
        pages.url + "/none",
        pages.machine("NONE"),
        pages.url + "/static/none",
        pages.url + "/static/../app.py",
    ):
        answer = pages.get(url)
        assert answer.status == 404
        assert "이 주소에 해당하는 화면이 없습니다" in answer.data.decode()


def test_health(pages: Pages) -> None:
    assert pages.get(pages.url + "/healthz").data == b'{"status":"ok"}'


def test_a_store_that_cannot_be_reached_is_said(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise DependencyError("InfluxDB http://db:8086", "does not answer")

    monkeypatch.setattr("viewer.stores.duckdb.DuckDbStore.latest", down)
    answer = pages.get(pages.url)
    assert answer.status == 503
    assert "저장소에 연결할 수 없습니다 — InfluxDB http://db:8086: does not answer" in answer.data.decode()
    assert pages.get(pages.url + "/healthz").status == 503
    assert pages.get(pages.machine("PRS-01")).status == 503


def test_an_empty_store_says_so(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewer.stores.duckdb.DuckDbStore.latest", lambda *_: [])
    page = text(pages, pages.url)
    assert "미수집" in page
    assert '<span class="number">0</span>' not in page
    assert "통신두절" not in page
    assert re.search(r"<b>0</b> / 5대", page)


def test_a_plant_that_went_away_is_lost_in_the_header_and_on_every_card(pages: Pages) -> None:
    now_ns = time.time_ns()
    pages.write(f"agent,company={COMPANY},site={SITE['site']},line=L,machine=agent-1 queued=0i {now_ns}")
    for machine, told in SITE["machines"].items():
        bad = ",".join(f"{tag['name']}_quality={BAD_NO_COMMUNICATION}i" for tag in tags_of(machine))
        pages.write(f"{series(machine, told['class'])} {bad} {now_ns}")
    page = text(pages, pages.url)
    summary, cards = page.split('id="machines"')
    assert re.search(r"<b>0</b> / 5대", summary)
    assert re.search(r"통신두절</span></a></dt><dd><b>5</b>", summary)
    assert cards.count('<span class="fresh lost">단절</span>') == cards.count("통신두절</span> <span class=") == 5
    assert "agent-1" not in page


def test_values_of_a_machine_that_is_late_are_told_as_its_last_ones_and_not_as_good(pages: Pages) -> None:
    seen = set()
    for name in SITE["machines"]:
        page = text(pages, pages.machine(name))
        (freshness,) = set(re.findall(r'class="fresh (\w+)"', page))
        seen.add(freshness)
        assert ("· 마지막 값 (" in page) == (freshness in {"delayed", "lost"}), name
        assert ('class="quality good"' in page) <= (freshness == "ok"), name
    assert {"ok", "delayed"} <= seen


def test_the_raw_state_is_a_value_in_the_table_and_not_on_the_card(pages: Pages) -> None:
    pages.write(f"{series('PRS-02', 'press')} mode=99i {time.time_ns()}")
    live = text(pages, pages.machine("PRS-02") + "?part=live").split('id="live"')[1]
    assert '<span class="number">99</span>' in live
    card = text(pages, pages.url).split("프레스 2호기")[1].split("</article>")[0]
    assert "고장" in card
    assert "<dt>모드</dt>" not in card


def test_the_words_for_a_lost_server_are_not_in_the_page_until_it_is_lost(pages: Pages) -> None:
    notice = re.search(r'<p class="notice bad" id="offline"([^>]*)>(.*?)</p>', text(pages, pages.url))
    assert notice
    assert notice[1].endswith(" hidden")
    assert notice[2] == ""


def test_only_reading_is_possible(pages: Pages) -> None:
    assert pages.post_status(pages.url) == 403
