"""From records of cycles to `/cycles` and `/spc`, the same of both stores; figures are those of `viewer.kpi`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.viewer import one_shop
from tests.viewer.conftest import Write
from tests.viewer.one_shop import COMPANY, HOUR, MINUTE, SECOND, T0, part, rows, tags
from viewer.catalog import Catalog
from viewer.entries.model import Entry, fresh_id
from viewer.entries.written import Written, lines_of
from viewer.figure_text import value as value_of
from viewer.kpi.capability import capability
from viewer.kpi.control import control, limits_of, points_of
from viewer.kpi.result import Evidence
from viewer.query.charted import characteristics, charted, first_of_each, held, taken
from viewer.query.cycles import columns_of, cycle_page
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.stores.base import Points, Store
from viewer.words import Words, number_text

pytestmark = pytest.mark.wire

SITE: dict[str, Any] = {
    "company": COMPANY,
    "site": "A",
    "line": "L1",
    "calendar": {"day_start": "08:00", "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}]},
    "machines": {
        "PRS-01": {
            "class": "press",
            "label": {"ko": "프레스 1호기", "en": "Press 1"},
            "state": {"tag": "state"},
            "cycle": {"at": "shots", "values": ["ton", "mark"], "quality": {"value": "ton", "low": 90, "high": 104}},
            "energy": {"kw": "kw", "lot": "lot_id", "product": "product"},
        },
        "CNC-01": {"class": "cnc"},
    },
    "connections": [
        {
            "name": "one",
            "period_s": 10,
            "machine": "PRS-01",
            "tags": [
                {"name": "ton", "label": {"ko": "하중", "en": "Load"}, "engineering_unit": "t", "scale": 0.1},
                {"name": "lot_id"},
                {"name": "oil", "label": {"ko": "유온", "en": "Oil"}, "mode": "subscribe"},
            ],
        }
    ],
}
CATALOG = Catalog.of([SITE])
A = CATALOG.sites[COMPANY, "A"]
PRESS = A.machines["PRS-01"]
UNIT = Unit("L1", "PRS-01")
NOW = T0 + 26 * HOUR
"""10:00 of the day after: the baseline is yesterday, today is what is watched."""
BASE = [100.0 + (1, -1, 0.5, -0.5, 0, 1.5, -1.5)[n % 7] for n in range(40)]
TODAY = [*BASE[:20], 108.0, *BASE[:5], *(100.7 + 0.01 * (n % 2) for n in range(9))]
TODAY_NS = T0 + 24 * HOUR
CYCLES, SPC = (f"/{page}/{COMPANY}/A/PRS-01" for page in ("cycles", "spc"))
DAYS = {"period": "today", "base": "custom", "base_from": "2026-09-07", "base_to": "2026-09-07"}


def cycles(start_ns: int, values: list[float], first: int) -> Iterator[str]:
    """A record a minute; the fourth one lacks its value, and the tenth one is of three cycles."""
    for n, value in enumerate(values):
        ton = "" if n == 3 else f"ton={value},"
        mark = ',mark_text="=OK"' if n == 1 else ""
        yield (
            f"cycle,{tags('PRS-01')} {ton}number={first + n}i,counts={3 if n == 9 else 1}i,duration_s={60.0 + n % 2}"
            f"{mark} {start_ns + (n + 1) * MINUTE}"
        )


def lines() -> Iterator[str]:
    """Two days of cycles, the lot of the second one for half of it, and an oil temperature that is told on change."""
    yield from cycles(T0, BASE, 1)
    yield from cycles(TODAY_NS, TODAY, 1001)
    yield from (f"press,{tags('PRS-01')} lot_id=4711i {TODAY_NS + n * 10 * SECOND}" for n in range(60))
    yield from (f"press,{tags('PRS-01')} oil={40 + n}.5 {TODAY_NS + n * 7 * MINUTE}" for n in range(10))
    yield from one_shop.beats(TODAY_NS, NOW)
    run = f'code=1i,reason="1",since={TODAY_NS}i'
    yield from (f"state,{tags('PRS-01')} {run} {TODAY_NS + n * MINUTE}" for n in range(60))


def by_hand() -> bytes:
    """A lot that somebody entered: from the 30th minute of today on."""
    said = {"id": fresh_id(), "kind": "lot", "lot": "L-88", "product": "P-9", "author": "반장", "machine": "PRS-01"}
    entry = Entry.model_validate({**said, "start": "2026-09-08 08:30"})
    return bytes(lines_of(Written(entry, COMPANY, "A", NOW - HOUR, NOW - HOUR, "web")).body)


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    write(by_hand())
    return reader


def page(store: Store, path: str, **query: str) -> str:
    return one_shop.page(store, path, NOW, CATALOG, **query)


def numbers(values: list[float]) -> np.ndarray:
    """As the store has them: the fourth one is missing."""
    return np.array([np.nan if n == 3 else value for n, value in enumerate(values)])


def test_cycles_are_shown_newest_first_with_lot_and_verdict(filled: Store) -> None:
    text = page(filled, CYCLES)
    found = rows(text, "cycles")
    assert len(found) == 35
    assert found[0] == ["08:35:00", "1035", "60.00", "규격 내", "100.7", "L-88 수기", "P-9 수기", "미수집"]
    assert found[14][3:6] == ["상한 초과", "108.0", "미수집"]
    assert (found[25][1], found[34 - 3][3:5]) == ("1010 3사이클 묶음", ["미수집", "미수집"])
    assert [row[5] for row in found[::-1]][:12] == [*["4711"] * 10, "미수집", "미수집"], "unheard for longer"
    assert found[33][7] == "=OK"
    assert "90 – 104 t" in text
    assert part(text, 'data-code="P-CT"', "</article>").startswith("사이클타임 P-CT 60.51 s")
    english = page(filled, CYCLES, lang="en")
    assert not re.search("[가-힣]", re.sub("한국어|한국금속|반장", "", english.split("<main>")[1]))


def test_pages_of_cycles_have_each_of_them_once(filled: Store) -> None:
    columns, period = columns_of(filled, A, PRESS), (T0, NOW)
    seen: list[int] = []
    found = cycle_page(filled, PRESS, columns, period, 20)
    assert found.newer_ns is None
    while True:
        seen += [one.number or 0 for one in found.cycles]
        if found.older_ns is None:
            break
        before = found
        found = cycle_page(filled, PRESS, columns, period, 20, before_ns=found.older_ns)
        back = cycle_page(filled, PRESS, columns, period, 20, after_ns=found.newer_ns)
        assert back.cycles == before.cycles
    assert seen == [*range(1035, 1000, -1), *range(40, 0, -1)]
    assert cycle_page(filled, PRESS, columns, (0, T0), 20).cycles == ()


def test_a_file_has_what_is_stored_and_no_formula(filled: Store) -> None:
    text = page(filled, CYCLES.replace("/cycles/", "/cycles.csv/"), period="today")
    head, *found = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert head[4:] == ["로트", "품번", "하중 (ton) [t]", "mark_text", "규격 판정"]
    assert len(found) == 35
    assert found[0][:4] == ["2026-09-08T08:01:00.000+09:00", "1001", "1", "60.0"]
    assert found[1][6:] == [str(TODAY[1]), "'=OK", "규격 내"]


def test_a_chart_with_a_frozen_baseline_is_the_librarys(filled: Store) -> None:
    """The limits are those of yesterday; 108 is beyond them (test 1), nine values lie above the centre (test 2)."""
    limits = limits_of(numbers(BASE), "imr", 5)
    assert limits is not None
    today = numbers(TODAY)
    found = control(points_of(np.arange(35, dtype=np.int64), today, "imr", 5), limits)
    text = page(filled, SPC, **DAYS)
    shown = [cell.replace(",", "") for cell in rows(text, "limits")[0][1:5]]
    place = limits.place
    assert shown == [number_text(one, 2) for one in (place.lower, place.center, place.upper)] + ["39"]
    counts = {int(row[0].split()[0]): row[1] for row in rows(text, "tests")[:8]}
    assert counts == {n: str(marks.sum()) if marks.any() else "없음" for n, marks in found.tests.items()}
    assert counts[1] == "1"
    assert counts[2] == "1"
    assert part(text, 'id="out"', "</span>") == f"이탈 {found.marked.sum()}점 / 35점"
    marks = {row[0]: row[2] for row in rows(text, "marks")}
    assert marks["09-08 08:21:00"].startswith("규칙 1: 1점이 3σ 밖 범위가 관리한계 밖")
    assert "규칙 2: 9점이 연속 중심선 한쪽" in marks["09-08 08:35:00"]
    assert "이 기간의 값으로 고정한 한계" in text
    assert text.count('class="spc-out"') == sum(int(bool(one.tests)) + int(one.spread) for one in found.marks())
    assert len(rows(text, "points")) == 35


@pytest.mark.parametrize(("kind", "values"), [("imr", numbers(TODAY)), ("xbar", numbers(TODAY).reshape(7, 5))])
def test_capability_is_the_librarys(filled: Store, kind: str, values: np.ndarray) -> None:
    """Of single values that of the page of key figures; 34 of 37 cycles have a value, half of the state is known."""
    (figure,) = figures_of(filled, A, UNIT, ["Q-CPK"], (TODAY_NS, NOW))
    expected = capability(values, 90, 104, Evidence(period=(TODAY_NS, NOW), samples=0)).cpk
    card = part(page(filled, SPC, kind=kind), 'data-code="Q-CPK"', "</article>")
    assert card.startswith(f"공정능력지수 Cpk Q-CPK {value_of(Words('ko'), expected)} ")
    assert "참고치" in card
    assert f"수집률 {figure.evidence.cover:.1f} %" in card
    assert "값이 없는 사이클 3 건" in card
    assert (figure.value == expected.value) == (kind == "imr")
    assert [one.value for one in figure.evidence.left_out] == [3]


def test_a_chart_without_values_says_so(filled: Store) -> None:
    text = page(filled, SPC, period="custom", **{"from": "2026-09-01", "to": "2026-09-02"})
    assert "미수집: 기준 기간에 값이 모자라" in text
    assert 'svg viewBox="0 0 960' not in text
    assert "미수집" in part(text, 'data-code="Q-CPK"', "</article>")
    assert "숫자 값이 없습니다" in page(filled, SPC.replace("PRS", "CNC"))
    assert "기준 시작일과 종료일을 확인하십시오" in page(filled, SPC, **(DAYS | {"base_to": "2026-09-01"}))
    assert "8일까지" in page(
        filled, SPC, value="tag:oil", period="custom", **{"from": "2026-08-20", "to": "2026-09-08"}
    )
    english = page(filled, SPC, lang="en", **DAYS)
    assert "six points in a row" in english
    assert not re.search("[가-힣]", re.sub("한국어|한국금속", "", english.split("<main>")[1]))


def test_a_tag_that_is_told_on_change_is_what_held(filled: Store) -> None:
    """Of 09:00 on a minute, 40.5 for seven minutes and so on; before the first one nothing is known."""
    oil = next(one for one in characteristics(filled, A, PRESS) if one.key == "tag:oil")
    found = charted(filled, A, PRESS, oil, (TODAY_NS - 5 * MINUTE, TODAY_NS + 15 * MINUTE), 60)
    assert np.isnan(found.value[:5]).all()
    assert found.value[5:].tolist() == [*[40.5] * 7, *[41.5] * 7, 42.5]
    assert "유온" in page(filled, SPC, value="tag:oil", kind="xbar", size="4", interval="300")


def test_cycles_that_are_taken_now_and_then(filled: Store) -> None:
    """The first two of each interval of 10, where there are two; of 35 a minute apart from 08:01 on eight."""
    times = np.array([0, 1, 2, 10, 20, 21])
    assert taken(times, 0, 10, 2).tolist() == [0, 1, 4, 5]
    assert taken(times, 0, 10, 1).tolist() == [0, 3, 4]
    assert taken(times, 0, 0, 2).tolist() == [*range(6)]
    own = limits_of(numbers(TODAY)[:25], "imr", 5)
    assert own is not None
    assert rows(page(filled, SPC, base="first"), "limits")[0][2:5] == [
        number_text(own.place.center, 2),
        number_text(own.place.upper, 2),
        "24",
    ]
    known = "<dt>수집률</dt><dd>"
    assert f"{known}100.0 %" in page(filled, SPC, base="first"), "states of the 25 minutes that limits are from"
    assert f"{known}100.0 %" not in page(filled, SPC), "of the two hours, an hour is known"
    text = page(filled, SPC, interval="300")
    assert "8점 중 1–8번째" in text
    assert "그 사이의 27개는 그리지 않았습니다" in text
    assert "기준 기간의 점이 8개입니다" in text


def test_first_reading_of_each_interval() -> None:
    """Readings at 0, 3, 10, 31 s in intervals of 10: the one at 3 is left out, and of 20 one is missing."""
    points = Points(np.array([0, 3, 10, 31]), np.array([1.0, 2, 3, 4]))
    time_ns, value = first_of_each(points, (0, 40), 10)
    assert time_ns.tolist() == [0, 10, 20, 31]
    assert np.array_equal(value, [1, 3, np.nan, 4], equal_nan=True)
    nothing = Points(np.empty(0, dtype=np.int64), np.empty(0))
    assert len(first_of_each(nothing, (0, 40), 10)[0]) == 0
    assert np.isnan(held(nothing, nothing, (0, 40), 10)[1]).all()


def test_a_machine_page_moves_in_time_without_scripts(filled: Store) -> None:
    machine = SPC.replace("/spc/", "/machine/")
    text = page(filled, machine)
    assert 'class="periods zoom"' in text
    links = dict(re.findall(r'href="\?(from=\d+&amp;to=\d+)" rel="nofollow">([^<]+)<', text))
    assert list(links.values()) == ["← 이전", "＋ 확대", "－ 축소"], "there is nothing later than now"
    earlier = next(iter(links)).replace("&amp;", "&")
    start, end = map(int, re.findall(r"\d+", earlier))
    assert (start, end) == ((NOW - 15 * MINUTE) // 10**6, (NOW - 5 * MINUTE) // 10**6)
    moved = page(filled, machine, **dict(pair.split("=") for pair in earlier.split("&")))
    assert "이후 →" in moved
    assert f'href="/spc/{COMPANY}' in moved or "/spc/%" in moved
    assert "지난 1시간 동안 끝난 사이클이 없습니다" in moved
    now = one_shop.page(filled, machine, TODAY_NS + 36 * MINUTE, CATALOG)
    recent = part(now, 'id="recent-cycles"', "</table>")
    assert [f"08:{minute}:00" in recent for minute in (35, 31, 30)] == [True, True, False], "five of them"
    assert "규격 내 100.7" in recent
