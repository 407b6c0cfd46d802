"""Hand-computed oracles of decode, counters, states, exposure, batteries, days and key figures, and where they are.

What is held elsewhere is named here, so that none is lost when a test is moved; what no single part can show is here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from pipelines.calendar import Calendar
from pipelines.derive.activity import Activity
from pipelines.derive.count import CountRule
from pipelines.derive.rule import Derived, Ref
from pipelines.derive.settings import CalendarSettings
from pipelines.derive.signals import DOWN, MINOR, PLANNED, RUN, SETUP, Word
from pipelines.derive.state import StateRule
from viewer.kpi.counted import made, standard_s
from viewer.kpi.oee import Profile, oee
from viewer.kpi.spans import Spans, times
from viewer.states import runs
from viewer.stores.base import Points

TESTS: Final = Path(__file__).parents[1]
HELD: Final = {
    "decode: SDM630 0x4366 0x3333 is 230.2 V, swapped words 4.2e-08 are flagged; TK 8405 at dp 1 is 840.5 ℃, 31000 "
    "an open sensor; iG5A 000A raw 3000 is 30.00 Hz": (
        "connectors/modbus/test_special.py::test_oracles_of_real_devices",
        "connectors/modbus/test_profiles.py::test_sdm630",
        "connectors/modbus/test_profiles.py::test_ls_ig5a",
    ),
    "counters: 65530 → 4 is +10, 1200 → 0 → 3 a reset and +3, 1000 → 980 a reset suspected and not −20": (
        "connectors/modbus/test_values.py::test_oracles_of_counters",
        "pipelines/derive/test_counts.py::test_rollover_reset_and_what_is_read_twice",
    ),
    "states: Execute is 6 of ISA-TR88 and 4 of OPC 30050; loss of communication is unknown, never downtime": (
        "pipelines/derive/test_machine_states.py::test_packml_by_both_enumerations",
        "pipelines/derive/test_machine_states.py::test_comm_loss_and_bad_quality_are_unknown_and_never_downtime",
    ),
    "states: a shift of 480 min with 370 of production, 30 of breakdown, 25 of setup, 15 of minor stops, 40 planned": (
        "oracles/test_hand_computed.py::test_a_shift_by_hand",
    ),
    "exposure: 6 h at 20 ppm and 2 h at 90 ppm are 37.5 ppm; STEL is the greatest 15-minute mean": (
        "pipelines/derive/test_exposure.py::test_the_oracle",
        "pipelines/derive/test_exposure.py::test_the_15_minute_mean_moves_each_minute",
    ),
    "battery: 48.6 Ah of 60 Ah are 81.0 %, grade A; 3.70 → 3.61 V at 60 A are 1.5 mΩ; 85 mV hold the pack": (
        "pipelines/derive/battery/test_channel.py::test_oracle_capacity_resistance_and_grade",
        "pipelines/derive/battery/test_channel.py::test_oracle_a_failed_gate_holds_the_pack_whatever_its_health",
    ),
    "production day: 23:50 to 00:20 belongs to the day before, lunch is no working time": (
        "pipelines/test_calendar.py::test_an_event_over_midnight_belongs_to_the_day_before",
        "pipelines/test_calendar.py::test_lunch_is_no_working_time",
        "oracles/test_hand_computed.py::test_a_stop_over_midnight_is_of_one_production_day",
    ),
    "CO2: 12,345 kWh are 5.152 t by the factor of 2023, 5.606 t by the one before": (
        "pipelines/derive/energy/test_factors.py::test_12345_kwh",
        "viewer/kpi/test_oracles.py::test_4_co2",
    ),
    "OEE: 84.09 × 94.59 × 98 % by ISO 22400-2, 87.5 × 90.91 × 98 % by TPM, 77.95 % by both": (
        "viewer/kpi/test_oracles.py::test_1_oee",
    ),
    "KPI: 1320 → 1080, actual 1150: 12.88 % better, 70.83 % achieved; with 108.33 % 89.58 %, capped 85.42 %": (
        "viewer/kpi/test_oracles.py::test_2_achievement",
    ),
    "programme: 260 of 160 are 162.5 %, 903 of 846 are 106.7 %": ("viewer/kpi/test_oracles.py::test_3_programme",),
    "freshness: 59 s fresh, 61 s delayed, from 10 min on lost, from 24 h on nothing": (
        "viewer/kpi/test_oracles.py::test_11_freshness",
        "viewer/test_overview.py::test_freshness_by_age",
    ),
    "no data: without samples no value, no achievement, and the weights divided anew are shown": (
        "viewer/kpi/test_oracles.py::test_12_no_data",
    ),
}


@pytest.mark.parametrize("place", [place for places in HELD.values() for place in places])
def test_every_oracle_has_its_test(place: str) -> None:
    file, name = place.split("::")
    assert re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE), place


S: Final = 10**9
MINUTE: Final = 60
SHIFT: Final = 1_788_735_600 * S
"""2026-09-07 08:00 in Korea, a Monday."""
WORD, TOTAL, GOOD = (Ref("M", tag) for tag in ("state", "total", "good"))
PIECES, BAD_PIECES = 700, 14
IDEAL_S = 30.0
SLOWER, PAUSES = 146, 6
"""Of the 700 intervals between pieces: six are pauses of 240 s, 146 take 32 s, all others 31 s."""


def intervals() -> Iterator[int]:
    """Seconds to each piece: 385 min in all."""
    for piece in range(PIECES):
        yield 240 if piece % 120 == 70 and piece < 120 * PAUSES else 32 if piece % 4 == 1 and piece < 4 * SLOWER else 31


def test_a_shift_by_hand() -> None:
    """The times of an OEE of 77.95 %: by ISO 22400-2 84.09 × 94.59 × 98 %, by Korean TPM 87.5 × 90.91 × 98 %."""
    states = StateRule("M", Word(WORD, {}), Activity(TOTAL, IDEAL_S))
    counts = CountRule("M", {"total": TOTAL, "good": GOOD}, IDEAL_S, {})
    points: list[Derived] = []
    now = 0

    def stands(code: int, minutes: int) -> None:
        nonlocal now
        states.take(WORD, SHIFT + now * S, code, 0)
        for _ in range(minutes * MINUTE):
            states.tick(SHIFT + now * S)
            now += 1
        states.take(WORD, SHIFT + now * S, RUN, 0)

    for rule in (states, counts):
        rule.take(TOTAL, SHIFT, 0, 0)
        rule.take(GOOD, SHIFT, 0, 0)
    stands(SETUP, 25)
    for piece, seconds in enumerate(intervals(), 1):
        for _ in range(seconds):
            states.tick(SHIFT + now * S)
            now += 1
        states.tick(SHIFT + now * S)
        for rule in (states, counts):
            rule.take(TOTAL, SHIFT + now * S, piece, 0)
            rule.take(GOOD, SHIFT + now * S, max(0, piece - BAD_PIECES), 0)
        states.tick(SHIFT + now * S)
        if piece == 300:
            stands(PLANNED, 40)
        if piece == 500:
            stands(DOWN, 30)
    points += [*states.lines(), *counts.lines()]
    assert now == 480 * MINUTE
    assert minutes_of(points, now) == {RUN: 370, SETUP: 25, DOWN: 30, MINOR: 15, PLANNED: 40}
    totals = [one.fields for one in points if one.measurement == "count"]
    assert (totals[-1]["total"], totals[-1]["good"]) == (PIECES, PIECES - BAD_PIECES)
    assert figures(points, "iso22400", now) == [84.09, 94.59, 98.0, 77.95]
    assert figures(points, "tpm_kr", now) == [87.5, 90.91, 98.0, 77.95]


def figures(points: list[Derived], profile: Profile, end: int) -> list[float | None]:
    """The three factors and the OEE, by what a store would have kept of the points."""

    def column(measurement: str, field: str) -> Points:
        rows = [(one.time_ns, one.fields[field]) for one in points if one.measurement == measurement]
        return Points(*(np.array(one, dtype=np.int64) for one in zip(*rows, strict=True)))

    period = SHIFT, SHIFT + end * S
    spans = Spans.of(runs(column("state", "code"), *period))
    total = column("count", "total")
    pieces = made(total.time_ns, total.value, column("count", "good").value, [(SHIFT, period[1] + 1)], spans)
    found = oee(times(spans, [period]), pieces, standard_s([(pieces, IDEAL_S)]), period, profile)
    results = (found.availability, found.performance, found.quality, found.whole)
    return [None if one.value is None else round(one.value, 2) for one in results]


def minutes_of(points: list[Derived], end: int) -> dict[int, float]:
    """Minutes in each state, by the beginnings that points tell."""
    began = dict.fromkeys(
        (int(one.fields["since"]), int(one.fields["code"])) for one in points if one.measurement == "state"
    )
    found: Counter[int] = Counter()
    for (since, code), (following, _) in zip(began, [*list(began)[1:], (SHIFT + end * S, 0)], strict=True):
        found[code] += following - since
    return {code: nanoseconds / S / MINUTE for code, nanoseconds in found.items()}


def test_a_stop_over_midnight_is_of_one_production_day() -> None:
    """From 23:50 to 00:20: the state says when it began, and both ends are of Monday, whose day ends at 08:00."""
    calendar = Calendar(CalendarSettings.model_validate({
        "shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}, {"name": "야간", "from": "20:00", "to": "08:00"}],
        "breaks": ["12:00-13:00", "00:00-00:10"],
    }))  # fmt: skip
    rule = StateRule("M", Word(WORD, {}), calendar=calendar)
    began, ended = SHIFT + (15 * 60 + 50) * MINUTE * S, SHIFT + (16 * 60 + 20) * MINUTE * S
    rule.take(WORD, began, DOWN, 0)
    rule.take(WORD, ended, RUN, 0)
    down, run = rule.lines()
    assert (down.fields["since"], run.fields["since"]) == (began, ended)
    days = {calendar.production_day(int(one.fields["since"])) for one in (down, run)}
    assert {day.isoformat() for day in days} == {"2026-09-07"}
    assert calendar.working_ns(began, ended) == 20 * MINUTE * S, "the break in it is no working time"
