"""The life cycle of alarms: oracles, and properties over any order of events."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.derive.alarm import FAULT_S, Alarm
from pipelines.derive.alarm_rule import AlarmRule, alarm_rules
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.chain import Chain
from pipelines.derive.lifecycle import State
from pipelines.derive.rule import Derived, Ref
from pipelines.point import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, GOOD, UNCERTAIN_LAST_USABLE

S: Final = 10**9
T0: Final = 1_750_000_000 * S
PV, SV = Ref("FUR-01", "pv"), Ref("FUR-01", "sv")


def alarm(**keys: Any) -> Alarm:
    given = {"name": "a", "machine": "FUR-01", "tag": "pv", "priority": "important"} | keys
    return Alarm(AlarmSettings.model_validate({key: one for key, one in given.items() if one is not None}))


def feed(one: Alarm, *readings: tuple[float, Any], ref: Ref = PV, status: int = GOOD) -> list[tuple[float, str, str]]:
    """Take readings (seconds, value); the changes as (seconds, event, state)."""
    for at_s, value in readings:
        one.take(ref, T0 + int(at_s * S), value, status)
    return told(one)


def told(one: Alarm) -> list[tuple[float, str, str]]:
    return [((found.time_ns - T0) / S, found.event, str(found.state)) for found in one.changes()]


def tick(one: Alarm, *at_s: float) -> list[tuple[float, str, str]]:
    for each in at_s:
        one.tick(T0 + int(each * S))
    return told(one)


def test_on_delay_and_deadband() -> None:
    one = alarm(above=100, deadband=5, delay_s=10)
    assert feed(one, (0, 99), (1, 101), (6, 99), (7, 101)) == []  # within the deadband the condition holds
    assert tick(one, 10.9, 12) == [(11, "raised", "UNACK")]
    assert feed(one, (20, 96)) == []
    assert feed(one, (21, 95)) == [(21, "cleared", "RTN_UNACK")]


def test_a_short_excursion_is_no_alarm() -> None:
    one = alarm(above=100, delay_s=10)
    assert feed(one, (0, 101), (9, 100)) == []
    assert tick(one, *range(10, 60)) == []


@pytest.mark.parametrize(
    ("keys", "off", "on"),
    [
        ({"above": 10}, 10, 10.5),
        ({"below": 10}, 10, 9.5),
        ({"outside": 3}, -3, -3.5),
        ({"equals": 8}, 7, 8),
        ({"equals": True}, False, True),
        ({"equals": "E-07"}, "", "E-07"),
    ],
)
def test_conditions(keys: dict[str, Any], off: Any, on: Any) -> None:
    one = alarm(**keys)
    assert feed(one, (0, off)) == []
    assert feed(one, (1, on)) == [(1, "raised", "UNACK")]
    assert feed(one, (2, off)) == [(2, "cleared", "RTN_UNACK")]


def test_minus_another_tag() -> None:
    one = alarm(minus="sv", outside=15)
    assert feed(one, (0, 850)) == []  # the set point is not known yet
    assert feed(one, (1, 840), ref=SV) == []
    assert feed(one, (2, 820)) == [(2, "raised", "UNACK")]
    assert feed(one, (3, 830), ref=SV) == [(3, "cleared", "RTN_UNACK")]


def test_spread_of_tags() -> None:
    one = alarm(tag=None, tags=("c1", "c2", "c3"), of="max-min", above=0.08)
    for tag, value in (("c1", 3.70), ("c2", 3.71), ("c3", 3.72)):
        assert feed(one, (0, value), ref=Ref("FUR-01", tag)) == []
    assert feed(one, (5, 3.60), ref=Ref("FUR-01", "c2")) == [(5, "raised", "UNACK")]


def test_times_in_a_row() -> None:
    one = alarm(above=10, times=3)
    assert feed(one, (0, 11), (1, 11), (2, 9), (3, 11), (4, 11)) == []
    assert feed(one, (5, 11)) == [(5, "raised", "UNACK")]


def test_rises_by() -> None:
    """1 ℃/min (domain: thermal_rise)."""
    slow = [(at_s, 25 + at_s / 70) for at_s in range(0, 600, 5)]
    fast = [(600 + at_s, 33.6 + at_s / 50) for at_s in range(0, 120, 5)]
    one = alarm(rises_by=1, per_s=60)
    assert feed(one, *slow) == []
    [(at_s, event, _)] = feed(one, *fast)
    assert event == "raised"
    assert 610 <= at_s <= 660


def test_unknown_is_no_alarm_and_no_return() -> None:
    one = alarm(above=10, delay_s=5)
    assert feed(one, (0, 11)) == []
    assert feed(one, (1, 0), status=BAD_NO_COMMUNICATION) == []
    assert tick(one, *range(2, 40)) == []
    assert feed(one, (40, 11)) == [(40, "raised", "UNACK")]
    assert feed(one, (41, 0), status=BAD_SENSOR_FAILURE) == []
    assert feed(one, (42, 0), status=UNCERTAIN_LAST_USABLE) == []
    assert feed(one, (43, float("nan"))) == []
    assert one.state is State.UNACK
    assert feed(one, (44, 9)) == [(44, "cleared", "RTN_UNACK")]


def test_a_text_where_a_number_is_compared_says_nothing() -> None:
    one = alarm(above=100)
    assert feed(one, (0, "E-07"), (1, 101)) == [(1, "raised", "UNACK")]
    assert feed(one, (2, "OFF")) == []
    assert one.active
    assert feed(one, (3, 99)) == [(3, "cleared", "RTN_UNACK")]


def test_an_agent_that_did_not_run_raises_nothing_for_the_time_between() -> None:
    one = alarm(above=10, delay_s=5)
    assert feed(one, (0, 11)) == []
    assert tick(one, 600, 601) == []
    assert feed(one, (602, 9)) == []


@pytest.mark.parametrize("status", [BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE, UNCERTAIN_LAST_USABLE])
def test_a_safety_alarm_comes_when_its_value_is_unknown(status: int) -> None:
    one = alarm(above=25, safety=True, priority="urgent")
    assert feed(one, (0, 1)) == []
    assert feed(one, (1, 1), status=status) == []
    assert tick(one, 1 + FAULT_S - 0.1) == []
    assert tick(one, 1 + FAULT_S) == [(1 + FAULT_S, "raised", "UNACK")]
    assert one.cause == "fault"
    one.acknowledge(T0 + 20 * S, "반장-1")
    assert told(one) == [(20, "acknowledged", "ACKED")]
    assert feed(one, (30, 26)) == [(30, "raised", "UNACK")]  # now it is gas: they are called again
    assert one.cause == "condition"
    assert feed(one, (40, 1)) == [(40, "cleared", "LATCHED")]
    one.acknowledge(T0 + 50 * S, "반장-1")
    assert told(one) == [(50, "acknowledged", "NORM")]


def test_a_safety_alarm_comes_when_its_device_never_answers() -> None:
    one = alarm(above=25, safety=True, priority="urgent")
    assert tick(one, 0, 1, 2, 3, 4, 5) == [(5, "raised", "UNACK")]


def test_a_detector_fault_is_an_unknown_value() -> None:
    one, fault = alarm(above=25, safety=True, fault="pv_fault", priority="urgent"), Ref("FUR-01", "pv_fault")
    assert feed(one, (0, False), ref=fault) == []
    assert feed(one, (0, 1), (1, 1)) == []
    assert feed(one, (2, True), ref=fault) == []
    assert tick(one, 3, 5, 7) == [(7, "raised", "UNACK")]
    assert feed(one, (8, False), ref=fault) == [(8, "cleared", "LATCHED")]
    assert (one.active, one.cause) == (False, "fault"), "it still says that it was not gas"
    one.acknowledge(T0 + 9 * S, "a")
    assert one.cause == ""


def test_latched_stays_until_acknowledged_after_its_end() -> None:
    one = alarm(above=10, latch=True)
    assert feed(one, (0, 11)) == [(0, "raised", "UNACK")]
    one.acknowledge(T0 + S, "a")
    assert feed(one, (2, 9)) == [(1, "acknowledged", "ACKED"), (2, "cleared", "LATCHED")]
    assert feed(one, (3, 11), (4, 9)) == [(3, "raised", "UNACK"), (4, "cleared", "LATCHED")]
    one.acknowledge(T0 + 5 * S, "a")
    assert told(one) == [(5, "acknowledged", "NORM")]


def test_shelving_ends_by_itself() -> None:
    one = alarm(above=10)
    one.shelve(T0, 60, "a", "센서 교체 중")
    assert feed(one, (1, 11), (2, 9), (3, 11)) == [(0, "shelved", "SHELVED")]
    assert tick(one, 59.9) == []
    assert tick(one, 75) == [(60, "shelving_over", "UNACK")]
    one.shelve(T0 + 80 * S, 60, "a")
    one.unshelve(T0 + 81 * S, "b")
    assert told(one) == [(80, "shelved", "SHELVED"), (81, "unshelved", "UNACK")]


def test_one_that_becomes_a_safety_alarm_is_shelved_no_longer() -> None:
    one = alarm(above=10)
    one.shelve(T0, 3600, "a")
    safe = alarm(above=10, safety=True)
    safe.restore(one.kept())
    assert feed(safe, (1, 11)) == [(1, "raised", "UNACK")]


def test_suppressed_by_design() -> None:
    one, pump = alarm(below=2, only_while="pump"), Ref("FUR-01", "pump")
    assert feed(one, (0, 0), ref=pump) == [(0, "suppressed", "SUPPRESSED")]
    assert feed(one, (1, 0.1)) == []
    assert feed(one, (2, 1), ref=pump) == [(2, "unsuppressed", "UNACK")]
    assert feed(one, (3, 0), ref=pump, status=BAD_NO_COMMUNICATION) == []
    assert one.state is State.UNACK


def test_out_of_service_never_comes() -> None:
    one = alarm(above=10, in_service=False)
    assert feed(one, (0, 11)) == []
    assert tick(one, 100) == []
    assert one.state is State.OUT_OF_SERVICE


def test_what_people_cannot_do() -> None:
    one = alarm(above=10)
    with pytest.raises(ValueError, match="nothing to acknowledge"):
        one.acknowledge(T0, "a")
    with pytest.raises(ValueError, match="not shelved"):
        one.unshelve(T0, "a")
    with pytest.raises(ValueError, match="1 s to 24 h"):
        one.shelve(T0, 25 * 3600, "a")
    one.shelve(T0, 60, "a")
    with pytest.raises(ValueError, match="SHELVED"):
        one.acknowledge(T0, "a")
    with pytest.raises(ValueError, match="safety alarm cannot be shelved"):
        alarm(above=10, safety=True).shelve(T0, 60, "a")
    with pytest.raises(ValueError, match="out of service"):
        alarm(above=10, in_service=False).shelve(T0, 60, "a")


# ── any order of events ─────────────────────────────────────────────────────────────────────────────────────────────

PUMP, FAULT = Ref("FUR-01", "pump"), Ref("FUR-01", "fault")
VARIANTS: Final = [
    {"name": "plain", "tag": "pv", "above": 10, "deadband": 2, "delay_s": 3},
    {"name": "latched", "tag": "pv", "minus": "sv", "outside": 4, "latch": True, "times": 2},
    {"name": "rise", "tag": "pv", "rises_by": 5, "per_s": 8, "only_while": "pump"},
    {"name": "gas", "tag": "pv", "above": 12, "safety": True, "fault": "fault", "delay_s": 1},
    {"name": "ccp", "tag": "pv", "below": 5, "ccp": True, "delay_s": 2},
    {"name": "off", "tag": "pv", "above": 0, "in_service": False},
]
EVENTS: Final = {"raised", "cleared", "acknowledged", "shelved", "unshelved", "shelving_over", "suppressed"}
LEGAL: Final = {
    ("raised", State.UNACK),
    *(("cleared", after) for after in (State.NORM, State.RTN_UNACK, State.LATCHED)),
    ("acknowledged", State.ACKED),
    ("acknowledged", State.NORM),
    ("shelved", State.SHELVED),
    ("shelved", State.SUPPRESSED),
    ("suppressed", State.SUPPRESSED),
    *((end, after) for end in ("unshelved", "shelving_over", "unsuppressed") for after in State),
}
BELOW: Final = {State.NORM, State.UNACK, State.ACKED, State.RTN_UNACK, State.LATCHED}
STEP = st.tuples(
    st.integers(-1, 90).map(lambda quarter: quarter * S // 4),
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from([PV, SV, PUMP, FAULT]), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("tick")),
        st.tuples(st.sampled_from(["acknowledge", "shelve", "unshelve"]), st.integers(0, len(VARIANTS) - 1)),
    ),
)


def rules() -> list[AlarmRule]:
    keys = {"machine": "FUR-01", "priority": "important"}
    return alarm_rules([AlarmSettings.model_validate(keys | one) for one in VARIANTS], Chain())


def play(found: list[AlarmRule], step: tuple[int, Any], now_ns: int) -> list[Derived]:
    kind, *what = step
    match kind:
        case "take":
            ref, value, good = what
            for rule in found:
                if ref in rule.reads:
                    rule.take(ref, now_ns, value, GOOD if good else BAD_NO_COMMUNICATION)
        case "tick":
            for rule in found:
                rule.tick(now_ns)
        case _:
            alarms = {rule.alarm.settings.name: rule.alarm for rule in found if rule.alarm}
            one = alarms[VARIANTS[what[0]]["name"]]
            with suppress(ValueError):
                getattr(one, kind)(now_ns, *([7.0] if kind == "shelve" else []), "반장-1")
    return [point for rule in found for point in rule.lines()]


@given(st.lists(STEP, max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_order_of_events_keeps_legal_states(steps: list[tuple[int, Any]]) -> None:
    found, now_ns, times, last = rules(), T0, {}, {}
    for wait_ns, step in steps:
        now_ns += wait_ns
        for point in play(found, step, now_ns):
            if point.measurement != "alarm":
                continue
            name, fields = point.tags[0][1], point.fields
            state, event = State(str(fields["state"])), str(fields["event"])
            assert (event, state) in LEGAL
            assert point.time_ns > times.get(name, 0)
            assert fields["active"] or not fields.get("cause")
            assert not (event == "acknowledged" and last.get(name) not in {"UNACK", "RTN_UNACK", "LATCHED"})
            assert not (event == "cleared" and last.get(name) not in {"UNACK", "ACKED"})
            assert name != "gas" or state in BELOW
            assert name != "off"
            times[name], last[name] = point.time_ns, fields["state"]
        for rule in found:
            assert rule.alarm is not None
            assert rule.alarm.state in State
            assert rule.alarm.state in BELOW or not rule.alarm.settings.safety


@given(st.lists(STEP, max_size=60), st.sets(st.integers(0, 60)))
@settings(max_examples=60, deadline=None)
def test_restarts_anywhere_change_no_point(steps: list[tuple[int, Any]], restarts: set[int]) -> None:
    once, again = rules(), rules()
    now_ns = T0
    for number, (wait_ns, step) in enumerate(steps):
        now_ns += wait_ns
        if number in restarts:
            kept = {rule.name: rule.state() for rule in again}
            again = rules()
            for rule in again:
                rule.restore(kept[rule.name])
        assert play(again, step, now_ns) == play(once, step, now_ns)


def test_state_of_something_else_is_refused() -> None:
    for rule in rules():
        with pytest.raises(ValueError, match=rule.name):
            rule.restore(b'{"lamps":1}')
