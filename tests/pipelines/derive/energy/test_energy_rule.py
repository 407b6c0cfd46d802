"""A machine's readings to points of its energy: per hour, per lot, per piece."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.derive.energy.factors import Factor, load
from pipelines.derive.energy.rule import EnergyRule
from pipelines.derive.energy.span import HOUR_NS, Meter, Power
from pipelines.derive.packed import pack
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.point import BAD, BAD_NO_COMMUNICATION, GOOD

S = 10**9
MIN = 60 * S
H0 = 497_000 * HOUR_NS
TAGS = {
    "total": Ref("P1", "shots"),
    "ng": Ref("P1", "ng"),
    "lot": Ref("P1", "lot_id"),
    "product": Ref("P1", "product"),
    "meter": Ref("M1", "kwh"),
}
FACTORS = load()
Heard = tuple[int, str, Value, int]


def rule(meter: Power | Meter | None = None, factors: tuple[Factor, ...] = FACTORS) -> EnergyRule:
    return EnergyRule("P1", TAGS, meter or Meter(MIN), factors, {TAGS["total"]: 1 << 16})


def points(
    heard: list[Heard], *, until_ns: int = 0, restarts: frozenset[int] = frozenset(), **made: Any
) -> list[Derived]:
    one, found = rule(**made), list[Derived]()
    for index, (time_ns, role, value, status) in enumerate(heard):
        if index in restarts:
            kept, one = one.state(), rule(**made)
            one.restore(kept)
        one.take(TAGS[role], time_ns, value, status)
        found += one.lines()
    one.take(TAGS["meter"], until_ns, 0, BAD_NO_COMMUNICATION)
    one.tick(until_ns + 4 * S)
    return found + list(one.lines())


def shift() -> list[Heard]:
    """Two hours at 36 kW, 1 piece every 36 s, one of ten bad, the counter of shots rolling over; two lots."""
    found: list[Heard] = [(H0, "lot", "L1", GOOD), (H0, "product", "A-7", GOOD)]
    for index in range(241):
        now = H0 + index * 30 * S
        found.append((now, "meter", 1000 + index * 0.3, GOOD))
        found.append((now, "total", (65_500 + index) % 65_536, GOOD))
        found.append((now, "ng", index // 10, GOOD))
    found += [(H0 + 90 * MIN, "lot", "L2", GOOD), (H0 + 120 * MIN, "lot", "", GOOD)]
    return sorted(found, key=lambda one: one[0])


def test_a_shift_by_hour_and_lot() -> None:
    told = points(shift(), until_ns=H0 + 130 * MIN)
    shown = [(dict(one.tags)["per"], one.time_ns, one.fields) for one in told]
    hours = [(time_ns, fields) for per, time_ns, fields in shown if per == "hour"]
    lots = [(time_ns, fields) for per, time_ns, fields in shown if per == "lot"]
    assert [time_ns for time_ns, _ in hours] == [H0, H0 + HOUR_NS]
    first = hours[0][1]
    assert first["kwh"] == pytest.approx(36.0)
    assert first["demand_kw"] == pytest.approx(36.0)
    assert (first["cover"], first["pieces"], first["factor"]) == (100.0, 108, 0.4173)
    assert first["co2_kg"] == pytest.approx(36 * 0.4173)
    assert [(fields["lot"], fields["end"], fields.get("product")) for _, fields in lots] == [
        ("L1", H0 + 90 * MIN, "A-7"),
        ("L2", H0 + 120 * MIN, None),
    ]
    assert [fields["kwh"] for _, fields in lots] == pytest.approx([54.0, 18.0])
    # 240 shots and 24 bad ones: at the change of the lot 180 and 18, which belong to the first.
    assert [fields["pieces"] for _, fields in lots] == [162, 54]
    assert lots[0][1]["kwh_per_piece"] == pytest.approx(54 / 162, rel=1e-8)


@pytest.mark.parametrize(("verified", "said"), [(True, None), (False, False)])
def test_a_factor_that_nobody_verified_says_so_in_each_point(verified: bool, said: bool | None) -> None:
    factors = tuple(one.model_copy(update={"verified": verified}) for one in FACTORS)
    told = points(shift(), until_ns=H0 + 130 * MIN, factors=factors)
    assert [one.fields.get("factor_verified") for one in told if "factor" in one.fields] == [said] * 4


def test_a_reset_of_the_meter_makes_up_nothing() -> None:
    heard: list[Heard] = [
        (H0, "meter", 500.0, GOOD),
        (H0 + MIN, "meter", 501.0, GOOD),
        (H0 + 2 * MIN, "meter", 0.2, GOOD),
        (H0 + 3 * MIN, "meter", 1.2, GOOD),
    ]
    (hour,) = points(heard, until_ns=H0 + 90 * MIN)
    assert hour.fields["kwh"] == pytest.approx(2.0)
    assert hour.fields["cover"] == pytest.approx(100 * 2 / 60, abs=0.001)


def test_a_meter_that_rolls_over_goes_on() -> None:
    heard: list[Heard] = [(H0, "meter", 999.5, GOOD), (H0 + MIN, "meter", 0.5, GOOD)]
    (hour,) = points(heard, until_ns=H0 + 90 * MIN, meter=Meter(MIN, 1000.0))
    assert hour.fields["kwh"] == pytest.approx(1.0)


def test_a_counter_goes_on_while_nobody_reads_it() -> None:
    heard: list[Heard] = [
        (H0 + 30 * MIN, "meter", 100.0, GOOD),
        (H0 + 31 * MIN, "meter", 0.0, BAD_NO_COMMUNICATION),
        (H0 + 90 * MIN, "meter", 160.0, GOOD),
        (H0 + 121 * MIN, "meter", 160.0, GOOD),
    ]
    first, second = points(heard, until_ns=H0 + 122 * MIN)
    assert [first.fields["kwh"], second.fields["kwh"]] == pytest.approx([30.0, 30.0])
    assert (first.fields["cover"], second.fields["cover"]) == (0.0, 0.0)
    assert "demand_kw" not in first.fields


def test_no_energy_without_a_reading() -> None:
    (hour,) = points([(H0, "total", 5, GOOD), (H0 + MIN, "total", 8, GOOD)], until_ns=H0 + 90 * MIN)
    assert dict(hour.fields) == {"cover": 0.0, "pieces": 3}


def test_a_power_that_does_not_change_is_counted_by_the_hour() -> None:
    one = rule(Power(held=True, max_gap_ns=MIN))
    one.take(TAGS["meter"], H0 - MIN, 20.0, GOOD)
    one.tick(H0 + 130 * S)
    one.tick(H0 + 60 * MIN + 130 * S)
    told = one.lines()
    assert [(point.time_ns, point.fields["kwh"]) for point in told] == [
        (H0 - HOUR_NS, pytest.approx(20 / 60)),
        (H0, pytest.approx(20.0)),
    ]
    assert told[1].fields["demand_kw"] == 20.0


def test_a_clock_that_is_ahead_of_the_readings_tells_nothing_early() -> None:
    """In a simulation that runs fast, readings are minutes behind ticks: each hour is told once all the same."""
    one, told = rule(), 0
    for index in range(130):
        one.take(TAGS["meter"], H0 + index * MIN, index, GOOD)
        one.tick(H0 + index * MIN + HOUR_NS // 2)
        told += len(one.lines())
    assert told == 2


def test_after_a_long_absence_a_power_is_not_taken_for_still_in_force() -> None:
    def later(away_ns: int) -> list[float]:
        one = rule(Power(held=True, max_gap_ns=MIN))
        one.take(TAGS["meter"], H0, 20.0, GOOD)
        one.tick(H0 + 4 * S)
        kept, again = one.state(), rule(Power(held=True, max_gap_ns=MIN))
        again.restore(kept)
        again.tick(H0 + away_ns)
        again.take(TAGS["meter"], H0 + 50 * MIN, 20.0, GOOD)
        again.tick(H0 + 63 * MIN)
        return [float(point.fields["kwh"]) for point in again.lines()]

    assert later(30 * S) == pytest.approx([20.0])
    assert later(40 * MIN) == pytest.approx([20 / 6])


def test_readings_of_two_links_that_come_a_little_late_change_nothing() -> None:
    late = [
        (time_ns + (2 * S if role == "lot" else 0), (time_ns, role, value, status))
        for time_ns, role, value, status in shift()
    ]
    arrived = [one for _, one in sorted(late, key=lambda one: one[0])]
    assert points(arrived, until_ns=H0 + 130 * MIN) == points(shift(), until_ns=H0 + 130 * MIN)


@settings(max_examples=30, deadline=None)
@given(st.frozensets(st.integers(0, 720), max_size=8), st.sets(st.integers(0, 720), max_size=40))
def test_restarts_anywhere_change_nothing(restarts: frozenset[int], bad: set[int]) -> None:
    heard = [
        (time_ns, role, value, BAD if index in bad else GOOD) for index, (time_ns, role, value, _) in enumerate(shift())
    ]
    whole = points(heard, until_ns=H0 + 130 * MIN)
    assert points(heard, until_ns=H0 + 130 * MIN, restarts=restarts) == whole
    lots, hours = (
        sum(float(one.fields.get("kwh", 0)) for one in whole if dict(one.tags)["per"] == per) for per in ("lot", "hour")
    )
    assert hours >= lots - 1e-6


@pytest.mark.parametrize("state", [pack({}), pack([]), pack({"meter": 3})])
def test_a_state_of_something_else_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match="energy/P1"):
        rule().restore(state)
