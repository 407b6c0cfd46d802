"""From points to `/safety` and `/ccp`: unknown is never green, and numbers are those of the month's report."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer.conftest import Write
from tests.viewer.one_shop import CATALOG as SHOP
from tests.viewer.one_shop import HOUR, MINUTE, SECOND, T0, part, rows
from tests.viewer.safety.yard import CATALOG, COMPANY, NOW, YARD, event, log, means, page, quiet, tags
from viewer.catalog import Catalog
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.query.watch import watch_of
from viewer.reports.cell import shown
from viewer.reports.gather.company import subject_of
from viewer.reports.kinds import ccp_report, safety_report
from viewer.reports.model import Facts, Report, Table
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

pytestmark = pytest.mark.wire

TODAY = (T0, NOW)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two hours with an alarm, a deviation, means and a log."""
    with kept(tmp_path_factory.mktemp("yard"), *quiet(T0), *ran(), *means(), *alarms(), *log(12)) as reader:
        yield reader


@contextmanager
def kept(folder: Path, *lines: str) -> Iterator[Store]:
    """A store that holds these."""
    sink = DuckDbSink(folder / "yard.duckdb")
    asyncio.run(sink.write(COMPANY, "\n".join(lines).encode()))
    yield DuckDbStore(sink.cursor)
    asyncio.run(sink.close())


def card(text: str, name: str) -> str:
    return part(text, f'id="{name}"', "</article>")


def facts(report: Report) -> dict[str, str]:
    blocks = [block for section in report.sections for block in section.blocks if isinstance(block, Facts)]
    return {name.ko: shown(value) for block in blocks for name, value in block.rows}


def table(report: Report, title: str) -> list[list[str]]:
    blocks = [block for section in report.sections for block in section.blocks if isinstance(block, Table)]
    return [[shown(cell) for cell in row] for one in blocks if one.title.ko == title for row in one.rows]


def ran() -> Iterator[str]:
    """States of the tank, told each minute: it ran for 90 of 120."""
    for minute in range(120):
        yield f"state,{tags('T-101')} code={1 if minute < 90 else 2}i {T0 + minute * MINUTE}"


def alarms() -> list[str]:
    """NH3 too high for three minutes, acknowledged and reset; a kettle too cold, acknowledged without a word."""
    at, cold = T0 + HOUR, T0 + 90 * MINUTE
    return [
        event("GD-02", "nh3_warn", at, "raised", "UNACK", active=True, more=",value=26.5"),
        event("GD-02", "nh3_warn", at + 90 * SECOND, "acknowledged", "ACKED", active=True, more=',comment="환기"'),
        event("GD-02", "nh3_warn", at + 180 * SECOND, "cleared", "LATCHED", active=False),
        event("GD-02", "nh3_warn", at + 240 * SECOND, "acknowledged", "NORM", active=False),
        event("KET-01", "ccp_boil", cold, "raised", "UNACK", active=True, more=",value=94.1"),
        event("KET-01", "ccp_boil", cold + MINUTE, "acknowledged", "ACKED", active=True),
        event("KET-01", "ccp_boil", cold + 2 * MINUTE, "cleared", "NORM", active=False),
        event("KET-01", "ccp_boil", cold + 3 * MINUTE, "suppressed", "SUPPRESSED", active=False),
    ]


def test_the_page_says_what_the_report_says(filled: Store) -> None:
    text = page(filled, "/safety")
    report = safety_report(subject_of(filled, YARD, TODAY, NOW, source="Store"))
    said = facts(report)
    (count,) = figures_of(filled, YARD, Unit(), ["S-ALM"], TODAY)
    assert (count.value, said["안전경보 건수"]) == (1.0, "1 건")
    assert card(text, "S-ALM").startswith("안전경보 건수 S-ALM 1 건")
    assert (said["평균 대응시간"], said["사슬 검증"]) == ("1.5 min", "이상 없음 (저장된 기록 사이)")
    assert "1.5 분" in card(text, "response")
    assert "확인 / 발생 1 / 1" in card(text, "response")
    assert said["마지막 해시"] in card(text, "chain")
    assert "이상 없음 검증 범위 1–12번, 12건" in card(text, "chain")
    (exposure,) = rows(text, "exposure")
    (reported,) = table(report, "노출 (TWA·STEL)")
    assert exposure[:8] == ["암모니아 감지기", "NH3", "38.50", "35", "105", "1", "5.00", "25"]
    assert [reported[at] for at in (4, 5, 6, 7, 2, 3)] == ["38.50", "35.00", "105", "1", "5.00", "25.00"]
    assert (exposure[9], reported[8]) == ("87.5 %", "87.50%"), "105 of 120 windows were told"
    (used,) = figures_of(filled, YARD, Unit(machine="T-101"), ["P-UTIL"], TODAY)
    assert (used.value, rows(text, "running")[0][1]) == (75.0, "75.00 %"), "90 of 120 minutes"
    assert rows(text, "calibration")[0][1:] == ["180일", "2026-03-01", "2026-08-28", "기한 지남", "C-7"]
    assert table(report, "감지기 교정 기한")[0][2:5] == ["2026-03-01", "2026-08-28", "기한 지남"]
    assert rows(text, "came")[0][4:] == ["26.50", "3.0", "1.5", "환기"]
    assert len(rows(text, "log")) == 12


@pytest.mark.parametrize(
    ("told", "page_says", "report_says"),
    [
        ("stel=0,stel_coverage=1,stel_of_limit=0", ["0.00", "35", "2", "0"], ["0.00", "35.00", "2", "0"]),
        ("stel=40,stel_coverage=1", ["40.00", "–", "2", "–"], ["40.00", "—", "2", "—"]),
        ("stel_coverage=0.5", ["미수집", "–", "0", "미수집"], ["미수집", "—", "0", "미수집"]),
    ],
)
def test_clean_air_has_a_limit_and_without_one_nothing_is_above(
    store: tuple[Store, Write], told: str, page_says: list[str], report_says: list[str]
) -> None:
    """0 ppm twice are two windows below 35 ppm; without a limit in force none is above or below."""
    reader, write = store
    series = f"exposure,{tags('GD-02', tag='nh3', substance='NH3')}"
    write("\n".join(f"{series} {told} {T0 + minute * MINUTE}" for minute in (60, 61)).encode())
    (exposure,) = rows(page(reader, "/safety"), "exposure")
    (reported,) = table(safety_report(subject_of(reader, YARD, TODAY, NOW, source="Store")), "노출 (TWA·STEL)")
    assert exposure[2:6] == page_says
    assert [reported[at] for at in (4, 5, 6, 7)] == report_says


def test_a_fault_word_is_as_long_as_its_readings_that_are_not_0(store: tuple[Store, Write]) -> None:
    """Six readings of a fault number 3, and six of -1, each for 10 s: two minutes, not six, and not one."""
    reader, write = store
    for code, since in ((3, 10), (-1, 20), (0, 30)):
        at_ns = (T0 + since * MINUTE + n * 10 * SECOND for n in range(6))
        write("\n".join(f"gas_detector,{tags('GD-02')} fault={code}i {at}" for at in at_ns).encode())
    found = {one.ref: one.fault_ns for one in watch_of(reader, YARD, [("GD-02", "nh3"), ("GD-05", "o2")], TODAY)}
    assert found == {("GD-02", "nh3"): 2 * MINUTE, ("GD-05", "o2"): None}


def test_a_detector_now(filled: Store) -> None:
    text = page(filled, "/safety")
    nh3 = card(text, "detector-GD-02-nh3")
    assert nh3.startswith("암모니아 감지기 정상 GD-02 · 암모니아 NH3 2.0 ppm 품질 양호 · 0초 전")
    assert "> 25 ppm 긴급 > 50 ppm" in nh3.replace("&gt;", ">")
    assert "15분 평균 (STEL) 7.0 / 35 ppm 20 %" in nh3
    assert "8시간 평균 (TWA) 5.0 / 25 ppm 20 % 감시 80 %" in nh3
    assert "노출기준 미설정" in card(text, "detector-GD-05-o2")
    assert rows(text, "limits")[0][:3] == ["암모니아 NH3", "25", "35 사업장 설정"]
    assert rows(text, "watch")[1][2:] == ["100.0 %", "0초", "정상"]
    equipment = text.split('<table class="equipment"', 1)[1].split("</table>", 1)[0]
    assert re.findall(r"v-(\w+)", equipment) == ["well", "no_limit"], "a tank that nobody watches is not well"


def test_unknown_is_never_green(filled: Store) -> None:
    """The agent is silent for a minute: nothing is known, whatever the last values were."""
    text = page(filled, "/safety", NOW + MINUTE)
    live = text.split('id="safety-summary"', 1)[1].split('class="charts"', 1)[0]
    assert "v-well" not in live
    assert live.count("v-unknown") == 3
    assert "응답 없음" in live
    assert "마지막으로 확인된 값: 10:00:00 (1분)" in card(text, "detector-GD-05-o2")


def test_a_detector_out_of_order_one_beyond_its_limit_and_an_altered_log(store: tuple[Store, Write]) -> None:
    reader, write = store
    last = {"GD-02/fault": "true", "GD-05/o2": "19.0", "KET-01/holding": "false", "KET-01/product_t": "17.0"}
    write("\n".join([*quiet(**last), *log(12, altered=5)]).encode())
    text = page(reader, "/safety", NOW + 5 * SECOND)
    assert "감지기 고장" in card(text, "detector-GD-02-nh3")
    assert "마지막 정상 신호: 09:59:50 (15초)" in card(text, "detector-GD-02-nh3")
    assert "기준 초과" in card(text, "detector-GD-05-o2"), "before the alarm has come"
    assert rows(text, "watch")[0][3] == "10초"
    assert "끊김 5번 기록이 바뀌었습니다." in card(text, "chain")
    assert rows(text, "log")[7][2] == "변조됨"
    assert "해당 없음" in card(page(reader, "/ccp", NOW + 5 * SECOND), "point-ccp_boil")


def test_critical_control_points(filled: Store) -> None:
    text = page(filled, "/ccp")
    report = ccp_report(subject_of(filled, YARD, TODAY, NOW, source="Store"))
    said = facts(report)
    assert (said["CCP 이탈 건수"], said["개선조치 미기록"], said["평균 대응시간"]) == ("1 건", "1 건", "1.0 min")
    assert card(text, "deviations").startswith("CCP 이탈 1 건")
    assert "개선조치 미기록 1 건" in card(text, "deviations")
    assert rows(text, "came")[0][4:] == ["94.10", "2.0", "1.0", "개선조치 미기록"]
    assert [row[1:8] for row in rows(text, "measured")] == [
        [one[1], one[2], one[4], *one[5:8], one[3]] for one in table(report, "일자별 측정값")
    ]
    point = card(text, "point-ccp_boil").replace("&lt;", "<")
    assert "< 95 ℃, 5 s" in point
    assert "정상" in point
    assert "현재 경보가 없습니다." in text, "what is suppressed calls nobody"


def test_nothing_was_collected(tmp_path: Path) -> None:
    with kept(tmp_path, f"agent,{tags('edge-1')} connections=1i {T0}") as reader:
        safety, ccp = page(reader, "/safety"), page(reader, "/ccp")
        assert "v-well" not in safety + ccp
        assert "미수집" in card(safety, "S-ALM")
        assert "미수집" in card(ccp, "deviations")
        for text in (safety, ccp):
            assert "발생 없음" not in card(text, "response"), "nobody watched"
            assert "확인 / 발생 미수집" in card(text, "response")
        bare = Catalog.of([{"company": COMPANY, "site": "B", "machines": {"M-1": {"class": "press"}}}])
        links = [
            re.findall(r'href="(/safety|/ccp)"', page(reader, "/level", catalog=of)) for of in (CATALOG, SHOP, bare)
        ]
        assert links == [["/safety", "/ccp"], ["/safety"], []], "it is in the menu of those whom it concerns"
        assert "안전 경보가 설정된 사업장이 없습니다" in page(reader, "/safety", catalog=bare)


def test_nothing_came_while_it_was_watched(store: tuple[Store, Write]) -> None:
    reader, write = store
    write("\n".join(quiet()).encode())
    for path in ("/safety", "/ccp"):
        said = card(page(reader, path), "response")
        assert "발생 없음" in said
        assert "확인 / 발생 0 / 0" in said


def test_english_has_no_korean(filled: Store) -> None:
    for path in ("/safety", "/ccp"):
        text = page(filled, path, lang="en")
        assert not re.search("[가-힣]", re.sub("한국어|한국금속|안전담당|환기|고시", "", text))


@pytest.mark.parametrize(("path", "live"), [("/safety", "detector-GD-02-nh3"), ("/ccp", "point-ccp_boil")])
def test_what_is_live_comes_without_the_rest(filled: Store, path: str, live: str) -> None:
    """Every ten seconds the page asks for that again: a month's log is not read for it."""
    text = page(filled, path, part="live")
    assert card(text, live) == card(page(filled, path), live)
    assert 'id="log"' not in text
    assert 'id="charts"' not in text
