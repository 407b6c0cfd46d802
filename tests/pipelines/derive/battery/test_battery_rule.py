"""A cycler's tags to points, live, and the same record again from the stored raw curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.derive.battery.grading import load
from pipelines.derive.battery.replay import regrade
from pipelines.derive.battery.rule import BatteryRule, record_fields
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.kept import Kept
from pipelines.derive.packed import pack
from pipelines.derive.rule import Derived, Ref
from pipelines.derive.settle import Reading
from pipelines.encode.line import line
from pipelines.place import Place
from pipelines.point import GOOD
from pipelines.sinks.lineprotocol import parse
from tests.pipelines.derive.battery.test_channel import CELL, STATES, T0, S, curve

ROLES = ("state", "step", "v", "i", "t", "t1", "pack", "delta_mv")
TAGS = {role: Ref("CYC-01", f"ch1_{role}") for role in ROLES}
PLACE = Place("cycler", "acme", "pohang", "", "CYC-01")


def live(readings: list[Reading], restarts: frozenset[int] = frozenset()) -> list[Derived]:
    """Through the engine, a delivery for each moment, with the agent's ticks."""
    rule = BatteryRule("CYC-01", "ch1", TAGS, STATES, CELL)
    points: list[Derived] = []
    for index, reading in enumerate(readings):
        if index in restarts:
            kept, rule = rule.state(), BatteryRule("CYC-01", "ch1", TAGS, STATES, CELL)
            rule.restore(kept)
        rule.take(TAGS[reading.role], *reading[:1], reading.value, reading.status)
        points += rule.lines()
        if index % 50 == 0:
            rule.tick(reading.time_ns)
    rule.tick(readings[-1].time_ns + 10 * S)
    return points + list(rule.lines())


def test_a_record_is_the_same_from_the_stored_curve() -> None:
    """Raw readings go to the store as line protocol; read back, the same rule makes the same record of them."""
    readings = sorted(curve(period_s=20), key=lambda one: one.time_ns)
    points = live(readings, frozenset({100, 2000}))
    body = b"".join(line(PLACE.series(), {TAGS[one.role].tag: one.value}, one.time_ns) for one in readings)
    stored = [
        Reading(int(time_ns), column.field.removeprefix("ch1_"), value, GOOD)
        for column in parse(body)
        for time_ns, value in zip(column.time_ns.tolist(), column.value.tolist(), strict=True)
    ]
    (record,) = regrade(stored, CELL, STATES)
    (told,) = [one for one in points if ("kind", "test") in one.tags]
    assert dict(told.fields) == record_fields(record)
    assert (told.time_ns, told.tags) == (T0, (("channel", "ch1"), ("kind", "test")))
    assert told.fields["grade"] == "A"
    assert told.fields["rule"] == CELL.version


def test_another_version_of_the_rule_grades_the_same_curve_anew() -> None:
    strict = CELL.model_copy(
        update={"version": "2026-2", "gates": CELL.gates.model_copy(update={"delta_mv_max": 20.0})}
    )
    (before,), (after,) = (regrade(curve(), rule, STATES) for rule in (CELL, strict))
    assert (before.grade, before.rule_version) == ("A", CELL.version)
    assert (after.grade, after.rule_version) == ("보류", "2026-2")
    assert before.figures == after.figures


@pytest.mark.parametrize(("verified", "said"), [(True, None), (False, False)])
def test_limits_that_nobody_confirmed_say_so_in_each_record(verified: bool, said: bool | None) -> None:
    (record,) = regrade(curve(), CELL.model_copy(update={"verified": verified}), STATES)
    assert record_fields(record).get("rule_verified") == said


def test_steps_and_warnings_are_points() -> None:
    readings = [one for one in curve(period_s=20) if one.role != "t"]
    readings += [Reading(T0 + s * S, "t", 25 + s / 40, GOOD) for s in range(0, 240, 2)]
    points = live(sorted(readings, key=lambda one: one.time_ns))
    kinds = [dict(one.tags)["kind"] for one in points]
    assert (kinds.count("step"), kinds.count("test"), kinds.count("event")) == (6, 1, 1)
    (event,) = [one for one in points if ("kind", "event") in one.tags]
    assert event.fields["event"] == "thermal_rise"
    assert event.fields["k_per_min"] == pytest.approx(1.5)


def test_what_was_not_measured_is_no_field() -> None:
    points = live(sorted((one for one in curve(period_s=20) if one.role != "delta_mv"), key=lambda one: one.time_ns))
    (told,) = [one for one in points if ("kind", "test") in one.tags]
    assert "delta_mv" not in told.fields
    assert told.fields["grade"] == "보류"
    assert "delta_mv" in str(told.fields["reason"])


def test_it_keeps_little_beside_each_record() -> None:
    """Its state is written with every record of the journal."""
    rule = BatteryRule("CYC-01", "ch1", TAGS, STATES, CELL)
    for index, reading in enumerate(sorted(curve(period_s=20), key=lambda one: one.time_ns)):
        rule.take(TAGS[reading.role], reading.time_ns, reading.value, reading.status)
        assert index % 100 or len(rule.state()) < 1500


@pytest.mark.parametrize("state", [pack({}), pack({"settle": []}), pack({"settle": [], "channel": {}})])
def test_a_state_of_something_else_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match="battery/CYC-01/ch1"):
        BatteryRule("CYC-01", "ch1", TAGS, STATES, load()).restore(state)


def test_an_engine_goes_on_after_it(tmp_path: Path) -> None:
    kept = Kept({})
    kept["battery/CYC-01/ch1"] = b"of another"
    engine = Engine(kept.resume())
    engine.follow([BatteryRule("CYC-01", "ch1", TAGS, STATES, load())], {"CYC-01": PLACE})
    engine.hear([Heard(T0, TAGS["v"], 3.7, GOOD)])
    assert engine.gather(T0) is not None
