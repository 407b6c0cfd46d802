"""`/cluster` and `/sharing`: what each sees, and what an ordering company finds that tries everything."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from pipelines.sinks.duckdb import DuckDbSink
from tests.set_clock import SetClock
from tests.viewer.cluster.members import (
    AGGREGATE,
    AGREED,
    CATALOG,
    CODES,
    CUSTOMER,
    KPI,
    LATER,
    NEVER,
    NONE,
    NOW,
    ORDERING,
    OVER,
    RAW,
    RIVAL,
    RIVALS,
    SECRETS,
    SUPPLIERS,
    TERMS,
    filled,
    logged_in,
    pages_of,
    quiet,
    written,
)
from tests.viewer.one_shop import HOUR, MINUTE, part, rows
from viewer import figure_text
from viewer.access.access import Access
from viewer.access.scope import ScopedStore
from viewer.cluster.agreements import Agreements
from viewer.cluster.figures import over, told
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.stores.base import Store
from viewer.stores.influx import InfluxStore
from viewer.words import Words

HEAD = 4
"""Columns before the figures: supplier, level, freshness, orders."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DuckDbSink, Store]]:
    sink, store = written(tmp_path_factory.mktemp("cluster"))
    yield sink, store
    asyncio.run(sink.close())


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def access(clock: SetClock) -> Access:
    return filled(clock)


@pytest.fixture
def app(opened: tuple[DuckDbSink, Store], access: Access, clock: SetClock) -> Starlette:
    return pages_of(opened[1], access, clock)


def seen_by(app: Starlette, name: str, path: str) -> str:
    answer = logged_in(app, name).get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def way(supplier: str, *further: str, ordering: str = ORDERING) -> str:
    return "/cluster/" + "/".join(quote(one, safe="") for one in (ordering, supplier, *further))


# ── what an ordering company sees ───────────────────────────────────────────────────────────────────────────────────


def test_suppliers_with_what_each_shares(app: Starlette) -> None:
    table = {row[0].removesuffix(" 공장"): row[1:] for row in rows(seen_by(app, "order", "/cluster"), "suppliers-1")}
    assert set(table) == {KPI, AGGREGATE, RAW, NONE, OVER, LATER, "클러스터 중앙값"}
    for hidden, word in ((NONE, "비공유"), (OVER, "만료"), (LATER, "시작 전")):
        assert table[hidden] == [word, *["비공유"] * (HEAD - 2 + len(CODES))], "not even how fresh it is"
    assert table[RAW][:3] == ["원시값", "정상 10초 전", "비공유"]
    assert table[RAW][HEAD:] == ["비공유"] * 3, "of a supplier that shares readings, figures that it did not choose"
    assert table[KPI][:3] == ["지표", "정상 10초 전", "납기 지남 1 진행 1 출하 2"]
    assert table[KPI][-1] == "50.00 % 수기 n=2", "its own orders: one on time, one late; not those of others"
    assert table["클러스터 중앙값"][-1] == "50.00 % n=2"


def test_figures_are_those_of_the_library(app: Starlette, opened: tuple[DuckDbSink, Store]) -> None:
    site = CATALOG.sites[KPI, "공장"]
    period = over(site.calendar, "days7", NOW)
    found = figures_of(ScopedStore(opened[1], frozenset({KPI})), site, Unit(), ["P-OEE", "Q-PDR"], period)
    text = seen_by(app, "order", way(KPI))
    for one in found:
        assert one.value is not None
        card = part(text, f'id="1-{one.code}"', "</article>")
        assert f" {figure_text.value(Words('ko'), one)} {one.unit.ko} " in card
        assert f"표본 ≥ {told(one, 'kpi').evidence.samples:,}" in card
        assert f"{one.evidence.samples:,}" not in card, "how many were made is not agreed on"
        assert f"수집률 {figure_text.cover(Words('ko'), one)}" in card
        assert figure_text.period(period) in card
        assert one.formula.ko in card


def test_orders_are_its_own_from_aggregates_on(app: Starlette) -> None:
    text = seen_by(app, "order", way(AGGREGATE))
    own = SECRETS[AGGREGATE]
    found = rows(text, "orders")
    assert [(row[0], row[4]) for row in found] == [
        (f"{own.order}W", "납기 지남"),
        (f"{own.order}L", "지연 출하"),
        (own.order, "출하"),
    ]
    assert found[0][1:4] == [own.product, "120", "2026-09-07 14:00 KST"]
    assert 'id="orders"' not in seen_by(app, "order", way(KPI)), "figures alone: how many, not which"
    assert 'id="1-orders"' in seen_by(app, "order", way(KPI))
    assert "orders" not in re.findall(r'id="([^"]+)"', seen_by(app, "order", way(RAW))), "it did not share D-OTD"


def test_a_period_is_never_one_that_grows(app: Starlette, clock: SetClock) -> None:
    browser = logged_in(app, "order")
    before = browser.get(way(KPI)).text
    for query in ("?period=today", "?period=custom&from=2026-09-08&to=2026-09-08", "?period=days7", "?from=1&to=9"):
        text = browser.get(way(KPI) + query).text
        assert part(text, 'id="1-P-OEE"', "</article>") == part(before, 'id="1-P-OEE"', "</article>"), query
    clock.at_ns += 20 * MINUTE
    assert part(browser.get(way(KPI)).text, 'id="1-P-OEE"', "</article>") == part(before, 'id="1-P-OEE"', "</article>")


def test_nothing_of_a_time_before_the_agreement(app: Starlette, access: Access, clock: SetClock) -> None:
    """From the Tuesday on: no production day of it is over, and of readings those since its midnight."""
    since = date(2026, 9, 8)
    Agreements(access.book, clock).put(RAW, ORDERING, replace(TERMS[RAW], since=since), "own", quiet)
    card = part(seen_by(app, "order", way(RAW)), 'id="1-P-OEE"', "</article>")
    assert "미수집 공유 시작일 이후 끝난 생산일 없음" in card
    assert "48.75" not in card


def test_how_fresh_data_was_before_the_agreement_is_not_told(app: Starlette, access: Access, clock: SetClock) -> None:
    clock.at_ns = NOW + 48 * HOUR
    since = date(2026, 9, 10)
    Agreements(access.book, clock).put(RAW, ORDERING, replace(TERMS[RAW], since=since), "own", quiet)
    table = {row[0].removesuffix(" 공장"): row[1:] for row in rows(seen_by(app, "order", "/cluster"), "suppliers-1")}
    assert table[RAW][1] == "미수집"
    assert "일 전" in table[KPI][1] or "시간 전" in table[KPI][1]


def test_what_a_store_says_when_it_fails_is_not_for_an_ordering_company(
    opened: tuple[DuckDbSink, Store], access: Access, clock: SetClock
) -> None:
    app = pages_of(InfluxStore("http://127.0.0.1:1", "shopfloor"), access, clock)
    for name, told_where in (("order", False), ("boss", True)):
        answer = logged_in(app, name).get(way(RAW, "공장", SECRETS[RAW].machine))
        assert answer.status_code == 503
        assert ("127.0.0.1:1" in answer.text) is told_where


@pytest.mark.parametrize("name", ["..", ".", "-", "...", "A/B", "a\\b", "/", "../fleet"])
def test_an_ordering_company_is_a_piece_of_an_address(app: Starlette, name: str) -> None:
    page = f"/sharing/{quote(KPI)}"
    said = {"ordering": name, "level": "kpi", "kpis": "P-OEE", "since": "2026-09-01", "agreed": "1"}
    assert logged_in(app, "own").send(page, page, **said).status_code == 400


def test_the_end_counts_from_the_next_click(app: Starlette, access: Access, clock: SetClock) -> None:
    browser, agreements = logged_in(app, "order"), Agreements(access.book, clock)
    machine = way(RAW, "공장", SECRETS[RAW].machine)
    assert browser.get(machine).status_code == 200
    agreements.put(RAW, ORDERING, replace(TERMS[RAW], until=date(2026, 9, 8)), "own", quiet)
    assert browser.get(machine).status_code == 200, "until the end of the last day"
    agreements.put(RAW, ORDERING, replace(TERMS[RAW], level="kpi"), "own", quiet)
    assert browser.get(machine).status_code == 404
    assert "48.75" in browser.get(way(RAW)).text
    agreements.put(RAW, ORDERING, TERMS[NONE], "own", quiet)
    assert "48.75" not in browser.get(way(RAW)).text
    assert "지금 공유하는 것이 없습니다" in browser.get(way(RAW)).text


def test_an_agreement_ends_with_its_last_day(opened: tuple[DuckDbSink, Store], access: Access, clock: SetClock) -> None:
    Agreements(access.book, clock).put(KPI, ORDERING, replace(TERMS[KPI], until=date(2026, 9, 8)), "own", quiet)
    app = pages_of(opened[1], access, clock)
    assert "48.75" in seen_by(app, "order", way(KPI))
    clock.at_ns = NOW + 14 * HOUR  # the midnight after
    text = seen_by(app, "order", way(KPI))
    assert "48.75" not in text
    assert "만료" in text


# ── attacks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def secrets_of(supplier: str, level: str) -> list[str]:
    """What must not be found of a supplier at a level; numbers as pages write them."""
    own = SECRETS[supplier]
    names = [own.lot, str(own.lot_number), f"{own.lot_number:,}"]
    readings = [own.machine, own.label, own.tag]
    return {
        "nothing": [supplier, *own.others, *names, *readings, own.order, own.product],
        "none": [*own.others, *names, *readings, own.order, own.product],
        "kpi": [*own.others, *names, *readings, own.order, own.product],
        "aggregate": [*own.others, *names],
        "raw": [*own.others, own.order, own.product],
    }[level]


def addresses(app: Starlette, supplier: str) -> list[str]:
    """Every route of the app about a supplier, its site and its machine; those that come later are tried too."""
    filled_in = {"company": supplier, "ordering": ORDERING, "site": "공장", "machine": SECRETS[supplier].machine}
    filled_in |= {"number": "1", "deed": "change", "kind": "kpi", "code": "P-OEE", "id": "1"}
    return [
        re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: quote(filled_in.get(match[1], "1"), safe=""), route.path)
        for route in app.routes
        if isinstance(route, Route)
    ]


LEVEL_OF = {
    KPI: "kpi", AGGREGATE: "aggregate", RAW: "raw", NONE: "none", OVER: "none", LATER: "none", RIVALS: "nothing",
    NEVER: "nothing",
}  # fmt: skip


@pytest.mark.parametrize("supplier", [KPI, AGGREGATE, RAW, NEVER])
def test_no_address_shows_more_than_the_level(app: Starlette, supplier: str) -> None:
    """All routes, with the address of this supplier, and everything that any of them shows of any other."""
    browser = logged_in(app, "order")
    own = SECRETS[supplier]
    unit = "/".join(quote(one, safe="") for one in (supplier, "공장", "-", own.machine))
    whole = "/".join(quote(one, safe="") for one in (supplier, "공장", "-", "-"))
    forbidden = {one: secrets_of(one, level) for one, level in LEVEL_OF.items()}
    for path in addresses(app, supplier):
        for query in (
            f"?unit={unit}&company={quote(supplier)}&month=2026-09&lang=en&kind=stop&part=live",
            f"?unit={whole}&period=custom&from=2026-09-01&to=2026-09-08&tag={own.tag}&ordering={quote(RIVAL)}",
        ):
            answer = browser.get(path + query)
            # What the address itself says comes back in the links to the other language, and in fields of filters.
            text = re.sub(r'<nav aria-label="language">.*?</nav>| value="[^"]*"', "", answer.text, flags=re.DOTALL)
            for one, words in forbidden.items():
                found = [word for word in words if word in html.unescape(text)]
                assert not found, (path + query, one, found)


def test_machines_of_others_by_the_address_of_one_that_is_shared(app: Starlette) -> None:
    browser = logged_in(app, "order")
    for supplier, machine in ((RAW, KPI), (AGGREGATE, RAW), (KPI, KPI), (NONE, NONE), (OVER, OVER), (LATER, LATER)):
        for site in ("공장", "-", "..", "%"):
            assert browser.get(way(supplier, site, SECRETS[machine].machine)).status_code == 404
    for ordering in (RIVAL, "", "-", "%25", f"{ORDERING} ", ORDERING.lower() + "'"):
        for supplier in SUPPLIERS:
            assert browser.get(way(supplier, ordering=ordering)).status_code == 404, (ordering, supplier)


@pytest.mark.parametrize("name", ["rival", "fake"])
def test_another_ordering_company_sees_nothing_of_it(app: Starlette, name: str) -> None:
    """Not one that other suppliers deal with, and not one that calls itself by the suppliers' own names."""
    browser = logged_in(app, name)
    text = browser.get("/cluster").text
    for supplier in SUPPLIERS:
        told = name == "rival" and supplier == RIVALS
        assert (supplier in text) == (told or (name == "fake" and supplier in {KPI, AGGREGATE, RAW}))
        assert browser.get(way(supplier)).status_code == 404
        assert browser.get(way(supplier, ordering=RIVAL)).status_code == (200 if told else 404)
    assert "48.75" not in text or name == "rival"


def test_an_ordering_company_changes_no_agreement(app: Starlette, access: Access) -> None:
    browser = logged_in(app, "order")
    before = access.book.read("SELECT count(*) AS n FROM share_agreements")[0]["n"]
    more = {"ordering": ORDERING, "level": "raw", "agreed": "1", "consent_by": "x", "consent_on": "2026-09-01"}
    for path in (f"/sharing/{quote(KPI)}", f"/sharing/{quote(KPI)}/withdraw", f"/sharing/{quote(NEVER)}"):
        assert browser.get(path).status_code in {403, 405}
        assert browser.send("/password", path, **more).status_code == 403
    assert access.book.read("SELECT count(*) AS n FROM share_agreements")[0]["n"] == before


@pytest.mark.parametrize(
    ("name", "status"), [("maker", 403), ("coord", 403), ("reader", 403), ("other", 404), ("own", 303), ("boss", 400)]
)
def test_only_its_own_user_and_a_manager_change_what_is_shared(app: Starlette, name: str, status: int) -> None:
    """A manager's own tick is no consent: it says who of the supplier agreed."""
    fields = {"ordering": ORDERING, "level": "raw", "agreed": "1", "since": "2026-09-01"}
    answer = logged_in(app, name).send("/password", f"/sharing/{quote(KPI)}", **fields)
    assert answer.status_code == status


# ── the supplier's own page ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("supplier", [KPI, RAW, NONE, OVER])
def test_a_preview_is_what_the_ordering_company_sees(app: Starlette, supplier: str) -> None:
    boss, order = logged_in(app, "boss"), logged_in(app, "order")
    for path in (way(supplier), way(supplier) + "?lang=en&period=yesterday"):
        texts = [browser.get(path).text for browser in (boss, order)]
        heads = [one.split("</header>", 1)[0] for one in texts]
        assert ["/fleet" in one for one in heads] == [False, False], "the menu of who looks is not theirs"
        assert ["preview" in one for one in heads] == [True, False]
        preview, real = (one.split("<main>", 1)[1] for one in texts)
        notice, _, rest = preview.partition("</p>")
        assert ORDERING in notice
        assert rest.split() == real.split()


def test_a_supplier_agrees_changes_and_withdraws(app: Starlette, access: Access) -> None:
    own, order = logged_in(app, "own"), logged_in(app, "order")
    page = f"/sharing/{quote(KPI)}"
    assert own.get("/sharing").headers["location"] == page
    row = rows(own.get(page).text, "agreements")[0]
    assert row[0].startswith(f"{ORDERING} 우리가 쓰는 거래처명: {CUSTOMER}")
    assert row[1:5] == ["지표", "설비종합효율, 제조리드타임, 공정불량률, 납기준수율", "2026-09-01 ~ 철회까지",
                        "대표이사 · 2026-09-01"]  # fmt: skip
    said = {"ordering": ORDERING, "level": "aggregate", "kpis": "P-OEE", "since": "2026-09-01"}
    answer = own.send(page, page, **said)
    assert answer.status_code == 400
    assert "공유를 넓히려면 협력사의 동의가 필요합니다" in answer.text
    assert own.send(page, page, agreed="1", **said).headers["location"].endswith("?done=share_saved")
    assert SECRETS[KPI].label in order.get(way(KPI)).text
    deed = access.audit.newest(1)[0]
    assert (deed.who, deed.action, deed.target) == ("own", "share", f"{KPI} → {ORDERING}")
    assert "level: kpi → aggregate" in deed.detail
    assert own.send(page, page + "/withdraw", ordering=ORDERING).status_code == 303
    assert SECRETS[KPI].label not in order.get(way(KPI)).text
    assert own.send(page, page + "/withdraw", ordering=RIVAL).status_code == 404
    assert [row[2:4] for row in rows(own.get(page).text, "history")] == [["3", "비공유"], ["2", "집계"], ["1", "지표"]]
    assert access.audit.broken() is None


def test_a_manager_writes_down_a_consent_on_paper(app: Starlette) -> None:
    boss, page = logged_in(app, "boss"), f"/sharing/{quote(NEVER)}"
    said = {"ordering": ORDERING, "level": "kpi", "kpis": "P-OEE", "since": "2026-09-01"}
    assert boss.send(page, page, **said).status_code == 400
    paper = {"consent_by": "대표이사", "consent_on": "2026-09-07", "basis": "동의서 3호"}
    assert boss.send(page, page, **said, **paper).status_code == 303
    assert "대표이사 · 2026-09-07 동의서 3호" in rows(boss.get(page).text, "agreements")[0]
    assert "48.75 %" in " ".join(rows(seen_by(app, "order", "/cluster"), "suppliers-1")[0])


# ── comparison ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_shared_counts_only_among_five(app: Starlette, access: Access, clock: SetClock) -> None:
    agreements = Agreements(access.book, clock)
    counted = replace(TERMS[RAW], level="none", kpis=(), compared=True)
    hidden = (NONE, OVER, LATER, NEVER)
    for supplier in hidden:
        agreements.put(supplier, ORDERING, counted, "own", quiet)
    text = seen_by(app, "order", "/cluster")
    assert "비공유 4곳" not in text
    assert part(text, "클러스터 중앙값</th>", "</tr>").startswith("48.75 % n=3")
    agreements.put(RIVALS, ORDERING, counted, "own", quiet)
    text = seen_by(app, "order", "/cluster")
    assert "48.75 % n=8 · 비공유 5곳 포함" in part(text, "클러스터 중앙값</th>", "</tr>")
    assert "UTIL" in text, "a figure that nobody shares has a median of five"
    table = {row[0]: row[1:] for row in rows(text, "suppliers-1")}
    assert {" ".join(table[one]) for one in (*hidden, RIVALS)} == {" ".join(["비공유"] * len(table[NONE]))}


def test_the_programme_compares_clusters(app: Starlette) -> None:
    text = seen_by(app, "boss", "/cluster")
    row = rows(text, "clusters")[0]
    assert row[:4] == ["자동차부품", f"{RIVAL}, {ORDERING}", str(len(SUPPLIERS)), "4"]
    assert row[4:] == ["48.75 % n=8", "2.00 h n=8", "2.30 % n=8", "비공개", "66.67 % n=8"]
    members = {row[0]: row[1:] for row in rows(text, "members")}
    assert set(members) == {f"{one} 공장" for one in SUPPLIERS}
    assert members[f"{KPI} 공장"][0] == f"{ORDERING} 지표"
    few = seen_by(app, "coord", "/cluster")
    assert [row[0] for row in rows(few, "members")] == [f"{RAW} 공장", f"{KPI} 공장"], "of its own companies"
    assert rows(few, "clusters")[0][4:] == ["비공개"] * 5, "two are fewer than five"


def test_a_page_of_many_computes_some_and_says_so(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of medians that grow by one company two would tell its value: there is none until all are computed."""
    from viewer.cluster import kept  # noqa: PLC0415 - only here

    monkeypatch.setattr(kept.Allowance.__init__, "__defaults__", (2,))
    order = logged_in(app, "order")
    first = order.get("/cluster").text
    assert "계산 중" in part(first, "클러스터 중앙값</th>", "</tr>")
    assert 'data-refresh="5"' in first
    assert first.count("48.75") == 2
    second = order.get("/cluster").text
    assert "계산 중" not in second
    assert 'data-refresh="0"' in second


def test_where_nobody_logs_in_agreements_cannot_be_written(opened: tuple[DuckDbSink, Store], clock: SetClock) -> None:
    from tests.viewer.browser import Browser  # noqa: PLC0415
    from viewer.access.access import embedded  # noqa: PLC0415

    app = pages_of(opened[1], embedded(clock), clock)
    assert Browser(app).get("/sharing").status_code == 403
    assert Browser(app).get("/cluster").status_code == 200


def test_english_has_no_korean_but_names(app: Starlette, access: Access) -> None:
    names = "|".join(
        (
            *SUPPLIERS,
            ORDERING,
            RIVAL,
            "자동차부품",
            "공장",
            "대표이사",
            re.escape(CUSTOMER),
            "비밀설비",
            "비밀 이름",
            "한국어",
        )
    )
    for user, path in (
        ("order", "/cluster"), ("order", way(KPI)), ("order", way(AGGREGATE)), ("boss", "/cluster"),
        ("order", way(RAW, "공장", SECRETS[RAW].machine)), ("own", f"/sharing/{quote(KPI)}"), ("boss", "/sharing"),
    ):  # fmt: skip
        text = re.sub(r"설비종합효율", "", seen_by(app, user, path + "?lang=en"))
        assert not re.search("[가-힣]", re.sub(names, "", text)), path
    assert AGREED["consent_by"] == "대표이사"
