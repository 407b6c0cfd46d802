"""Every other figure of the catalogue by hand, what is left out of it, and what it says without data."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from pipelines.derive.energy.factors import load
from pipelines.derive.energy.span import Span as PowerSpan
from pipelines.derive.signals import DOWN, IDLE, MAINT, OFF, PLANNED, RUN, UNKNOWN
from viewer.kpi.collection import by_pieces, polled
from viewer.kpi.counted import Made, made, standard_s
from viewer.kpi.energy import Demand, Used, emission, emission_per_piece, energy_per_piece, peak, quarters
from viewer.kpi.entered import (
    Entry,
    accident_rate,
    claim_rate,
    final_defect_rate,
    near_misses,
    stock_accuracy,
    stock_value,
)
from viewer.kpi.failure import between_failures, to_repair
from viewer.kpi.goal import Goal, score
from viewer.kpi.oee import oee, utilisation
from viewer.kpi.orders import Order, lead_time, on_time, order_to_shipment
from viewer.kpi.production import Crew, Produced, cycle_time, defect_rate, growth, man_hours_per_piece, per_hour
from viewer.kpi.result import Evidence, Result
from viewer.kpi.safety import alarms, over_limit
from viewer.kpi.spans import Spans, failures, standing_since, times
from viewer.kpi.words import (
    CHECK_IDEAL,
    MUCH_UNKNOWN,
    NO_BASELINE,
    NO_FAILURE,
    NO_PIECES,
    NO_SAMPLES,
    NO_WORK,
    UNVERIFIED,
    Text,
)

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = (0, 8 * HOUR)


def hours(*rows: tuple[float, float, int]) -> Spans:
    """From, to (hours) and state."""
    return Spans.of([(round(low * HOUR), round(high * HOUR), code) for low, high, code in rows])


def array(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def evidence(samples: int = 1) -> Evidence:
    return Evidence(period=DAY, samples=samples)


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_utilisation_leaves_out_what_is_planned_or_unknown() -> None:
    """8 h − 1 h planned − 0.5 h maintenance − 0.5 h nobody told − 1 h 통신두절 = 5 h busy, of which 3 h run: 60 %."""
    spans = hours((0, 3, RUN), (3, 4, PLANNED), (4, 4.5, MAINT), (5, 6, UNKNOWN), (6, 7, OFF), (7, 8, IDLE))
    found = utilisation(times(spans, [DAY]), DAY)
    assert found.value == pytest.approx(60.0)
    assert [one.value for one in found.evidence.left_out] == [90.0, 90.0]
    assert found.evidence.cover == pytest.approx(6.5 / 8 * 100)
    assert found.indicative
    assert found.notes == (MUCH_UNKNOWN,)


def test_much_unknown_is_told_from_five_percent_of_busy_time_on() -> None:
    """Of 8 h are 4 h planned: 12 of 240 min are 5 %, and no remark; 13 are one."""
    for minutes, notes in ((12, ()), (13, (MUCH_UNKNOWN,))):
        spans = hours((0, 4, PLANNED), (4 + minutes / 60, 8, RUN))
        assert utilisation(times(spans, [DAY]), DAY).notes == notes


def test_utilisation_without_work_or_states() -> None:
    assert utilisation(times(hours((0, 8, RUN)), []), DAY).why == NO_WORK
    assert utilisation(times(hours((0, 8, PLANNED)), [DAY]), DAY).why == NO_WORK
    assert utilisation(times(hours((0, 8, UNKNOWN)), [DAY]), DAY).why == NO_SAMPLES


def test_failures() -> None:
    """Two failures of 30 and 60 min in 5.5 h of running: 2.75 h, and 45 min each; lunch and silence divide none."""
    spans = hours(
        (0, 2, RUN), (2, 2.5, DOWN), (2.5, 4, RUN), (4, 4.5, DOWN), (4.5, 5, PLANNED), (5.25, 5.75, DOWN), (6, 8, RUN)
    )  # fmt: skip
    of, count = times(spans, [DAY]), failures(spans, DAY, [DAY])
    assert count == 2
    assert between_failures(of, count, DAY).value == pytest.approx(2.75)
    assert to_repair(of, count, DAY).value == pytest.approx(45.0)
    quiet = times(hours((0, 8, RUN)), [DAY])
    assert (between_failures(quiet, 0, DAY).value, to_repair(quiet, 0, DAY).why) == (None, NO_FAILURE)
    assert NO_FAILURE.ko == "기간 내 시작된 고장 없음", "it may stand all day of one that began before"
    later = (round(2.25 * HOUR), 4 * HOUR)
    assert failures(spans, later, [(0, later[0]), later]) == 0, "it had begun before"


def test_failures_and_their_repair_are_of_planned_busy_time() -> None:
    """Two days of 08-17 with lunch from 12 to 13, hours since the first midnight; by hand.

    Down 03:00-09:30 (1.5 h of work), 18-20 (none), 11:30-13:30 (1 h) and 16:00-08:30 of the next day (1 h and 0.5 h):
    three failures, 4 h of repair, so 80 min each. The second day has none of its own, but half an hour of repair.
    """
    spans = hours(
        (0, 3, RUN), (3, 9.5, DOWN), (9.5, 11.5, RUN), (11.5, 13.5, DOWN), (13.5, 16, RUN), (16, 18, DOWN),
        (18, 32.5, DOWN), (32.5, 42, RUN), (42, 44, DOWN), (44, 48, RUN),
    )  # fmt: skip
    work = [(round(at * HOUR), round(end * HOUR)) for at, end in ((8, 12), (13, 17), (32, 36), (37, 41))]
    both, one, two = (0, 48 * HOUR), (0, 24 * HOUR), (24 * HOUR, 48 * HOUR)
    assert [failures(spans, day, work) for day in (both, one, two)] == [3, 3, 0]
    of = times(spans, work)
    assert of.down_ns == 4 * HOUR
    assert to_repair(of, 3, both).value == pytest.approx(80.0)
    assert between_failures(of, 3, both).value == pytest.approx(12 / 3)
    assert times(spans, work[2:]).down_ns == HOUR // 2
    assert standing_since(spans, 32 * HOUR) == 16 * HOUR
    assert standing_since(spans, 8 * HOUR) == 3 * HOUR
    assert standing_since(spans, 34 * HOUR) == 34 * HOUR


def test_oee_of_a_machine_that_stood_and_of_one_that_nobody_counted() -> None:
    stood = oee(times(hours((0, 8, DOWN)), [DAY]), Made(None, None, 0), None, DAY, "iso22400")
    assert (stood.whole.value, stood.availability.value, stood.performance.value) == (0.0, 0.0, None)
    running = times(hours((0, 8, RUN)), [DAY])
    assert oee(running, Made(None, None, 0), None, DAY, "tpm_kr").whole.why == NO_SAMPLES
    lacking = oee(running, Made(700, 686, 9), None, DAY, "tpm_kr").whole
    assert (lacking.evidence.samples, lacking.why) == (
        9,
        Text("일부 입력 없음: 이론CT × 양품수량", "an input is missing: ideal time × good pieces"),
    )
    no_good = oee(running, Made(700, None, 9), 21_000.0, DAY, "tpm_kr")
    assert (no_good.whole.value, no_good.quality.value) == (None, None)
    assert (no_good.performance.evidence.samples, no_good.availability.evidence.samples) == (9, 1)
    assert no_good.performance.value == pytest.approx(700 * 30 / 28_800 * 100)
    nothing = oee(running, Made(0, 0, 1), 0.0, DAY, "tpm_kr")
    assert (nothing.whole.value, nothing.quality.why) == (0.0, NO_PIECES)


def test_too_good_a_performance_is_told_and_not_clamped() -> None:
    """8 h with 1,100 pieces of 30 s are 33,000 s of 28,800 s: 114.58 %."""
    found = oee(times(hours((0, 8, RUN)), [DAY]), Made(1100, 1100, 9), 33_000.0, DAY, "iso22400")
    assert found.performance.value == pytest.approx(114.58, abs=0.005)
    assert CHECK_IDEAL in found.performance.notes
    assert CHECK_IDEAL in found.whole.notes


# ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pieces_made_while_the_state_was_unknown_are_left_out() -> None:
    """The link is gone from 2 h to 4 h: of 300 + 200 + 100 pieces the 200 counted at its return have no place."""
    spans = hours((0, 2, RUN), (4, 8, RUN))
    at, total = array(0, 2 * HOUR - MINUTE, 4 * HOUR + MINUTE, 5 * HOUR), array(1000, 1300, 1500, 1600)
    found = made(at, total, total - 1000, [DAY], spans)
    assert (found.total, found.unplaced, found.samples) == (400, 200, 2)
    assert made(at, total, None, [DAY]) == Made(600, None, 3, 0, 5 * HOUR)
    half = hours((0, 1, RUN), (2, 3, RUN), (3.5, 4, RUN))
    assert made(array(0, 2 * HOUR, 4 * HOUR), array(0, 1, 3), None, [DAY], half).unplaced == 0, "half of it is known"
    assert made(array(0, 2 * HOUR, 4 * HOUR - 1), array(0, 1, 3), None, [DAY], hours((0, 3, RUN))).total == 3
    assert made(array(0, 2 * HOUR, 5 * HOUR), array(0, 1, 3), None, [DAY], hours((0, 3, RUN))).unplaced == 2
    result = oee(times(spans, [DAY]), found, standard_s([(found, 30.0)]), DAY, "iso22400")
    assert [one.value for one in result.performance.evidence.left_out] == [120.0, 0.0, 200]


def test_a_piece_belongs_to_the_window_in_which_it_was_counted() -> None:
    """At the beginning of a window it does, at its end it does not."""
    at, total = array(0, HOUR, 2 * HOUR, 3 * HOUR), array(0, 1, 11, 111)
    assert made(at, total, None, [(HOUR, 2 * HOUR)]) == Made(1, None, 1, 0, HOUR)
    assert made(at, total, None, [(2 * HOUR, 3 * HOUR), (HOUR, 2 * HOUR)]).total == 11
    assert made(at, total, None, []) == Made(None, None, 0)


def test_two_products_and_two_machines() -> None:
    """100 x 30 s + 50 x 60 s = 6,000 s; what one does not count, or has no ideal time of, is not known of both."""
    one, other, silent = Made(100, 98, 5, 1, 7), Made(50, 50, 5), Made(None, None, 0)
    assert standard_s([(one, 30.0), (other, 60.0)]) == 6000.0
    assert [standard_s(rows) for rows in ([(one, 30.0), (silent, 60.0)], [(one, None)], [])] == [None, None, None]
    assert one + other == Made(150, 148, 10, 1, 7)
    assert (one + silent).total is None
    both = times(hours((0, 4, RUN)), [DAY]) + times(hours((0, 8, IDLE)), [DAY])
    assert utilisation(both, DAY).value == pytest.approx(4 / 12 * 100)
    assert utilisation(both, DAY).evidence.seen_ns == 8 * HOUR


def test_a_first_reading_tells_no_pieces() -> None:
    assert made(array(HOUR), array(5000), None, [DAY]) == Made(None, None, 0)
    assert made(array(), array(), None, [DAY]) == Made(None, None, 0)


def test_pieces_per_hour() -> None:
    """700 pieces in 8 h less 1 h planned: 100 an hour."""
    of = times(hours((0, 7, RUN), (7, 8, PLANNED)), [DAY])
    assert per_hour(of, Made(700, 690, 7), [DAY], DAY).value == pytest.approx(100.0)
    assert per_hour(of, Made(None, None, 0), [DAY], DAY).value is None
    assert per_hour(None, Made(700, 690, 7), [DAY], DAY).value == pytest.approx(87.5), "a machine without states"
    assert per_hour(None, Made(700, 690, 7), [], DAY).why == NO_WORK


def test_cycle_time() -> None:
    """Two cycles of 10 s, one of 40 s: mean 20 s, median 10 s; a record of unknown length is left out."""
    at = array(1, 2, 3, DAY[1])
    found = cycle_time(at, np.array([10.0, 40.0, np.nan, 99.0]), array(2, 1, 4, 1), DAY)
    assert found.value == pytest.approx(20.0)
    assert [one.value for one in found.parts] == [3, 10.0]
    assert (found.evidence.samples, found.evidence.left_out[0].value) == (2, 4)
    assert cycle_time(array(), np.array([]), array(), DAY).value is None


def test_growth() -> None:
    """1,200 pieces in 10 h, and 8,000 in 80 h before: 1,000 in as much time, so 20 % more."""
    before = Produced(8000, 80 * HOUR)
    found = growth(1200, before, 10 * HOUR, evidence())
    assert found.value == pytest.approx(20.0)
    assert found.notes[0].ko == "기존: 조업 80.0 h에 8,000 EA"
    assert growth(8000, before, 80 * HOUR, evidence()).value == 0.0
    assert growth(None, before, 10 * HOUR, evidence(0)).value is None
    assert growth(1200, before, 0, evidence()).why == NO_WORK
    assert growth(700, None, 10 * HOUR, evidence()).why == NO_BASELINE, "pieces were counted"


def test_defects() -> None:
    """14 of 700 are 2 %, 20,000 ppm."""
    percent, ppm = defect_rate(Made(700, 686, 7), evidence())
    assert (percent.value, ppm.value) == (pytest.approx(2.0), pytest.approx(20_000))
    assert defect_rate(Made(700, None, 7), evidence())[0].value is None
    assert defect_rate(Made(0, 0, 1), evidence())[0].why == NO_PIECES


def test_man_hours() -> None:
    """3 people for 8 h, of which 1 h is lunch, and 2 for the last 4 h: 21 + 8 = 29 MH for 580 pieces, 0.05 each."""
    crews = [Crew(0, 8 * HOUR, 3), Crew(4 * HOUR, 12 * HOUR, 2)]
    working = [(0, 3 * HOUR), (4 * HOUR, 8 * HOUR)]
    found = man_hours_per_piece(crews, Made(580, 580, 5), working, DAY)
    assert found.value == pytest.approx(0.05)
    assert found.evidence.manual
    assert (found.evidence.cover, found.indicative) == (100.0, False)
    assert man_hours_per_piece([], Made(580, 580, 5), working, DAY).value is None


def test_man_hours_that_nobody_entered_are_no_good_result() -> None:
    """Two days of 8 h with 100 pieces each, and a crew of one on the first alone: 8 MH of 200 pieces is half known."""
    working = [(0, 8 * HOUR), (12 * HOUR, 20 * HOUR)]
    found = man_hours_per_piece([Crew(0, 8 * HOUR, 1)], Made(200, 200, 2), working, DAY)
    assert (found.evidence.cover, found.evidence.left_out[0].value, found.indicative) == (50.0, 480.0, True)
    both = [Crew(0, 8 * HOUR, 1), Crew(4 * HOUR, 20 * HOUR, 1)]
    assert man_hours_per_piece(both, Made(200, 200, 2), working, DAY).evidence.cover == 100.0
    assert man_hours_per_piece(both, Made(200, 200, 2), working, DAY, 90.0).indicative, "counters were not collected"


# ── orders and entries ──────────────────────────────────────────────────────────────────────────────────────────────


def test_lead_times() -> None:
    """10 h and 20 h: 15 h; the third has no beginning, the fourth ends on another day."""
    day = (0, 48 * HOUR)
    orders = [
        Order(confirmed_ns=0, started_ns=2 * HOUR, completed_ns=12 * HOUR, shipped_ns=24 * HOUR),
        Order(confirmed_ns=HOUR, started_ns=10 * HOUR, completed_ns=30 * HOUR, shipped_ns=37 * HOUR),
        Order(completed_ns=31 * HOUR),
        Order(started_ns=0, completed_ns=48 * HOUR),
    ]
    found = lead_time(orders, day)
    assert (found.value, found.evidence.samples, found.evidence.left_out[0].value) == (15.0, 2, 1)
    assert order_to_shipment(orders, day).value == pytest.approx(30.0)
    assert lead_time([], day).why == NO_SAMPLES


def test_delivery_on_time() -> None:
    """Two of three shipped by their time: 66.7 %; one without a due time and one overdue are left out."""
    orders = [
        Order(due_ns=HOUR, shipped_ns=HOUR),
        Order(due_ns=3 * HOUR, shipped_ns=2 * HOUR),
        Order(due_ns=3 * HOUR, shipped_ns=4 * HOUR),
        Order(shipped_ns=4 * HOUR),
        Order(due_ns=5 * HOUR),
    ]
    found = on_time(orders, DAY)
    assert found.value == pytest.approx(200 / 3)
    assert [one.value for one in found.evidence.left_out] == [1, 1]
    assert on_time([orders[3]], DAY).value is None


def test_entries() -> None:
    """Sums over sums: (3 + 1)/(100 + 100) = 2 %; stock (4 + 2)/2 million; 1 of 50 people on the average 2 %."""
    entries = [Entry(0, 3, 100), Entry(HOUR, 1, 100), Entry(DAY[1], 99, 100)]
    for figure in (final_defect_rate, claim_rate, stock_accuracy):
        found = figure(entries, DAY)
        assert (found.value, found.evidence.samples, found.evidence.manual) == (pytest.approx(2.0), 2, True)
    assert stock_value([Entry(0, 4e6), Entry(1, 2e6)], DAY).value == pytest.approx(3e6)
    assert accident_rate([Entry(0, 1, 49), Entry(1, 0, 51)], DAY).value == pytest.approx(2.0)
    assert near_misses([Entry(0, 0)], DAY).value == 0, "a report of none is a report"
    for figure in (final_defect_rate, claim_rate, stock_accuracy, stock_value, accident_rate, near_misses):
        assert (figure([], DAY).value, figure([], DAY).why) == (None, NO_SAMPLES)


# ── safety ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_safety_alarms() -> None:
    """None in 8 h of watching is 0; in 8 h in which nobody watched it is not known."""
    assert alarms(array(), [DAY], DAY).value == 0
    assert alarms(array(HOUR, DAY[1]), [(0, 4 * HOUR)], DAY).value == 1
    half = alarms(array(), [(-HOUR, 4 * HOUR)], DAY)
    assert (half.evidence.cover, half.evidence.left_out[0].value, half.indicative) == (50.0, 240.0, True)
    assert alarms(array(HOUR), [], DAY).value is None


def test_time_above_a_limit() -> None:
    minutes = np.arange(4) * MINUTE
    found = over_limit(
        minutes, np.array([51.0, 50.0, np.nan, 90.0]), np.array([100.0, 100, 0, 50]), 50.0, (0, 4 * MINUTE)
    )
    assert (found.value, found.evidence.samples, found.evidence.cover) == (2.0, 3, 62.5)
    assert over_limit(minutes, np.full(4, np.nan), np.zeros(4), 50.0, DAY).value is None


# ── energy ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def used(*kwh: float, carrier: str = "electricity", start_ns: int = 0) -> Used:
    cover = np.where(np.isnan(np.array(kwh)), 0.0, 100.0)
    return Used(carrier, start_ns + np.arange(len(kwh), dtype=np.int64) * HOUR, np.array(kwh), cover)


def test_energy_per_piece() -> None:
    """10 + 20 + 30 kWh for 600 good pieces: 0.1 kWh; of 8 hours 3 are metered, 37.5 %."""
    found = energy_per_piece(used(10, 20, np.nan, 30), Made(612, 600, 9), DAY)
    assert (found.value, found.evidence.samples, found.evidence.cover) == (pytest.approx(0.1), 3, pytest.approx(37.5))
    assert found.indicative
    assert energy_per_piece(used(), Made(612, 600, 9), DAY).value is None
    assert energy_per_piece(used(10), Made(None, None, 0), DAY).value is None
    assert energy_per_piece(used(10), Made(5, 0, 2), DAY).why == NO_PIECES


def test_emission_of_two_carriers_and_a_change_of_factor() -> None:
    """A year begins at midnight in Korea: 1 MWh before it and 1 after are 0.4541 + 0.4173; 100 Nm³ x 2.2 = 0.22 t."""
    midnight = round(datetime(2022, 12, 31, 15, tzinfo=UTC).timestamp()) * SECOND
    period = (midnight - HOUR, midnight + HOUR)
    power = used(1000, 1000, start_ns=midnight - HOUR)
    found = emission([power], load(), period)
    assert found.value == pytest.approx(0.8714)
    assert [one.value for one in found.parts] == [1000, 0.4541, 1000, 0.4173]
    both = emission([power, used(100, carrier="lng", start_ns=midnight)], load(), period)
    assert (both.value, both.notes) == (pytest.approx(1.0914), (UNVERIFIED,))
    assert both.evidence.cover == pytest.approx(50.0), "the meter that told less"
    assert emission_per_piece(found, Made(1000, 1000, 1)).value == pytest.approx(0.8714)


def test_emission_without_a_factor_or_a_meter() -> None:
    found = emission([used(5, carrier="steam")], load(), DAY)
    assert (found.value, found.evidence.left_out[0].value) == (None, 5.0)
    start_ns = round(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    uses = [used(1000, start_ns=start_ns), used(5, carrier="steam", start_ns=start_ns)]
    some = emission(uses, load(), (start_ns, start_ns + HOUR))
    assert (some.value, some.badges[-1].ko, some.partial) == (pytest.approx(0.4173), "일부 제외", True)
    assert emission_per_piece(some, Made(9, 9, 9)).partial, "what is made of it is partial too"
    nothing = emission([used()], load(), DAY)
    assert (nothing.value, emission_per_piece(nothing, Made(9, 9, 9)).value) == (None, None)


def test_peak_demand() -> None:
    """100 kW and 200 kW for 7.5 min each: 150 kW over that quarter; a quarter that is half known counts for none."""
    half = 15 * MINUTE // 2
    spans = [
        PowerSpan(0, half, 100, 100),
        PowerSpan(half, 2 * half, 200, 200),
        PowerSpan(2 * half, 3 * half, 900, 900),
        PowerSpan(4 * half, 8 * half, 0, 240),
    ]
    demand = quarters(spans, (0, HOUR))
    assert demand.kw.tolist() == pytest.approx([150.0, np.nan, 60.0, 180.0], nan_ok=True)
    found = peak(demand, (0, HOUR))
    assert (found.value, found.evidence.samples, found.evidence.cover) == (pytest.approx(180.0), 3, 75.0)
    hourly = Demand(np.arange(2) * HOUR, np.array([75.0, np.nan]), HOUR)
    assert peak(hourly, (0, 2 * HOUR)).value == 75.0
    assert peak(hourly, (HOUR, 2 * HOUR)).value is None
    quarter = Demand(np.array([0]), np.array([75.0]), HOUR, np.array([25.0]))
    found = peak(quarter, (0, HOUR))
    assert (found.value, found.evidence.cover, found.indicative) == (75.0, 25.0, True), "three quarters may be greater"


# ── collection, goals ───────────────────────────────────────────────────────────────────────────────────────────────


def test_collection_rate() -> None:
    """57 of 60 readings: 95 %; nothing where something was expected is 0 %, and nothing expected is nothing."""
    found = polled(np.arange(57) * SECOND, 1.0, (0, MINUTE))
    assert (found.value, found.indicative, found.evidence.seen_ns) == (pytest.approx(95.0), False, 56 * SECOND)
    assert polled(array(), 1.0, (0, MINUTE)).value == 0.0
    assert polled(np.arange(6) * 5 * SECOND, 5.0, (0, MINUTE)).value == pytest.approx(50.0)
    assert polled(array(), 1.0, (0, 0)).why == NO_SAMPLES
    minutes = by_pieces([(0, 100.0), (MINUTE, 50.0)], (0, 4 * MINUTE))
    assert minutes.value == pytest.approx(37.5)
    assert [(one.value, one.unit.ko) for one in minutes.parts] == [(1.5, "min"), (4.0, "min")]
    assert found.parts[0][1:] == (57, ("건", "cases"))


def test_goals() -> None:
    goal = Goal(code="P-LT", baseline=0, target=0)
    assert (goal.improvement(5), goal.achievement(5), goal.official) == (None, None, False)
    assert Goal(code="P-UPH", baseline=None, target=5).achievement(5) is None
    cpk = Goal(code="Q-CPK", baseline=-0.2, target=1.0)
    assert (cpk.improvement(1.0), cpk.achievement(1.0)) == (None, 100.0), "better by 1.2 is not -600 %"
    worse = Goal(code="Q-PDR", baseline=2.0, target=3.0)
    assert (worse.achievement(3.0), worse.achievement(1.0)) == (None, None), "more defects are no success"
    assert Goal(code="P-UPH", baseline=1, target=5, approved_on=date(2026, 1, 2), approved_by="TP").official
    with pytest.raises(ValueError, match="no goal"):
        Goal(code="P-UPH", baseline=1, target=2, weight=0)
    with pytest.raises(ValueError, match="another goal: P-LT"):
        score([(goal, Result("P-UPH", 1.0, evidence()))])
