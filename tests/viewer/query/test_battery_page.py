"""From stored readings and records of battery tests to `/battery` and the page of a pack, the same of both stores."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import yaml
from starlette.applications import Starlette

from pipelines.derive.battery.grading import HOLD, RULE, load
from pipelines.derive.battery.steps import Sample
from pipelines.sinks.duckdb import DuckDbSink
from tests.viewer import one_shop, packs
from tests.viewer.conftest import Write
from tests.viewer.one_shop import part, rows
from tests.viewer.packs import COMPANY, HEALTH, HOUR, NOW, SITE, T0, ask
from tests.viewer.reports.shift import TEST, subject
from tests.viewer.reports.test_report_records import facts
from viewer.battery.anew import verdict
from viewer.battery.curve import unknown
from viewer.battery.figures import FIGURES
from viewer.battery.summary import summary
from viewer.catalog import Catalog
from viewer.query.batteries import known_time, records_of, records_of_pack
from viewer.query.battery_curve import made_anew
from viewer.reports.kinds import battery_report
from viewer.routes import battery_pack
from viewer.stores.base import Store
from viewer.stores.duckdb import DuckDbStore

pytestmark = pytest.mark.wire

CYCLER = SITE.machines["CYC-01"]
EVER = (0, NOW + HOUR)
PACK = f"/battery/{quote(COMPANY)}/B/pack"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The packs in an embedded store."""
    sink = DuckDbSink(tmp_path_factory.mktemp("packs") / "site.duckdb")
    asyncio.run(sink.write(COMPANY, packs.stored()))
    yield DuckDbStore(sink.cursor)
    asyncio.run(sink.close())


@pytest.fixture(scope="module")
def app(kept: Store) -> Starlette:
    """The pages over them."""
    return packs.app_of(kept)


def test_grades_of_a_period_are_those_of_its_records(app: Starlette, kept: Store) -> None:
    """Two tests of one pack, 81.0 % both times: A, and 보류 by its ΔV of 85 mV; a third lost five minutes: 보류."""
    text = ask(app, "/battery").text
    made = summary(records_of(kept, CYCLER, EVER), {"CYC-01": load()})
    assert (made.whole.counts, made.packs, made.repeated) == ({"A": 1, HOLD: 2}, 2, 1)
    assert part(text, 'id="tests"', "</article>").startswith("시험 3 건 팩 2개")
    assert part(text, 'id="yield"', "</article>").startswith("재사용 가능률 33.3 % 1 / 3")
    assert part(text, 'id="held"', "</article>").startswith("보류율 66.7 % 2 / 3")
    assert part(text, 'id="soh"', "</article>").startswith("SoH 중앙값 81.0 %")
    assert part(text, 'id="spread"', "</article>").startswith("재검 편차 0.0 %p ±3 %p 이내")
    known, whole = known_time(kept, CYCLER, EVER)
    assert f"수집률 {100 * known / whole:.1f} %" in part(text, 'id="tests"', "</article>")
    assert rows(text, "models")[0] == ["전체", "1 33.3 %", "0", "0", "0", "2 66.7 %", "3", "33.3 %"]
    newest, *_, oldest = rows(text, "tests-of-packs")
    assert newest[:5] == ["PK-1", "보류", "81.0%", "1.50", "85"]
    assert "85 mV &gt; 50" in newest[6]
    assert oldest[0] in {"PK-1", "PK-3"}
    bars = text.split('id="histogram"', 1)[1].split("</figure>", 1)[0]
    assert "<title>80-85 % A 1</title>" in bars
    assert bars.count('class="limit"') == 3


@pytest.mark.parametrize(
    ("query", "count"), [({"grade": "A"}, 1), ({"grade": HOLD}, 2), ({"pack": "pk-3"}, 1), ({"pack": "none"}, 0)]
)
def test_filters(app: Starlette, query: dict[str, str], count: int) -> None:
    text = ask(app, "/battery", **query).text
    found = rows(text, "tests-of-packs") if count else []
    assert (len(found), "조건에 맞는 시험이 없습니다" in text) == (count, not count)


def test_tests_in_progress(app: Starlette) -> None:
    """Charged for two hours of three, then rest for ten minutes: discharging for 50 minutes."""
    found = {row[0]: row for row in rows(ask(app, "/battery").text, "channels")}
    assert found["ch2"][1:4] == ["방전", "PK-2", "3"]
    assert found["ch2"][4:9] == ["3.670 V", "-20.00 A", "25.00", "3시간", "50분"]
    assert found["ch1"][1] == "종료"
    assert found["ch1"][7:9] == ["–", "–"]


def test_a_period_without_tests_is_no_data(app: Starlette) -> None:
    text = ask(app, "/battery", period="custom", **{"from": "2026-01-05", "to": "2026-01-06"}).text
    for name in ("tests", "yield", "held", "soh", "duration", "spread"):
        assert "미수집" in part(text, f'id="{name}"', "</article>")
    assert "이 기간에 시작된 시험이 없습니다" in text


def test_the_page_of_a_pack_makes_its_test_anew_and_keeps_the_record(app: Starlette, kept: Store) -> None:
    first = records_of_pack(kept, [CYCLER], "PK-1")[0]
    text = ask(app, PACK, id="PK-1", test=first.key).text
    assert [row[1] for row in rows(text, "history")] == ["보류", "A"]
    assert part(text, 'id="recorded"', "</article>").startswith("기록된 등급 A 2026-1 · 기준 미확인")
    assert "재현됨" in part(text, 'id="anew"', "</article>")
    figures = rows(text, "figures")
    assert figures[2][:4] == ["SoH (용량)", "81.0%", "81.0%", "같음"]
    assert {row[3] for row in figures} == {"같음"}
    assert [row[0] for row in rows(text, "steps")] == ["충전", "휴지", "방전", "휴지", "펄스", "휴지"]
    assert rows(text, "steps")[2][4] == "48.60"
    assert text.count('class="plot"') == 4
    month = re.search(r'/reports/battery\.pdf\?([^"]+)"', text)
    assert month is not None
    assert parse_qs(html.unescape(month[1]))["month"] == ["2026-09"]
    passport = {row[0]: row[1] for row in rows(text, "passport")}
    assert (passport["고유 식별자"], passport["잔존 용량"], passport["시험 횟수"]) == ("PK-1", "48.60 Ah", "2 건")
    assert (passport["모델"], passport["제조사"], passport["외관 양호"]) == ("미수집", "A사", "예")


def test_the_report_has_the_same_figures(app: Starlette, kept: Store) -> None:
    test = records_of_pack(kept, [CYCLER], "PK-1")[0]
    said = facts(battery_report(replace(subject(), batteries=(test,))))
    page = {row[0]: row[1] for row in rows(ask(app, PACK, id="PK-1", test=test.key).text, "figures")}
    assert page == {kind.name.ko: said[kind.name.ko] for kind in FIGURES}
    assert page["SoH (용량)"] == f"{HEALTH:.1f}%"


def test_another_rule_of_today_stands_beside_the_record(kept: Store, tmp_path: Path) -> None:
    said = yaml.safe_load(RULE.read_text(encoding="utf-8"))
    said["version"], said["gates"]["delta_mv_max"] = "2027-1", 20
    file = tmp_path / "rule.yaml"
    file.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    other = packs.app_of(kept, Catalog.of([packs.site(rule_file=str(file))]))
    key = records_of_pack(kept, [CYCLER], "PK-1")[0].key
    text = ask(other, PACK, id="PK-1", test=key).text
    assert part(text, 'id="recorded"', "</article>").startswith("기록된 등급 A 2026-1")
    anew = part(text, 'id="anew"', "</article>")
    assert anew.startswith("지금 기준 등급 보류 2027-1 · 기준 미확인 셀 전압차 30 mV")
    assert "기준 버전이 다름" in anew
    file.write_text("no rule", encoding="utf-8")
    assert "등급 기준 파일을 읽을 수 없어" in ask(other, PACK, id="PK-1", test=key).text
    assert "재사용 가능률 미수집" in part(ask(other, "/battery").text, 'id="yield"', "</article>")


def test_a_curve_is_made_anew_of_both_stores(store: tuple[Store, Write]) -> None:
    """Also behind a lost link, after which the store says of a lot number only that nothing is known of it."""
    reader, write = store
    write(packs.stored())
    tests = records_of(reader, CYCLER, EVER)
    assert len(tests) == 3
    for test in tests:
        anew = made_anew(reader, SITE, test, load())
        assert anew is not None
        assert anew.record is not None
        assert verdict(test, anew.record) == "same"
        assert (anew.record.start_ns, anew.record.pack) == (test.span[0], test.pack)
        assert anew.record.figures.unknown_s == test.unknown_s
    assert max(test.unknown_s or 0 for test in tests) > 200


def test_nothing_of_others_and_nothing_unknown(app: Starlette, kept: Store) -> None:
    assert ask(app, PACK, id="PK-9").status_code == 404
    assert ask(app, PACK, test="CYC-01/ch1/12x").status_code == 404
    assert ask(app, f"/battery/{quote('다른기업')}/B/pack", id="PK-1").status_code == 404
    assert 'href="/battery"' not in one_shop.page(kept, "/alarms", NOW)
    text = ask(app, "/battery").text
    assert 'href="/battery"' in text
    one = re.search(rf'href="({re.escape(PACK)}[^"]*)"', text)
    assert one is not None
    link = urlsplit(html.unescape(one[1]))
    assert ask(app, link.path, **{key: value[0] for key, value in parse_qs(link.query).items()}).status_code == 200


def test_english(app: Starlette) -> None:
    text = ask(app, "/battery", lang="en").text
    assert "Yield for reuse" in text
    assert "On hold" in rows(text, "tests-of-packs")[0]


def test_grades_that_no_rule_knows_leave_the_yield_unknown() -> None:
    tests = [TEST, replace(TEST, grade="S", name="CYC-01"), replace(TEST, grade="A", name="CYC-01", model="B")]
    made = summary(tests, {"CYC-01": load()})
    assert made.grades == ("A", "B", "C", "D", "S", HOLD)
    assert made.whole.reused is None
    assert [(one.model, one.total, one.reused) for one in made.models] == [("NCM-60", 2, None), ("B", 1, 1)]
    assert sum(made.whole.share(one) for one in made.grades) == pytest.approx(100)


def test_time_that_is_not_known_is_shaded() -> None:
    second = 10**9

    def sample(at_s: int) -> Sample:
        return Sample(T0 + at_s * second, 3.7, 0.0, None)

    samples = [sample(0), sample(10), sample(60), None, sample(65), sample(70)]
    found = [((low - T0) // second, (high - T0) // second) for low, high in unknown(samples, (T0, T0 + 200 * second))]
    assert found == [(10, 60), (60, 65), (70, 200)]


def test_who_waits_too_long_for_a_curve_is_told_and_holds_no_thread(
    app: Starlette, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(battery_pack, "_WAIT_S", 0.0)
    test = records_of_pack(kept, [CYCLER], "PK-1")[0]
    with battery_pack._ONE, battery_pack._ONE:  # two others have theirs made
        assert "다른 곡선을 다시 판정하는 중입니다" in ask(app, PACK, id="PK-1", test=test.key).text
    assert "다른 곡선을" not in ask(app, PACK, id="PK-1", test=test.key).text
