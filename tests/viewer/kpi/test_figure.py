"""Every figure by its code: nothing collected is no value, and what is collected is what its own function says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.derive.energy.factors import load
from pipelines.derive.signals import DOWN, RUN
from viewer.kpi.catalog import CATALOG
from viewer.kpi.energy import Demand, Used
from viewer.kpi.entered import Entry
from viewer.kpi.figure import figure
from viewer.kpi.inputs import Counts, Cycles, Inputs, Minutes
from viewer.kpi.orders import Order
from viewer.kpi.production import Crew, Produced
from viewer.kpi.spans import Spans
from viewer.kpi.words import OTHER_PROFILE, Text
from viewer.query.energy import together

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
PERIOD = (1_788_735_600 * 10**9, 1_788_735_600 * 10**9 + 8 * HOUR)
T0 = PERIOD[0]


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def times(*hours: float) -> np.ndarray:
    return np.array([T0 + round(one * HOUR) for one in hours], dtype=np.int64)


FULL = Inputs(
    period=PERIOD,
    working=[PERIOD],
    spans=Spans.of([(T0, T0 + 6 * HOUR, RUN), (T0 + 6 * HOUR, T0 + 7 * HOUR, DOWN), (T0 + 7 * HOUR, PERIOD[1], RUN)]),
    counts=Counts(time_ns=times(-1, 4, 7.9), total=np.array([0, 400, 700]), good=np.array([0, 390, 686])),
    ideal_s=30.0,
    before=Produced(1120, 16 * HOUR),
    cycles=Cycles(time_ns=times(1), duration_s=array(31.0), counts=np.array([5])),
    values=array(10, 12, 11, 13, 9),
    limits=(2.0, 18.0),
    uses=[Used("electricity", times(*range(8)), np.full(8, 8.575), np.full(8, 100.0))],
    demand=Demand(times(0), array(40.0), HOUR),
    factors=load(),
    orders=[Order(confirmed_ns=T0, started_ns=T0, completed_ns=T0 + HOUR, due_ns=T0 + HOUR, shipped_ns=T0 + 2 * HOUR)],
    crews=[Crew(*PERIOD, 7)],
    inspections=[Entry(T0, 1, 100)],
    claims=[Entry(T0, 2, 100)],
    stock=[Entry(T0, 97, 100)],
    stock_krw=[Entry(T0, 5e6)],
    accidents=[Entry(T0, 0, 40)],
    near=[Entry(T0, 3)],
    raised_ns=times(1, 2),
    watched=[PERIOD],
    gas=Minutes(start_ns=times(0), mean=array(60.0), cover=array(100.0)),
    gas_limit=50.0,
    collected=[(T0, 100.0)],
)
VALUES = {
    "P-UPH": 700 / 8, "P-UTIL": 87.5, "P-OEE": 686 * 30 / 288, "P-OEE.A": 87.5, "P-OEE.E": 700 * 30 / 252,
    "P-OEE.TA": 87.5, "P-OEE.TP": 700 * 30 / 252, "P-OEE.Q": 98.0, "P-LT": 1.0, "P-CT": 31.0, "P-QTY": 25.0,
    "P-MTBF": 7.0, "P-MTTR": 60.0, "Q-PDR": 2.0, "Q-PDR.ppm": 20_000, "Q-FDR": 1.0, "Q-CLM": 2.0, "Q-CPK": 1.1697,
    "Q-CPK.Cp": 1.3369, "Q-CPK.Ppk": 1.4757, "Q-CPK.Pp": 1.6865, "C-MH": 0.08, "C-KWH": 0.1, "C-INV": 5e6,
    "C-INV.accuracy": 97.0, "D-OTD": 0.0, "D-O2S": 2.0, "S-ALM": 2, "S-ALM.over": 1, "S-INJ": 0.0, "S-INJ.near": 3,
    "E-CO2": 0.0286268, "E-CO2.piece": 0.04173, "E-PEAK": 40.0, "DQ-RATE": 100 / 480,
}  # fmt: skip
"""By hand: 7 of 8 h run, 700 pieces of which 686 good, 68.6 kWh, 56 man-hours; 288 and 252 are hundreds of seconds."""


@pytest.mark.parametrize("code", CATALOG)
def test_nothing_collected_is_no_value(code: str) -> None:
    """Not a 0 anywhere, and a reason everywhere."""
    for working, spans in (([], None), ([PERIOD], None), ([PERIOD], Spans.of([]))):
        found = figure(code, Inputs(period=PERIOD, working=working, spans=spans))
        assert (found.code, found.value, found.evidence.samples) == (code, None, 0)
        assert found.why is not None


@pytest.mark.parametrize("code", CATALOG)
def test_a_figure_by_hand(code: str) -> None:
    profile = "tpm_kr" if code.startswith("P-OEE.T") else "iso22400"
    found = figure(code, replace(FULL, profile=profile))
    assert found.value == pytest.approx(VALUES[code], rel=1e-4)
    assert found.evidence.period == PERIOD
    assert found.evidence.samples > 0


def test_pieces_of_overtime_are_in_no_man_hours() -> None:
    """Of 8 h 4 are working time: 7 people x 4 h for the 400 pieces of them, not for all 700."""
    found = figure("C-MH", replace(FULL, working=[(T0, T0 + 4 * HOUR + MINUTE)]))
    assert found.value == pytest.approx(7 * (4 + 1 / 60) / 400)


def test_pieces_per_hour_of_a_line_are_of_its_machines_hours() -> None:
    """Two machines of 700 in 8 h: 87.5 an hour of either, with states or without; one with and one without is named."""
    one, two = (replace(FULL, name=Text(name, name)) for name in ("a", "b"))
    blind = [replace(machine, spans=None) for machine in (one, two)]
    for machines in ([one, two], blind):
        line = replace(FULL, spans=None, machines=machines)
        assert figure("P-UPH", line).value == pytest.approx(87.5)
        assert len(line.added_up("P-UPH")) == 2
    mixed = replace(FULL, spans=None, machines=[one, blind[1]])
    found = figure("P-UPH", mixed)
    assert (found.value, len(mixed.added_up("P-UPH")), len(mixed.added_up("Q-PDR"))) == (pytest.approx(87.5), 1, 2)
    assert found.notes[0].ko.startswith("제외: b ")


def test_an_hour_that_one_of_two_meters_lacks_is_in_no_energy_per_piece() -> None:
    """10 kWh an hour of each; the second lacks the last four: 80 kWh of 390 good pieces, not 120 of 686."""
    counts = Counts(time_ns=times(-1, 3.5, 7.9), total=np.array([0, 400, 700]), good=np.array([0, 390, 686]))
    one, two = (Used("electricity", times(*range(n)), np.full(n, 10.0), np.full(n, 100.0)) for n in (8, 4))
    of = replace(FULL, counts=counts, uses=[together([one, two])])
    for code, value in (("C-KWH", 80 / 390), ("E-CO2.piece", 80 * 0.4173 / 390)):
        found = figure(code, of)
        assert (found.value, found.evidence.cover) == (pytest.approx(value, rel=1e-4), pytest.approx(50))
        assert [part.value for part in found.evidence.left_out] == [296]
    emitted = figure("E-CO2", of)
    assert (emitted.value, emitted.evidence.cover) == (pytest.approx(120 * 0.4173 / 1000), pytest.approx(75))
    none = replace(of, uses=[together([one.only([(T0, T0 + HOUR)]), two.only([(T0 + HOUR, T0 + 2 * HOUR)])])])
    assert (figure("C-KWH", none).value, figure("E-CO2.piece", none).value) == (None, None)


def test_a_machine_without_states() -> None:
    """700 pieces in 8 h of the calendar; nothing that needs states has a value."""
    silent = replace(FULL, spans=None)
    assert figure("P-UPH", silent).value == pytest.approx(87.5)
    assert figure("Q-PDR", silent).value == pytest.approx(2.0)
    assert {figure(code, silent).value for code in ("P-OEE", "P-UTIL", "P-MTBF", "P-MTTR")} == {None}


def test_a_machine_without_states_whose_counter_was_read_half_the_time() -> None:
    """Read from the 4th hour of 8 on, 300 pieces since: 75 an hour of 4 h, not 37.5 of 8; those before are told."""
    half = replace(FULL, spans=None, heard=Spans.of([(T0 + 4 * HOUR, PERIOD[1], RUN)]))
    found = figure("P-UPH", half)
    assert (found.value, found.evidence.cover, found.indicative) == (pytest.approx(75), pytest.approx(50), True)
    assert [(one.what.en, one.value) for one in found.evidence.left_out] == [
        ("unknown time", 240), ("made while nothing was collected", 400),
    ]  # fmt: skip
    assert figure("Q-PDR", half).evidence.cover == pytest.approx(50)
    line = replace(FULL, spans=None, machines=[half, replace(half, heard=Spans.of([(T0 - HOUR, PERIOD[1], RUN)]))])
    assert figure("P-UPH", line).value == pytest.approx((300 + 700) / 12)
    unsure = replace(line, machines=[half, replace(half, heard=None)])
    assert (figure("P-UPH", unsure).value, figure("P-UPH", unsure).evidence.cover) == (pytest.approx(87.5), None)
    tells = replace(FULL, counting=False)
    beside = replace(line, machines=[tells, *line.machines])
    assert figure("P-UPH", beside).value == pytest.approx((300 + 700) / 12), "one that tells states and does not count"
    assert figure("Q-PDR", beside).evidence.cover == pytest.approx(75), "of those that count"


def test_cycles_were_collected_while_the_state_of_their_machines_was() -> None:
    """Known for 4 of 8 h: 50 %, 참고치; a machine that records no cycles says nothing of them."""
    half = replace(FULL, spans=Spans.of([(T0, T0 + 4 * HOUR, RUN)]))
    for code in ("P-CT", "Q-CPK", "Q-CPK.Ppk"):
        assert figure(code, FULL).evidence.cover == pytest.approx(100.0)
        assert (figure(code, half).evidence.cover, figure(code, half).indicative) == (pytest.approx(50.0), True)
        assert figure(code, replace(half, spans=None)).evidence.cover is None
    line = replace(half, spans=None, machines=[half, replace(FULL, cycling=False, judged=False)])
    assert figure("P-CT", line).evidence.cover == figure("Q-CPK", line).evidence.cover == pytest.approx(50.0)


def test_a_factor_of_the_other_profile_has_no_value() -> None:
    assert figure("P-OEE.TA", FULL).value is None
    assert (figure("P-OEE.TA", FULL).code, figure("P-OEE.TA", FULL).why) == ("P-OEE.TA", OTHER_PROFILE)
    with pytest.raises(KeyError):
        figure("X-1", FULL)


def test_pieces_of_hours_without_energy_are_not_divided_by() -> None:
    """40 kWh of four hours in which 390 good pieces were made, not the 686 of eight: 0.10256 and 0.0428 kg of each."""
    counts = Counts(time_ns=times(-1, 3.5, 7.9), total=np.array([0, 400, 700]), good=np.array([0, 390, 686]))
    gas = Used("lng", times(*range(8)), np.full(8, 1.0), np.full(8, 100.0))
    power = Used("electricity", times(*range(4)), np.full(4, 10.0), np.full(4, 100.0))
    of = replace(FULL, counts=counts, uses=[power])
    for code, value in (("C-KWH", 40 / 390), ("E-CO2.piece", 40 * 0.4173 / 390)):
        found = figure(code, of)
        assert found.value == pytest.approx(value, rel=1e-4)
        assert [one.value for one in found.evidence.left_out] == [296]
    both = figure("E-CO2.piece", replace(of, uses=[power, gas]))
    assert [one.value for one in both.evidence.left_out] == [296], "gas of hours without electricity is left out too"
    only = figure("E-CO2.piece", replace(of, uses=[power, gas.only([(one, one + HOUR) for one in times(0, 1, 2, 3)])]))
    assert both.value == only.value
