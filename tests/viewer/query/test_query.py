"""From points in a store to figures on a page, the same of both stores."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import date
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.derive.signals import DOWN, IDLE, MINOR, PLANNED, RUN, SETUP
from tests.set_clock import SetClock
from tests.viewer.conftest import Write
from tests.viewer.query.shift import COMPANY, DAY, METERED_GOOD, MINUTE, SHIFT, SITE, T0, lines, tags
from viewer.app import make_app
from viewer.catalog import Catalog
from viewer.entries.settings import EntrySettings
from viewer.entries.stops import explained, unexplained, within
from viewer.kpi.figure import figure
from viewer.kpi.orders import Order
from viewer.kpi.period import days
from viewer.kpi.production import Crew
from viewer.kpi.spans import Spans
from viewer.kpi.words import NO_ENTRIES, NO_SAMPLES
from viewer.query.downtime import downtime, stood
from viewer.query.figures import WHOLE_LINE, figures_of, remarked
from viewer.query.inputs import inputs_of, line_inputs, machine_inputs
from viewer.query.needs import needs
from viewer.query.states import StateRun, spans, state_runs, told_spans
from viewer.query.unit import Unit
from viewer.states import runs
from viewer.stores.base import Points, Store

pytestmark = pytest.mark.wire

CATALOG = Catalog.of([SITE])
A = CATALOG.sites[COMPANY, "A"]
PRESS = A.machines["PRS-01"]
UNIT = Unit("L1", "PRS-01")


@pytest.fixture
def filled(store: tuple[Store, Write]) -> Store:
    reader, write = store
    write("\n".join(lines()).encode())
    return reader


def page(store: Store, path: str, now_ns: int = DAY[1] + 60 * MINUTE, **query: str) -> str:
    app = make_app(store, CATALOG, SetClock(now_ns))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer") as client:
            return await client.get(f"{path}?{urlencode(query)}")

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    return answer.text


def cards(text: str) -> dict[str, str]:
    """What each card shows in the place of its value."""
    found = re.findall(r'<article class="card figure"[^>]* data-code="([^"]+)">(.*?)</article>', text, re.DOTALL)
    values = {code: re.search(r'"figure-value">(.*?)</p>', card, re.DOTALL) for code, card in found}
    assert found
    return {code: re.sub(r"<[^>]+>", "", match[1]).strip() for code, match in values.items() if match}


DATES = {"period": "custom", "from": "2026-09-07", "to": "2026-09-07"}


def test_the_shift_by_hand_is_on_the_page(filled: Store) -> None:
    """ISO 370/440 = 84.09, 350/370 = 94.59; TPM 385/440 = 87.50, 350/385 = 90.91; 686/700 = 98.00; both 77.95 %."""
    text = page(filled, f"/oee/{COMPANY}/A/PRS-01", **DATES)
    iso, tpm = (cards(part) for part in text.split('id="tpm_kr"'))
    assert iso == {"P-OEE": "77.95 %", "P-OEE.A": "84.09 %", "P-OEE.E": "94.59 %", "P-OEE.Q": "98.00 %"}
    assert tpm == {"P-OEE": "77.95 %", "P-OEE.TA": "87.50 %", "P-OEE.TP": "90.91 %", "P-OEE.Q": "98.00 %"}
    assert cards(page(filled, "/kpi", unit=f"{COMPANY}/A/L1/PRS-01", **DATES)) == {
        "P-OEE": "77.95 %",
        "P-UTIL": "84.09 %",
        "P-UPH": f"{700 / (440 / 60):.1f} EA/h",
        "P-CT": "30.97 s",
        "P-MTBF": "6.42 h",
        "P-MTTR": "30.0 min",
        "Q-PDR": "2.00 %",
        "Q-FDR": "미수집",
        "C-KWH": "0.5220 kWh/EA",
        "E-PEAK": "57.0 kW",
        "DQ-RATE": "25.00 %",
    }


def test_a_card_says_of_what_it_is(filled: Store) -> None:
    text = page(filled, "/kpi", unit=f"{COMPANY}/A/L1/PRS-01", **DATES)
    for words in (
        "시간가동률 × 성능가동률 × 양품률", "2026-09-07 08:00 – 2026-09-08 08:00 KST", "계획정지·보전 40.0 min",
        "수기 입력 없음", "참고치", "운영지표", "ISO 22400-2:2014", "전력량계가 라인 전체를 계량함",
    ):  # fmt: skip
        assert words in text
    english = page(filled, "/kpi", unit=f"{COMPANY}/A/L1/PRS-01", lang="en", **DATES)
    assert "nothing was entered by hand" in english
    assert not re.search("[가-힣]", re.sub(r"한국어|프레스 1호기|한국금속|TPM \(설비종합효율\)|계획정지", "", english))


def test_why_it_stood(filled: Store) -> None:
    """Down 30 min, of which the machine's own word says why for 20; setup 25; minor stops 15: 70 min, 50 without."""
    found = downtime(filled, A, PRESS, DAY)
    assert [(one.code, one.reason, one.length_ns // MINUTE, one.count) for one in found.stops] == [
        (SETUP, "", 25, 1),
        (DOWN, "금형 파손", 20, 1),
        (MINOR, "", 15, 1),
        (DOWN, "", 10, 1),
    ]
    assert (found.stopped_ns, found.without_reason) == (70 * MINUTE, pytest.approx(50 / 70 * 100))
    text = page(filled, f"/oee/{COMPANY}/A/PRS-01", **DATES)
    assert "사유 미입력 71.4 %" in text
    assert "금형 파손" in text
    assert text.count('class="s4') >= 2, "both failures are in the ribbon"
    people = downtime(filled, A, PRESS, DAY, lambda run: "금형 교체" if run.code == SETUP else "")
    assert people.stops[0].reason == "금형 교체"
    assert people.without_reason == pytest.approx(25 / 70 * 100)


def test_a_stop_that_nobody_is_asked_about_waits_for_no_reason() -> None:
    """Idle 4 min and a minor stop of 2 behind it are one of 6; of a failure 3 min lie before a break, 4 behind it."""
    told = [
        (0, 4, IDLE, "2"), (4, 6, MINOR, ""), (6, 17, RUN, "1"), (17, 34, DOWN, "4"), (34, 40, RUN, "1"),
        (40, 44, DOWN, "금형"), (44, 46, IDLE, "2"),
    ]  # fmt: skip
    runs = [StateRun(start * MINUTE, end * MINUTE, code, reason) for start, end, code, reason in told]
    working = [(0, 20 * MINUTE), (30 * MINUTE, 60 * MINUTE)]
    found = stood(runs, working)
    assert {(one.code, one.reason): (one.length_ns // MINUTE, one.open_ns // MINUTE) for one in found.stops} == {
        (IDLE, ""): (6, 4), (MINOR, ""): (2, 2), (DOWN, ""): (7, 0), (DOWN, "금형"): (4, 0),
    }  # fmt: skip
    assert found.without_reason == pytest.approx(6 / (6 + 4) * 100)
    bare = [(one.start_ns, one.end_ns, one.code) for one in runs if one.reason != "금형"]
    form = unexplained(explained(within(bare, working), []), EntrySettings().least_stop_s)
    assert sum(one.end_ns - one.start_ns for one in form) == 6 * MINUTE, "the form offers what is counted"
    assert stood(runs, working, least_s=600).without_reason == 0
    assert stood(runs[:2], working, least_s=600).without_reason is None


def test_a_stop_leads_to_its_moment_and_to_the_alarms_that_were_on(store: tuple[Store, Write]) -> None:
    """The changeover of minute 340 to 365: the meter's alarm was long over, that of X-01 is of another line."""
    reader, write = store
    alarms = [
        ("PRS-01", "L1", "lube", 330, 350), ("MTR-01", "L1", "power", 0, 10), ("PRS-01", "L1", "door", 345, 346),
        ("X-01", "L2", "far", 330, 350),
    ]  # fmt: skip
    told = [
        f'alarm,company={COMPANY},site=A,line={line},machine={machine},alarm={name} active={active},message="{name}!" '
        f"{T0 + at * MINUTE}"
        for machine, line, name, *ends in alarms
        for at, active in zip(ends, ("true", "false"), strict=True)
    ]
    write("\n".join([*lines(), *told]).encode())
    text = page(reader, f"/oee/{COMPANY}/A/PRS-01", **DATES).split('<table id="longest">')[1].split("</table>")[0]
    changeover, *others = re.split("<tr>", text.split("<tbody>")[1])[1:]
    start, end = ((T0 + at * MINUTE) // 10**6 for at in (330, 375))
    assert f"?from={start}&amp;to={end}" in changeover
    assert re.findall(r"([a-z]+)!", changeover) == ["lube", "door"]
    assert "alarm=PRS-01%2Flube" in changeover
    assert len(others) == 3
    assert all("기록된 경보 없음" in one for one in others)


def test_states_with_their_words(filled: Store) -> None:
    found = state_runs(filled, PRESS, SHIFT)
    assert [(one.code, one.reason, (one.end_ns - one.start_ns) // MINUTE) for one in found] == [
        (RUN, "1", 100), (DOWN, "4", 10), (PLANNED, "meeting", 40), (DOWN, "금형 파손", 20), (RUN, "1", 170),
        (SETUP, "3", 25), (MINOR, "no_count", 15), (RUN, "1", 100),
    ]  # fmt: skip


def test_a_failure_that_began_before_is_not_one_of_the_period(filled: Store) -> None:
    """The failure from minute 100 on goes on behind a meeting: periods that are split anywhere have one together."""
    for cut in (50, 105, 120, 160, 300):
        halves = [(T0, T0 + cut * MINUTE), (T0 + cut * MINUTE, SHIFT[1])]
        found = [inputs_of(filled, A, UNIT, half) for half in halves]
        assert sum(one.failures() for one in found) == 1, cut
        pieces = [one.placed() for one in found]
        assert sum(one.total or 0 for one in pieces) == 700, cut
        times = found[0].times() + found[1].times()
        assert times.by_state == inputs_of(filled, A, UNIT, SHIFT).times().by_state, cut


def test_a_line_is_its_machines_added_up(filled: Store) -> None:
    """PRS-02 stood idle for 480 min and made nothing: 350 min of good standard time x 98 % / (440 + 480) min."""
    line = inputs_of(filled, A, Unit("L1"), DAY)
    assert [one.name.ko for one in line.machines] == ["프레스 1호기", "PRS-02"]
    found = {one.code: one for one in figures_of(filled, A, Unit("L1"), ["P-OEE", "P-UTIL", "Q-PDR", "C-KWH"], DAY)}
    assert found["P-OEE"].value == pytest.approx(0.5 * 686 / 920 * 100)
    assert found["P-UTIL"].value == pytest.approx(370 / 920 * 100)
    assert found["Q-PDR"].value == pytest.approx(2.0)
    assert found["C-KWH"].value == pytest.approx(7 * 42.875 / METERED_GOOD)
    assert any("2대" in note.ko for note in found["P-OEE"].notes)
    assert WHOLE_LINE not in found["C-KWH"].notes
    assert line.times().by_state[IDLE] == 480 * MINUTE


@pytest.mark.parametrize("code", ["C-KWH", "E-CO2.piece"])
def test_a_machine_that_stood_made_nothing_whatever_is_asked_beside_it(filled: Store, code: str) -> None:
    """PRS-02 stood all day and counted nothing: 7 x 42.875 kWh of 575 good pieces of PRS-01, alone and with others."""
    (alone,) = figures_of(filled, A, Unit("L1"), [code], DAY)
    assert alone == figures_of(filled, A, Unit("L1"), [code, "P-UTIL"], DAY)[0]
    assert alone.value is not None
    if code == "C-KWH":
        assert alone.value == pytest.approx(7 * 42.875 / METERED_GOOD)


def test_cycles_of_several_machines_have_no_mean(filled: Store) -> None:
    """A press of 31 s a cycle has it, alone and as the only one of its line with records; beside another one none."""
    of_one = [figures_of(filled, A, unit, ["P-CT"], DAY)[0].value for unit in (UNIT, Unit("L1"))]
    assert of_one == [pytest.approx(30.97, abs=0.005)] * 2
    presses = SITE["machines"] | {"PRS-02": SITE["machines"]["PRS-02"] | {"cycle": {"at": "shots"}}}
    two = Catalog.of([{**SITE, "machines": presses}]).sites[COMPANY, "A"]
    (line,) = figures_of(filled, two, Unit("L1"), ["P-CT"], DAY)
    assert (line.value, line.why and line.why.ko) == (None, "설정에 사이클 기록(cycle)이 있는 설비가 없거나 둘 이상임")
    assert figures_of(filled, two, UNIT, ["P-CT"], DAY)[0].value == of_one[0]


def test_what_is_not_configured_says_so(filled: Store) -> None:
    codes = ["P-OEE", "Q-CPK", "S-ALM", "C-KWH", "DQ-RATE", "Q-FDR"]
    found = {one.code: one for one in figures_of(filled, A, Unit("L1", "MTR-01"), codes, SHIFT)}
    assert {code: one.why and one.why.ko for code, one in found.items()} == {
        "P-OEE": "설정에 상태(state)가 없음",
        "Q-CPK": "설정에 규격(cycle의 quality)이 있는 설비가 없거나 둘 이상임",
        "S-ALM": "설정에 안전경보(safety)가 없음",
        "C-KWH": "설정에 전력량계(energy)가 없음",
        "DQ-RATE": None,
        "Q-FDR": "수기 입력 없음",
    }
    assert found["DQ-RATE"].value == pytest.approx(100.0)


def test_what_was_entered_is_not_said_to_be_missing(filled: Store) -> None:
    """A crew of a site whose press made nothing in the night, and orders of which none was shipped."""
    inputs = inputs_of(filled, A, UNIT, (SHIFT[1], DAY[1]), parts=needs(["C-MH", "D-OTD"]))
    said = replace(inputs, crews=[Crew(SHIFT[1], DAY[1], 2)], orders=[Order(confirmed_ns=SHIFT[1])])
    for code in ("C-MH", "D-OTD"):
        for of, why in ((inputs, NO_ENTRIES), (said, NO_SAMPLES)):
            found = remarked(figure(code, of), of, A, UNIT)
            assert (found.value, found.why) == (None, why), code


def test_nothing_stored_is_no_value_anywhere(store: tuple[Store, Write]) -> None:
    shown = cards(page(store[0], "/kpi", unit=f"{COMPANY}/A/-/-", **DATES))
    assert {value for code, value in shown.items() if code != "DQ-RATE"} == {"미수집"}
    assert shown["DQ-RATE"] == "0.00 %"
    assert "상태가 수집되지 않았습니다" in page(store[0], f"/oee/{COMPANY}/A/PRS-01", **DATES)


def test_today_ends_now(filled: Store) -> None:
    """At noon 240 of 480 min are over; the collection of the day is that of the time until now."""
    noon = T0 + 240 * MINUTE
    text = page(filled, "/kpi", noon, unit=f"{COMPANY}/A/L1/PRS-01", period="today")
    assert "2026-09-07 08:00 – 12:00 KST" in text
    assert cards(text)["DQ-RATE"] == "100.00 %"
    assert "기간" in page(filled, "/kpi", noon, period="custom", **{"from": "2026-09-09", "to": "2026-09-01"})
    assert "시작일과 종료일을 확인" in page(filled, "/kpi", noon, period="custom", **{"from": "x", "to": ""})


def test_a_tag_told_on_change_is_known_while_its_agent_lives(filled: Store, store: tuple[Store, Write]) -> None:
    """Of 480 min the agent tells nothing of 60, the tag is bad for 30 and its link is known to be gone for 20 more."""
    gap = T0 + 300 * MINUTE
    write = store[1]
    write(f"press,{tags('PRS-01')} shots_quality={0x80310000}i {T0 + 61 * MINUTE}".encode())
    write(f"press,{tags('PRS-01')} shots=3660i {T0 + 91 * MINUTE}".encode())
    write(f"gap,{tags('PRS-01')},tag=shots,cause=overrun end={gap + 20 * MINUTE}i,filled=false {gap}".encode())
    only = {
        **SITE,
        "connections": [{"name": "x", "tags": [{"name": "shots", "machine": "PRS-01", "mode": "subscribe"}]}],
    }
    site = Catalog.of([only]).sites[COMPANY, "A"]
    of = inputs_of(store[0], site, UNIT, (T0, T0 + 540 * MINUTE))
    known = dict(of.collected or [])
    assert sum(known.values()) / 100 == pytest.approx(480 - 30 - 20)
    assert known[T0 + 70 * MINUTE] == known[gap] == known[T0 + 500 * MINUTE] == 0.0


def test_a_tag_that_is_polled_less_often_than_minutes_come_is_known_between(store: tuple[Store, Write]) -> None:
    """Every 300 s, 60 times 300 s; the readings of the 10th to the 19th never came."""
    for number in (one for one in range(60) if not 10 <= one < 20):
        store[1](f"press,{tags('PRS-01')} oil={number}.5 {T0 + number * 5 * MINUTE}".encode())
    tag = {"name": "oil", "machine": "PRS-01", "period_s": 300}
    only = {**SITE, "connections": [{"name": "x", "tags": [tag]}]}
    site = Catalog.of([only]).sites[COMPANY, "A"]
    of = inputs_of(store[0], site, UNIT, (T0, T0 + 300 * MINUTE))
    known = dict(of.collected or [])
    assert sum(known.values()) / 100 == pytest.approx(250)
    assert (known[T0 + 49 * MINUTE], known[T0 + 50 * MINUTE], known[T0 + 100 * MINUTE]) == (100.0, 0.0, 100.0)


def test_pieces_per_hour_are_of_the_time_in_which_the_counter_was_read(store: tuple[Store, Write]) -> None:
    """Read each 30 s from noon of a shift of 08:00 to 16:00: 400 pieces in 4 h; the next day one that began before."""
    second, noon, next_day = 10**9, T0 + 240 * MINUTE, (DAY[1], DAY[1] + 480 * MINUTE)
    machine = {"class": "press", "count": {"total": "shots"}}
    tag = {"name": "shots", "machine": "PRS-02", "period_s": 30}
    only = {**SITE, "machines": {"PRS-02": machine}, "connections": [{"name": "x", "tags": [tag]}]}
    site, unit = Catalog.of([only]).sites[COMPANY, "A"], Unit("L1", "PRS-02")
    lines = [f"press,{tags('PRS-02')} shots=1i {at}" for at in range(noon, next_day[1], 30 * second)]
    lines += [f"count,{tags('PRS-02')} total={number}i {noon + number * 30 * second}" for number in range(401)]
    lines += [f"count,{tags('PRS-02')} total=401i {DAY[1] + MINUTE}"]
    store[1]("\n".join(lines).encode())
    for period, value, cover in ((SHIFT, 400 / 4, 50), (next_day, 1 / 8, 100)):
        (found,) = figures_of(store[0], site, unit, ["P-UPH"], period)
        assert (found.value, found.evidence.cover) == (pytest.approx(value), pytest.approx(cover))


def test_the_time_in_which_a_counter_was_read_is_told_by_the_minute_however_long_the_period(
    store: tuple[Store, Write],
) -> None:
    """Read each 30 s in the first 5 min of each hour, 9 steps of a piece: 9 / (5/60 h) = 108 an hour at 8.3 %."""
    second, hour = 10**9, 60 * MINUTE
    machine = {"class": "press", "count": {"total": "shots"}}
    tag = {"name": "shots", "machine": "PRS-02", "period_s": 30}
    only = {**SITE, "machines": {"PRS-02": machine}, "connections": [{"name": "x", "tags": [tag]}]}
    only.pop("calendar")
    site, unit = Catalog.of([only]).sites[COMPANY, "A"], Unit("L1", "PRS-02")
    begin = DAY[0] // hour * hour
    lines, total = [], 0
    for start in range(begin, begin + 72 * hour, hour):
        for at in range(start, start + 5 * MINUTE, 30 * second):
            lines += [f"press,{tags('PRS-02')} shots={total}i {at}", f"count,{tags('PRS-02')} total={total}i {at}"]
            total += at != start + 270 * second
    store[1]("\n".join(lines).encode())
    for hours in (24, 48, 72):
        (found,) = figures_of(store[0], site, unit, ["P-UPH"], (begin, begin + hours * hour))
        assert (found.value, found.evidence.cover) == (pytest.approx(108), pytest.approx(100 / 12)), hours
        (found,) = figures_of(store[0], site, unit, ["P-QTY"], (begin, begin + hours * hour))
        assert found.evidence.cover == pytest.approx(100 / 12), hours


@pytest.mark.parametrize(("every_s", "more"), [(10, ",accepted=7i"), (60, "")])
def test_an_agent_is_alive_by_its_own_heartbeats(store: tuple[Store, Write], every_s: int, more: str) -> None:
    """For half an hour of an hour; its three connections say nothing of that. A destination is told once a minute."""
    agent, second = f"agent,company={COMPANY},site=A,line=L1,machine=edge-1", 10**9
    for at_s in range(0, 1800, every_s):
        at_ns = T0 + at_s * second
        links = [f"{agent},connection={name} up=1i {at_ns}" for name in ("a", "b", "c")]
        store[1]("\n".join([f"{agent} connections=3i,connected=3i{more} {at_ns}", *links]).encode())
    store[1](f"press,{tags('PRS-01')} shots=1i {T0}".encode())
    tag = {"name": "shots", "machine": "PRS-01", "mode": "subscribe"}
    site = Catalog.of([{**SITE, "connections": [{"name": "x", "tags": [tag]}]}]).sites[COMPANY, "A"]
    of = inputs_of(store[0], site, UNIT, (T0, T0 + 60 * MINUTE))
    assert sum(dict(of.collected or []).values()) / 100 == pytest.approx(30)


@given(
    st.lists(st.tuples(st.integers(-200, 900), st.integers(-1, 9)), max_size=40, unique_by=lambda one: one[0]),
    st.integers(0, 400),
    st.integers(1, 500),
)
def test_many_states_at_once_are_what_is_drawn(points: list[tuple[int, int]], start: int, length: int) -> None:
    """Seconds and codes; the code that means nothing is unknown."""
    second = 10**9
    period = start * second, (start + length) * second
    seen = [(at, code) for at, code in sorted(points) if start - 90 <= at < start + length]
    times = np.array([at * second for at, _ in seen], dtype=np.int64)
    codes = [code if 0 <= code <= 8 else 0 for _, code in seen]
    drawn = runs(Points(times, np.array(codes, dtype=np.int64)), *period)
    found = told_spans(Points(times, np.array([code for _, code in seen])), *period)
    same = Spans.of(drawn)
    assert (found.start_ns.tolist(), found.end_ns.tolist(), found.code.tolist()) == (
        same.start_ns.tolist(), same.end_ns.tolist(), same.code.tolist(),
    )  # fmt: skip


def test_a_machine_without_a_state_has_none(filled: Store) -> None:
    assert spans(filled, A.machines["MTR-01"], SHIFT) is None
    assert machine_inputs(filled, A, A.machines["MTR-01"], SHIFT).spans is None


def test_how_a_process_fits_its_specification(filled: Store) -> None:
    """98, 100, 102 in turns, 35 times, the last two 98 and 100: 22 steps of 2 and 11 of 4, R̄ = 88/34, σ = R̄/1.128.

    μ = (12 x 98 + 12 x 100 + 11 x 102)/35 = 99.943, the nearer limit is 90.
    """
    for unit in (UNIT, Unit("L1")):
        (found,) = figures_of(filled, A, unit, ["Q-CPK"], DAY)
        assert found.value == pytest.approx((3498 / 35 - 90) / (3 * 90 / 34 / 1.128), rel=1e-3)
        assert found.evidence.samples == 35


def test_the_working_week(filled: Store) -> None:
    """From 10 to 30 September 2026 lie 15 weekdays, two of which, the 24th and 25th, are of Chuseok: 13 days of 8 h."""
    period = days(A.calendar, date(2026, 9, 10), date(2026, 9, 30))
    worked = line_inputs(filled, A, [PRESS], period, parts=()).working
    assert sum(high - low for low, high in worked) == 13 * 480 * MINUTE
    assert np.array(worked).shape == (13, 2)
