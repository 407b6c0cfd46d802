"""A clock that is set changes nothing of what rules measure: the same points, at the same moments of true time."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.derive.activity import Activity
from pipelines.derive.alarm_rule import AlarmRule, alarm_rules
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.chain import Chain
from pipelines.derive.ear import Ear
from pipelines.derive.energy.factors import load
from pipelines.derive.energy.rule import EnergyRule
from pipelines.derive.energy.span import HOUR_NS, Meter, Power
from pipelines.derive.engine import Engine, Heard
from pipelines.derive.exposure import ExposureRule
from pipelines.derive.exposure_limits import ExposureSettings
from pipelines.derive.rule import Derived, Ref, Rule
from pipelines.derive.signals import Lamps, Word
from pipelines.derive.state import StateRule
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, GOOD, Scan, scan_of
from pipelines.share.rule import Share

S: Final = 10**9
YEAR: Final = 31_536_000 * S
T0: Final = 497_000 * HOUR_NS
PLACES: Final = {"M": Place("press", "acme", "", "", "M")}
STEPS: Final = st.one_of(
    st.integers(-7200 * S, 7200 * S), st.sampled_from([50 * YEAR, -50 * YEAR, 9 * HOUR_NS, -9 * HOUR_NS])
).filter(bool)
TAGS: Final = "abcd"


def ref(tag: str) -> Ref:
    return Ref("M", tag)


class Wall:
    """A wall clock that is set once, over true time in seconds."""

    def __init__(self, at_s: float, by_ns: int) -> None:
        self.at_s, self.by_ns = at_s, by_ns
        self.shift_ns = 0

    def at(self, second: float) -> int:
        self.shift_ns = self.by_ns if second >= self.at_s else 0
        return T0 + int(second * S) + self.shift_ns


def rules() -> list[Rule]:
    common = {"machine": "M", "priority": "info"}
    variants = [
        {"name": "late", "tag": "a", "above": 3, "delay_s": 5},
        {"name": "twice", "tag": "a", "minus": "b", "outside": 2, "deadband": 1, "times": 2, "delay_s": 2},
        {"name": "rises", "tag": "b", "rises_by": 4, "per_s": 3200},
        {"name": "safe", "tag": "d", "above": 8, "safety": True},
        {"name": "shelved", "tag": "c", "above": 0, "delay_s": 1},
    ]
    alarms = alarm_rules([AlarmSettings.model_validate(common | one) for one in variants], Chain())
    states = [
        StateRule("M", Lamps(ref("a"), ref("b"), ref("c"))),
        StateRule("M2", Word(ref("c"), {}), Activity(ref("d"), 1.5)),
    ]
    return [*alarms, *states]


def told(wall: Wall, heard: list[tuple[int, str, float, bool]], shelve_s: int, last_s: int) -> list[str]:
    """Lines of everything, with times as they would be without the step."""
    made = Engine({}, lambda: wall.shift_ns)
    made.follow(rules(), PLACES | {"M2": Place("press", "acme", "", "", "M2")})
    found: list[str] = []
    for second in range(last_s):
        now_ns = wall.at(second)
        for at_s, tag, value, good in heard:
            if at_s == second:
                one = Heard(now_ns, ref(tag), value, GOOD if good else BAD_NO_COMMUNICATION)
                made.hear([one])
        lines = [made.gather(now_ns)]
        if second == shelve_s:
            for rule in made.rules:
                if isinstance(rule, AlarmRule) and rule.alarm and not rule.alarm.settings.safety:
                    rule.alarm.shelve(now_ns, 20.0, "반장-1")
        lines.append(made.tick(wall.at(second + 0.5)))
        text = b"".join(one.body for one in lines if one is not None).decode()
        moved = re.sub(r"\d{17,19}", lambda one: str(int(one[0]) - wall.shift_ns), text)
        found += sorted(one for one in moved.splitlines() if not one.startswith("event_log"))
    assert not made.aside
    return found


@given(
    st.lists(st.tuples(st.integers(0, 89), st.sampled_from(TAGS), st.integers(0, 9), st.booleans()), max_size=30),
    st.integers(0, 60),
    st.integers(1, 80),
    STEPS,
)
@settings(max_examples=40, deadline=None)
def test_alarms_and_states_come_when_they_would_have(
    heard: list[tuple[int, str, float, bool]], shelve_s: int, at_s: int, by_ns: int
) -> None:
    heard = [(0, tag, 0, True) for tag in TAGS] + heard
    expected = told(Wall(at_s, 0), heard, shelve_s, 95)
    assert told(Wall(at_s, by_ns), heard, shelve_s, 95) == expected


@given(st.integers(20, 3500), STEPS, st.lists(st.integers(0, 40), min_size=60, max_size=60))
@settings(max_examples=20, deadline=None)
def test_means_of_a_gas_are_those_of_the_time_that_passed(at_s: int, by_ns: int, levels: list[int]) -> None:
    """Each mean is the one over the newest seconds that it says it covers, which are all but a minute of its window."""
    gas = ExposureRule(ExposureSettings(machine="M", tag="a", substance="NH3"))
    wall, points = Wall(at_s, by_ns), list[tuple[float, Derived]]()

    def level(second: float) -> int:
        return levels[int(second) // 60]

    for second in range(3600):
        now_ns = wall.at(second)
        if second == at_s:
            gas.moved(by_ns)
        gas.take(ref("a"), now_ns, level(second), GOOD)
        points += [(second - (now_ns - one.time_ns) / S, one) for one in gas.lines()]
    assert len(points) >= 58
    for end_s, one in points:
        covers_s = float(one.fields["stel_coverage"]) * 900
        assert covers_s >= min(end_s, 840) - 1e-3
        if "stel" in one.fields:
            whole = range(int(end_s - covers_s), int(end_s) + 2)
            dose = sum(level(x) * max(0.0, min(x + 1, end_s) - max(x, end_s - covers_s)) for x in whole if x >= 0)
            assert one.fields["stel"] == pytest.approx(dose / covers_s, abs=1e-3)
    assert max(two - one for (one, _), (two, _) in pairwise(points)) < 121


def used(meter: Power | Meter, steps: dict[int, int], hours: int = 5) -> tuple[float, int]:
    """Energy and pieces in the points that stay: of 36 kW and a piece each 30 s, with steps of the clock by second."""
    tags = {"meter": ref("a"), "good": ref("b")}
    rule, kept, shift_ns = EnergyRule("M", tags, meter, load(), {}), dict[int, Derived](), 0
    for second in range(0, hours * 3600 + 60, 30):
        by_ns = steps.get(second, 0)
        shift_ns += by_ns
        if by_ns:
            rule.moved(by_ns)
        now_ns = T0 + second * S + shift_ns
        rule.take(tags["meter"], now_ns, 36.0 if isinstance(meter, Power) else second * 0.01, GOOD)
        rule.take(tags["good"], now_ns, second // 30, GOOD)
        rule.tick(now_ns)
        kept |= {one.time_ns: one for one in rule.lines()}
    rule.take(tags["meter"], now_ns + 1, 0, BAD_NO_COMMUNICATION)
    rule.tick(now_ns + 2 * HOUR_NS)
    kept |= {one.time_ns: one for one in rule.lines()}
    return sum(float(one.fields.get("kwh", 0)) for one in kept.values()), sum(
        int(one.fields.get("pieces", 0)) for one in kept.values()
    )


@pytest.mark.parametrize("meter", [lambda: Meter(60 * S), lambda: Power(held=False, max_gap_ns=60 * S)])
@pytest.mark.parametrize(
    "steps",
    [
        {},
        {3630: -90 * S},
        {5400: -1800 * S},
        {7200: -2 * HOUR_NS},
        {5400: 3 * HOUR_NS},
        {5400: 30 * HOUR_NS, 6000: -30 * HOUR_NS},
        {5400: 50 * YEAR},
        {5400: -50 * YEAR},
    ],
)
def test_energy_and_pieces_add_up_whatever_the_clock_says(
    meter: Callable[[], Power | Meter], steps: dict[int, int]
) -> None:
    kwh, pieces = used(meter(), steps)
    expected = used(meter(), {})
    assert (kwh, pieces) == (pytest.approx(expected[0], rel=1e-6), expected[1])


def test_a_reading_on_its_way_while_the_clock_is_set_is_of_its_own_time() -> None:
    for by_ns in (HOUR_NS, -HOUR_NS, -90 * S):
        gas, shift_ns = ExposureRule(ExposureSettings(machine="M", tag="a", substance="NH3")), [0]
        made = Engine({}, lambda shift_ns=shift_ns: shift_ns[0])
        made.follow([gas], PLACES)
        made.hear([Heard(T0, ref("a"), 10.0, GOOD)])
        made.gather(T0)
        shift_ns[0] = by_ns
        made.hear([Heard(T0 + S, ref("a"), 20.0, GOOD)])
        made.gather(T0 + 2 * S + by_ns)
        assert gas._at_ns == T0 + S + by_ns
        made.hear([Heard(T0 + 3 * S + by_ns, ref("a"), 30.0, GOOD)])
        made.gather(T0 + 3 * S + by_ns)
        assert gas._minute == (10.0 * 1 + 20.0 * 2, 3.0, 3 * S)


def test_a_restart_right_after_the_clock_was_set_goes_on_from_there() -> None:
    """What moved is in the next record, though nothing else changed."""
    shift_ns = [0]
    made = Engine({}, lambda: shift_ns[0])
    made.follow(rules()[:1], PLACES)
    made.hear([Heard(T0, ref("a"), 9, GOOD)])
    first = made.gather(T0)
    shift_ns[0] = -HOUR_NS
    second = made.tick(T0 + 2 * S - HOUR_NS)
    assert first is not None
    assert second is not None
    again = Engine({**first.resume, **second.resume})
    again.follow(rules()[:1], PLACES)
    assert again.tick(T0 + 4 * S - HOUR_NS) is None
    lines = again.tick(T0 + 5 * S - HOUR_NS)
    assert lines is not None
    assert lines.points == 1


def test_minutes_go_on_when_the_clock_is_set_back() -> None:
    share, shift_ns = Share("park", "o", {ref("a"): "aggregate"}, {ref("a"): 1.0}, PLACES), [0]
    made = Engine({}, lambda: shift_ns[0])
    made.follow([], PLACES, [share])
    seen: list[int] = []
    for second in range(600):
        shift_ns[0] = -HOUR_NS if second >= 290 else 0
        now_ns = T0 + second * S + shift_ns[0]
        made.hear([Heard(now_ns, ref("a"), 1.0, GOOD)])
        made.gather(now_ns)
        made.tick(now_ns)
        if len(share.pending) > len(seen):
            seen.append(second)
    assert len(seen) >= 10
    assert max(after - before for before, after in pairwise(seen)) <= 66
    counts = [int(one) for batch in share.pending for one in re.findall(r"a_count=(\d+)i", batch.body)]
    assert sum(counts) >= 530


def test_what_did_not_change_is_heard_again_though_the_clock_was_set_back() -> None:
    made = Engine({})
    gas = ExposureRule(ExposureSettings(machine="M", tag="a", substance="NH3"))
    made.follow([gas], PLACES)
    ear = Ear(made)
    ear.follow([ref("a")], [True])
    scan: Scan = scan_of([0], T0, [5.0])
    ear.hear(scan, scan.time_ns, scan.time_ns)
    ear.lost(BAD_NO_COMMUNICATION, T0 + S)
    ear.recall(T0 + 2 * S, T0 + 2 * S)
    made.gather(T0 + 2 * S)
    assert gas._value is None
    ear.recall(T0 - HOUR_NS, T0 + 8 * S)
    made.gather(T0 - HOUR_NS)
    assert gas._value == 5.0
