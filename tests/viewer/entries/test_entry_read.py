"""From a store to what key figures take."""

from __future__ import annotations

from typing import Any

from pipelines.calendar import Span
from pipelines.derive.signals import DOWN, RUN
from tests.viewer.entries.said import NOW_NS, STOP, entry, written
from viewer.catalog import Catalog
from viewer.entries.read import contexts, entered
from viewer.entries.times import moment_ns
from viewer.entries.written import Written
from viewer.kpi.figure import figure
from viewer.kpi.inputs import Inputs
from viewer.query.entered import with_reasons
from viewer.query.states import StateRun

DAY: Span = (moment_ns("2026-11-22"), moment_ns("2026-11-23"))


def one(kind: str, at: int = 0, **said: Any) -> Written:
    return written(entry({"kind": kind, "author": "김", **said}), NOW_NS + at)


def inputs(*entries: Written) -> Inputs:
    found = entered(entries, DAY)
    return Inputs(
        period=DAY,
        orders=found.orders,
        inspections=found.inspections,
        claims=found.claims,
        stock=found.stock,
        stock_krw=found.stock_krw,
        accidents=found.accidents,
        near=found.near,
    )


def test_what_is_entered_makes_the_figures_that_need_it() -> None:
    at = "2026-11-22 10:00"
    given = inputs(
        one("inspection", value=3, of=200, start=at),
        one("inspection", value=0, of=100, start=at, at=1),
        one("claim", value=1, of=40, start=at),
        one("stock", value=95, of=100, start=at),
        one("stock_value", value=1000, start=at),
        one("accident", value=1, of=50, start=at),
        one("near_miss", value=2, start=at),
        one("inspection", value=9, of=9, start="2026-11-21 10:00"),
    )
    values = {
        code: figure(code, given).value for code in ("Q-FDR", "Q-CLM", "C-INV", "C-INV.accuracy", "S-INJ", "S-INJ.near")
    }
    assert values == {
        "Q-FDR": 1.0,
        "Q-CLM": 2.5,
        "C-INV": 1000.0,
        "C-INV.accuracy": 95.0,
        "S-INJ": 2.0,
        "S-INJ.near": 2.0,
    }
    assert figure("Q-FDR", inputs()).value is None, "nothing entered is 미수집, never 0"


def test_an_order_is_told_bit_by_bit_and_the_newest_word_counts() -> None:
    said = [
        one("order", order="A-1", confirmed="2026-11-20", due="2026-11-22 18:00", value=100),
        one("order", order="A-1", start="2026-11-21 08:00", at=1),
        one("order", order="A-2", confirmed="2026-11-20", at=2),
        one("order", order="A-1", end="2026-11-22 08:00", due="2026-11-22 20:00", at=3),
        one("order", order="A-1", shipped="2026-11-22 11:00", at=4),
        one("lot", lot="L-1", start="2026-11-22 08:00", end="2026-11-22 09:00", at=5),
    ]
    first, second, lot = contexts(said)
    assert (first.name, second.name, lot.name) == ("A-1", "A-2", "L-1")
    assert (first.said.value, first.said.due) == (100.0, moment_ns("2026-11-22 20:00"))
    found = entered(said, DAY)
    assert [one.name for one in found.contexts] == ["A-1", "L-1"], "A-2 has nothing to do with this day"
    given = inputs(*said)
    assert figure("P-LT", given).value == 24.0
    assert figure("D-OTD", given).value == 100.0
    assert figure("D-O2S", given).value == 59.0
    assert [one.completed_ns for one in entered(said[5:], DAY).orders] == [moment_ns("2026-11-22 09:00")]


def test_what_lasts_belongs_to_every_day_it_touches() -> None:
    crew = one("crew", value=5, start="2026-11-21 20:00", end="2026-11-22 08:00")
    goes_on = one("stop", machine="PRS-01", reason="die", start="2026-11-20")
    ended = written(entry(STOP, start="2026-11-21 08:00", end="2026-11-21 09:00"))
    found = entered([crew, goes_on, ended], DAY)
    assert [one.heads for one in found.crews] == [5.0]
    assert found.stops == (goes_on,)


def test_a_line_and_a_machine_have_their_own() -> None:
    entries = [
        one("defect", value=1, start="2026-11-22"),
        one("defect", value=2, start="2026-11-22", line="프레스라인"),
        one("defect", value=3, start="2026-11-22", machine="PRS-01"),
        one("defect", value=4, start="2026-11-22", machine="CNC-01"),
    ]
    values = [
        [each.entry.value for each in entered(entries, DAY, *unit).defects]
        for unit in ((), ("프레스라인",), ("프레스라인", "PRS-01"), ("", "CNC-01"))
    ]
    assert values == [[1.0, 2.0, 3.0, 4.0], [2.0, 3.0], [3.0], [4.0]]


def test_reasons_cut_states_and_take_the_place_of_the_machines_own_words() -> None:
    file = {"company": "C", "site": "S", "entry": {"stop_reasons": {"die": {"ko": "금형 교체", "en": "Die change"}}}}
    (site,) = Catalog.of([file]).sites.values()
    hour = 3600 * 10**9
    start = DAY[0]
    runs = [
        StateRun(start, start + hour, RUN, "1"),
        StateRun(start + hour, start + 2 * hour, DOWN, "red"),
        StateRun(start + 2 * hour, start + 3 * hour, DOWN, "7"),
    ]
    said = written(entry(STOP).model_copy(update={"start": start + hour // 2, "end": start + 2 * hour + hour // 2}))
    assert with_reasons(runs, [said], site) == [
        runs[0],
        StateRun(start + hour, start + 2 * hour, DOWN, "금형 교체 Die change (수기)"),
        StateRun(start + 2 * hour, start + 2 * hour + hour // 2, DOWN, "금형 교체 Die change (수기)"),
        StateRun(start + 2 * hour + hour // 2, start + 3 * hour, DOWN, "7"),
    ]
    assert with_reasons(runs, [], site) == runs
