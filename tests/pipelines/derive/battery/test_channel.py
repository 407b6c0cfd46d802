"""Steps, figures and grades of a cycler's channel; a stored curve gives the same record as the live one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.derive.battery.channel import Channel, Event, Rise
from pipelines.derive.battery.grading import Figures, GradingRule, coulombic, dcir_mohm, grade, load
from pipelines.derive.battery.record import Record
from pipelines.derive.battery.replay import regrade
from pipelines.derive.battery.steps import Sample, Step
from pipelines.derive.settle import Reading
from pipelines.errors import ConfigError
from pipelines.point import BAD_NO_COMMUNICATION, GOOD

S = 10**9
T0 = 1_790_000_000 * S
CELL = load().model_copy(
    update={"packs": {"default": load().packs["default"].model_copy(update={"rated_wh": 222.0, "bol_dcir_mohm": 1.4})}}
)
STATES = {"0": "IDLE", "1": "CHG", "2": "REST", "3": "DCH", "4": "PULSE", "5": "END", "6": "ALARM"}
PLAN = ((1, 7200, 24.9), (2, 600, 0.0), (3, 8748, -20.0), (2, 600, 0.0), (4, 10, -60.0), (2, 60, 0.0))
"""State, seconds and current of each step: 48.6 Ah out at C/3 of 60 Ah."""


def curve(*, period_s: int = 10, delta_mv: float = 30.0, end: int = 5) -> list[Reading]:
    """One test of a cell: 3.70 V at rest, 3.61 V at 60 A, 2 mV/K noise-free."""
    found = [Reading(T0, "delta_mv", delta_mv, GOOD), Reading(T0, "pack", "PK-1", GOOD)]
    at_s = 0
    for number, (state, seconds, ampere) in enumerate(PLAN, 1):
        step_s = 1 if state == 4 else period_s
        for second in range(0, seconds, step_s):
            now = T0 + (at_s + second) * S
            volt = 3.70 + ampere * 0.0015
            found += [
                Reading(now, role, value, GOOD)
                for role, value in (
                    ("state", state),
                    ("step", number),
                    ("v", volt),
                    ("i", ampere),
                    ("t", 25.0),
                    ("t1", 24.5),
                )
            ]
        at_s += seconds
    found += [Reading(T0 + at_s * S, "state", end, GOOD), Reading(T0 + at_s * S, "i", 0.0, GOOD)]
    return found


def events_of(readings: list[Reading], restarts: frozenset[int] = frozenset()) -> list[Event]:
    channel, found = Channel(CELL, STATES), list[Event]()
    for index, reading in enumerate(readings):
        if index in restarts:
            kept = orjson.loads(orjson.dumps(channel.state()))
            channel = Channel(CELL, STATES)
            channel.restore(kept)
        found += channel.take(reading)
    return found + channel.until(channel.time_ns + 1)


def record_of(readings: list[Reading]) -> Record:
    (record,) = regrade(readings, CELL, STATES)
    return record


@pytest.mark.parametrize(("gap_s", "at_pulse"), [(30, (pytest.approx(3.60), -60.0)), (31, None)])
def test_a_pulse_is_not_read_where_nobody_measured(gap_s: int, at_pulse: tuple[float, float] | None) -> None:
    """3.61 V at the beginning and 3.58 V 30 s later are 3.60 V at 10 s; over a longer hole nothing is known."""
    step = Step("PULSE", 5, T0, T0, before=(3.70, 0.0))
    step.take(Sample(T0, 3.61, -60.0, None), 10.0)
    step.take(Sample(T0 + gap_s * S, 3.58, -60.0, None), 10.0)
    assert step.at_pulse == at_pulse
    assert step.unknown_ns == (0 if at_pulse else gap_s * S)


def test_oracle_capacity_resistance_and_grade() -> None:
    """domain.md §10.8: 48.6 Ah of 60 Ah are 81.0 %, grade A; 3.70 to 3.61 V at 60 A are 1.5 mΩ."""
    record = record_of(curve())
    figures = record.figures
    assert figures.soh_c == pytest.approx(81.0)
    assert figures.dcir_mohm == pytest.approx(1.5)
    assert (record.grade, record.reasons, record.pack) == ("A", (), "PK-1")
    assert record.ah == pytest.approx(48.6)
    assert figures.soh_e == pytest.approx(100 * 48.6 * 3.67 / 222)
    assert figures.coulombic == pytest.approx(48.6 / 49.8)
    assert record.remarks == ()
    assert record.rule_version == CELL.version
    assert (record.start_ns, record.end_ns) == (T0, T0 + sum(one[1] for one in PLAN) * S)


def test_oracle_a_failed_gate_holds_the_pack_whatever_its_health() -> None:
    """domain.md §10.8: a difference of 85 mV."""
    record = record_of(curve(delta_mv=85.0))
    assert record.figures.soh_c == pytest.approx(81.0)
    assert (record.grade, len(record.reasons)) == ("보류", 1)
    assert "85 mV > 50" in record.reasons[0]


def figures(**some: float | None) -> Figures:
    good = Figures(81.0, 80.0, 80.0, 30.0, 5.0, 0.99, 0.0)
    return replace(good, **some)


@pytest.mark.parametrize(
    ("soh", "expected"), [(81.0, "A"), (80.0, "A"), (79.999, "B"), (70.0, "B"), (69.9, "C"), (60.0, "C"), (59.9, "D")]
)
def test_grades_by_health(soh: float, expected: str) -> None:
    rule = load()
    assert grade(figures(soh_c=soh), rule, rule.pack("")) == (expected, ())


@pytest.mark.parametrize(
    ("some", "word"),
    [
        ({"soh_c": None}, "soh_c"),
        ({"dcir_mohm": None}, "dcir_mohm"),
        ({"delta_mv": None}, "delta_mv"),
        ({"delta_mv": 50.1}, "ΔV"),
        ({"dcir_mohm": 121.0}, "DCIR"),
        ({"insulation_mohm": 0.4}, "insulation"),
        ({"unknown_s": 60.0}, "missing"),
    ],
)
def test_each_gate_holds(some: dict[str, float | None], word: str) -> None:
    rule = load()
    found, reasons = grade(figures(**some), rule, rule.pack(""))
    assert found == "보류"
    assert word in " ".join(reasons)


def test_limits_are_data_and_not_verified() -> None:
    rule = load()
    strict = rule.model_copy(update={"version": "x", "gates": rule.gates.model_copy(update={"delta_mv_max": 20.0})})
    assert not rule.verified
    assert grade(figures(), strict, rule.pack(""))[0] == "보류"
    assert grade(figures(), rule.model_copy(update={"packs": {}}), None)[0] == "보류"


def test_efficiency_needs_a_charge_from_empty() -> None:
    assert coulombic(48.6, 49.0) == pytest.approx(0.99184, abs=1e-5)
    assert coulombic(48.6, 30.0) is None
    assert coulombic(48.6, 0.0) is None
    assert dcir_mohm((3.7, 0.0), (3.7, 0.0)) is None


def test_steps_are_told_as_they_end() -> None:
    steps = [one for one in events_of(curve()) if isinstance(one, Step)]
    assert [(one.kind, one.number, round(one.ah, 3)) for one in steps] == [
        ("CHG", 1, 49.8), ("REST", 2, 0.0), ("DCH", 3, 48.6), ("REST", 4, 0.0), ("PULSE", 5, 0.167), ("REST", 6, 0.0)
    ]  # fmt: skip
    assert all(one.unknown_ns == 0 for one in steps)


def test_a_discharge_whose_beginning_nobody_saw_measures_no_capacity() -> None:
    late = [one for one in curve() if one.time_ns > T0 + 9000 * S or one.role in {"delta_mv", "pack"}]
    record = record_of(late)
    assert record.figures.soh_c is None
    assert (record.grade, record.reasons) == ("보류", ("미측정 soh_c (not measured)",))
    idle = Reading(T0 + 8990 * S, "state", 0, GOOD)
    assert record_of([idle, *late]).figures.soh_c is not None


def test_an_alarm_of_the_cycler_ends_the_test_on_hold() -> None:
    record = record_of(curve(end=6))
    assert record.grade == "보류"
    assert "시험 중단 (test aborted)" in record.reasons


def test_time_without_data_is_counted_and_not_made_up() -> None:
    readings = [one for one in curve() if not T0 + 9000 * S < one.time_ns <= T0 + 9300 * S]
    lost = [Reading(T0 + 9001 * S, role, 0, BAD_NO_COMMUNICATION) for role in ("state", "v", "i")]
    record = record_of([*readings, *lost])
    assert record.figures.unknown_s == pytest.approx(310)
    assert record.ah == pytest.approx(48.6 - 20 * 310 / 3600)
    assert record.grade == "보류"


def test_conditions_off_the_standard_are_said() -> None:
    hot = [one._replace(value=31.0) if one.role == "t" else one for one in curve()]
    assert record_of(hot).remarks == ("온도 (temperature) 31.00 ℃, 23-27",)
    assert record_of([one for one in curve() if one.role[0] != "t"]).remarks == (
        "온도 (temperature) 미측정 (not measured)",
    )


def test_a_pack_that_warms_too_fast_is_told_once() -> None:
    def rises(k_per_min: float) -> list[Rise]:
        readings = [Reading(T0 + s * S, "t", 25 + max(0, s - 100) * k_per_min / 60, GOOD) for s in range(600)]
        return [one for one in events_of(readings) if isinstance(one, Rise)]

    assert rises(0.9) == []
    (rise,) = rises(1.5)
    assert rise.k_per_min > 1.0
    assert rise.time_ns < T0 + 160 * S


def test_noise_is_no_warming() -> None:
    """0.4 ℃ up and down again within 10 s is 2.4 ℃/min, and 0.8 ℃/min over the half minute that counts."""
    readings = [Reading(T0 + s * S, "t", 25 + 0.4 * (s // 10 % 2), GOOD) for s in range(600)]
    assert [one for one in events_of(readings) if isinstance(one, Rise)] == []


@settings(max_examples=15, deadline=None)
@given(st.frozensets(st.integers(0, 3000), max_size=6), st.sampled_from([20, 30]))
def test_a_restart_anywhere_changes_nothing(restarts: frozenset[int], period_s: int) -> None:
    readings = sorted(curve(period_s=period_s), key=lambda one: (one.time_ns, one.role))
    live = events_of(readings, restarts)
    assert live == events_of(readings)
    assert [one for one in live if isinstance(one, Record)] == regrade(reversed(readings), CELL, STATES)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 8747), unique=True, max_size=5).map(sorted))
def test_charge_adds_up_wherever_the_discharge_is_sampled_or_cut(cuts: list[int]) -> None:
    """Further samples anywhere in it, and steps that begin there, take nothing away."""
    start = T0 + 7800 * S
    readings = [*curve(period_s=30)]
    for number, second in enumerate(cuts, 100):
        now = start + second * S
        readings += [Reading(now, "step", number, GOOD), Reading(now, "i", -20.0, GOOD), Reading(now, "v", 3.67, GOOD)]
    readings = [one for one in readings if one.role != "step" or one.time_ns < start or one.value >= 100
                or one.time_ns >= start + 8748 * S]  # fmt: skip
    steps = [
        one for one in events_of(sorted(readings, key=lambda one: (one.time_ns, one.role))) if isinstance(one, Step)
    ]
    assert math.fsum(one.ah for one in steps if one.kind == "DCH") == pytest.approx(48.6)


@pytest.mark.parametrize("text", ["version: 1", "a: [", ""])
def test_a_file_that_is_no_rule_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rule.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="no grading rule"):
        load(path)


def test_rules_are_models() -> None:
    assert isinstance(load(), GradingRule)
