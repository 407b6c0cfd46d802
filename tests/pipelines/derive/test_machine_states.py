"""Every way to a machine's state; domain.md §3.5 and §4.2."""

from __future__ import annotations

import pytest

from pipelines.calendar import Calendar
from pipelines.derive.activity import Activity
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.derive.settings import CalendarSettings
from pipelines.derive.signals import PACKML_STATES, Counting, Lamps, PackMl, Power, Signal, Word
from pipelines.derive.state import StateRule
from pipelines.point import BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE

S = 10**9
NOW = 1_788_739_200 * S
"""2026-09-07 09:00 in Korea, a Monday."""
UNKNOWN, RUN, IDLE, SETUP, DOWN, PLANNED, MAINT, OFF, MINOR = range(9)
DAY = CalendarSettings.model_validate(
    {"shifts": [{"name": "주간", "from": "08:00", "to": "20:00"}], "breaks": ["12:00-13:00"]}
)


def tag(name: str) -> Ref:
    return Ref("M", name)


class Machine:
    """Drives a rule second by second, and keeps what it says."""

    def __init__(
        self, signal: Signal, ideal_s: float | None = None, *, planned: bool = False, state: bytes = b""
    ) -> None:
        self.rule = StateRule(
            "M", signal, Activity(tag("n"), ideal_s) if ideal_s else None, Calendar(DAY) if planned else None
        )
        if state:
            self.rule.restore(state)
        self.now_ns = NOW
        self.points: list[Derived] = []

    def says(self, status: int = 0, /, **values: Value) -> Machine:
        for name, value in values.items():
            self.rule.take(tag(name), self.now_ns, value, status)
        self.points += self.rule.lines()
        return self

    def waits(self, seconds: int) -> Machine:
        for _ in range(seconds):
            self.now_ns += S
            self.rule.tick(self.now_ns)
            self.points += self.rule.lines()
        return self

    @property
    def codes(self) -> list[Value]:
        """States in order, each once."""
        codes = [one.fields["code"] for one in self.points]
        return [code for at, code in enumerate(codes) if at == 0 or code != codes[at - 1]]

    @property
    def reason(self) -> Value:
        return self.points[-1].fields["reason"]


def test_a_word_by_its_map_or_as_it_is() -> None:
    one = Machine(Word(tag("s"), {0: 7, 3: 1}))
    assert one.says(s=3).says(s=0).says(s=5).says(s=3.0).codes == [RUN, OFF, UNKNOWN, RUN]
    assert Machine(Word(tag("s"), {})).says(s=4).says(s=9).says(s="6").says(s=True).codes == [DOWN, UNKNOWN, MAINT, RUN]


def test_a_word_of_text_is_looked_up_as_it_is() -> None:
    one = Machine(Word(tag("s"), {"ACTIVE": 1, "READY": 2, "4": 4}))
    assert one.says(s="ACTIVE").says(s="active").says(s="READY").says(s="4").says(s="5").codes == [
        RUN, UNKNOWN, IDLE, DOWN, UNKNOWN,
    ]  # fmt: skip


def test_a_point_comes_on_change_and_once_a_minute_and_says_since_when() -> None:
    one = Machine(Word(tag("s"), {})).says(s=1).waits(150)
    assert [(point.time_ns - NOW) // S for point in one.points] == [0, 61, 121]
    assert {point.fields["since"] for point in one.points} == {NOW}
    one.says(s=2).waits(30)
    assert one.points[-1].fields == {"code": IDLE, "reason": "2", "since": NOW + 150 * S}


@pytest.mark.parametrize("status", [BAD_NO_COMMUNICATION, BAD_SENSOR_FAILURE])
def test_comm_loss_and_bad_quality_are_unknown_and_never_downtime(status: int) -> None:
    for signal in (
        Word(tag("s"), {}),
        Power(tag("s"), 50),
        Lamps(tag("s")),
        Counting(tag("s")),
        PackMl(tag("s"), "omac"),
    ):
        one = Machine(signal, 1.0).says(s=4, n=1).waits(10)
        one.says(status, s=0, n=0).waits(1000)
        assert one.codes[-1] == UNKNOWN
        assert DOWN not in one.codes[1:], signal


OMAC = {"Execute": 6, "Idle": 4, "Suspended": 5, "Held": 11, "Aborted": 9, "Aborting": 8, "Stopped": 2, "Complete": 17}
OPCUA = {"Execute": 4, "Idle": 2, "Suspended": 12, "Held": 15, "Aborted": 8, "Aborting": 7, "Stopped": 0, "Complete": 6}
MEANS = {
    "Execute": RUN, "Idle": IDLE, "Suspended": IDLE, "Held": MINOR, "Aborted": DOWN, "Aborting": DOWN, "Stopped": DOWN,
    "Complete": IDLE,
}  # fmt: skip


@pytest.mark.parametrize(("numbers", "table"), [("omac", OMAC), ("opcua", OPCUA)])
def test_packml_by_both_enumerations(numbers: str, table: dict[str, int]) -> None:
    for name, number in table.items():
        one = Machine(PackMl(tag("s"), numbers)).says(s=number)
        assert (one.codes, one.reason) == ([MEANS[name]], name)
    assert Machine(PackMl(tag("s"), numbers)).says(s=len(PACKML_STATES[numbers])).codes == [UNKNOWN]


def test_packml_maintenance_and_stopped_by_calendar() -> None:
    one = Machine(PackMl(tag("s"), "opcua", tag("m")), planned=True)
    assert one.says(s=4, m=1).says(m=2).says(m=1, s=0).codes == [RUN, MAINT, RUN, DOWN]
    one.now_ns += 11 * 3600 * S
    assert one.waits(2).codes[-1] == PLANNED
    assert one.says(s=4).codes[-1] == RUN, "the calendar says nothing of a machine that runs"


def test_lamps_red_before_green_before_amber_and_dark_by_calendar() -> None:
    one = Machine(Lamps(tag("g"), tag("a"), tag("r")), planned=True).says(g=True, a=False, r=False)
    one.says(a=True).waits(5).says(g=False).waits(5).says(r=True).waits(5).says(r=False, a=False).waits(5)
    assert one.codes == [RUN, IDLE, DOWN, OFF]
    one.now_ns += 3 * 3600 * S
    assert one.waits(1).codes[-1] == PLANNED, "noon"
    one.now_ns += 3600 * S
    assert one.waits(1).codes[-1] == OFF


def test_a_lamp_that_blinks_is_lit() -> None:
    one = Machine(Lamps(tag("g"))).says(g=True)
    for _ in range(20):
        one.waits(1).says(g=False).waits(1).says(g=True)
    assert one.codes == [RUN]


def test_power_with_hysteresis_and_hold() -> None:
    one = Machine(Power(tag("p"), 100)).says(p=60)
    for kw in (24, 23, 24, 24, 24, 23, 24):  # below 25 %, and not 10 % below
        one.waits(1).says(p=kw)
    assert one.codes == [RUN]
    one.says(p=22).waits(3).says(p=40).waits(1).says(p=22).waits(4)
    assert one.codes == [RUN], "four seconds are no five"
    one.waits(3).says(p=26).waits(9)
    assert one.codes == [RUN, IDLE]
    one.says(p=4.6).waits(9).says(p=4).waits(9).says(p=5.4).waits(9).says(p=28).waits(9)
    assert one.codes == [RUN, IDLE, OFF, RUN]


def test_a_hold_is_also_over_by_the_times_of_readings() -> None:
    one = Machine(Power(tag("p"), 100)).says(p=60).says(p=1)
    one.now_ns += 5 * S
    assert one.says(p=1).codes == [RUN, OFF]


def test_a_counter_alone_stops_for_a_minor_stop_and_then_for_good() -> None:
    one = Machine(Counting(tag("n")), 2.0)
    for count in range(10):
        one.says(n=count).waits(2)
    assert one.codes == [RUN]
    one.waits(5)
    assert (one.codes, one.reason) == ([RUN, MINOR], "no_count")
    assert one.waits(292).codes == [RUN, MINOR]
    assert one.waits(2).codes == [RUN, MINOR, DOWN]
    assert one.says(n=10).waits(1).codes[-1] == RUN


def test_a_slow_machine_has_longer_minor_stops() -> None:
    one = Machine(Counting(tag("n")), 120.0).says(n=1).waits(361)
    assert one.codes == [RUN, MINOR]
    assert one.waits(350).codes == [RUN, MINOR]
    assert one.waits(10).codes == [RUN, MINOR, DOWN]


def test_a_word_that_says_run_is_corrected_by_what_is_counted_and_no_other() -> None:
    one = Machine(Word(tag("s"), {}), 1.0, planned=True).says(s=3, n=5).waits(900).says(s=1).waits(2)
    assert one.codes == [SETUP, RUN], "nobody expects counts in a setup"
    assert one.waits(3).codes == [SETUP, RUN, MINOR]
    one.now_ns += 3 * 3600 * S
    assert one.waits(1).codes[-1] == PLANNED
    assert one.says(n=6).waits(1).codes[-1] == RUN


def test_time_without_the_counter_is_no_minor_stop() -> None:
    one = Machine(Word(tag("s"), {}), 1.0).says(s=1, n=5).waits(2)
    one.says(BAD_NO_COMMUNICATION, n=0).waits(900)
    assert one.codes == [RUN]
    assert one.says(n=5).waits(4).codes == [RUN, MINOR]


def test_a_restart_says_nothing_new_and_counts_no_time_that_nobody_watched() -> None:
    before = Machine(Word(tag("s"), {}), 1.0).says(s=1, n=5).waits(2)
    after = Machine(Word(tag("s"), {}), 1.0, state=before.rule.state())
    after.now_ns = before.now_ns + 3600 * S
    after.waits(20)
    assert after.points == [], "a subscription that goes on tells changes alone: nothing is known yet"
    assert after.says(s=1, n=5).waits(2).codes == [RUN]
    assert after.points[0].fields["since"] == NOW


def test_a_restart_believes_what_it_kept_when_nobody_says_otherwise() -> None:
    before = Machine(Lamps(tag("g"), tag("a"))).says(g=False, a=True).waits(5)
    after = Machine(Lamps(tag("g"), tag("a")), state=before.rule.state())
    assert after.waits(31).codes == [IDLE]
    after.says(a=False).waits(4)
    assert after.codes == [IDLE, OFF]


def test_a_tag_that_is_never_heard_is_unknown() -> None:
    one = Machine(Lamps(tag("g"), tag("a"))).says(g=True).waits(40)
    assert (one.codes, one.reason) == ([UNKNOWN], "not_heard")


def test_states_follow_each_other_however_clocks_differ() -> None:
    one = Machine(Counting(tag("n")), 1.0)
    one.rule.take(tag("n"), NOW + 100 * S, 1, 0)
    one.waits(20)
    times = [point.time_ns for point in one.points]
    assert times == sorted(set(times))
    assert one.codes == [RUN, MINOR]


def test_a_state_of_other_rules_is_refused() -> None:
    with pytest.raises(ValueError, match="not the state"):
        Machine(Counting(tag("n")), state=b"[]")
