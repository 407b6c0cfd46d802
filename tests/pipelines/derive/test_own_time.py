"""What rules make of readings does not change with a device's clock that is off, nor with a first value that is old."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.derive.alarm import Alarm
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.engine import Engine
from pipelines.derive.own_time import OwnTime
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, Delivery, scan_of
from pipelines.settings import ConnectionSettings, TagSettings
from pipelines.source import Source

S = 10**9
NOW = 1_788_739_200 * S
PLACE = Place("press", "acme", "daegu", "", "P1")
OFF_S = [0, 5, -5, 20, -20, 300, -300, 3000, -3000]


class Heard:
    """A rule that keeps what it hears."""

    name = "heard"
    reads = frozenset({Ref("P1", "a")})

    def __init__(self) -> None:
        self.heard: list[tuple[int, Value, int]] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        assert ref.tag == "a"
        self.heard.append((time_ns, value, status))

    def tick(self, now_ns: int) -> None: ...

    def moved(self, by_ns: int) -> None: ...

    def lines(self) -> list[Derived]:
        return []

    def state(self) -> bytes:
        return b""

    def restore(self, state: bytes) -> None: ...


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


def listened() -> tuple[Source, Heard]:
    rule, engine = Heard(), Engine({})
    engine.follow([rule], {"P1": PLACE})
    tags = (TagSettings(name="a"), TagSettings(name="b"))
    return Source(Connection(name="plc", tags=tags), [PLACE, PLACE], {}, engine=engine), rule


@pytest.mark.parametrize("off_s", OFF_S)
def test_readings_are_heard_when_they_were_taken_by_our_clock(off_s: int) -> None:
    one, rule = listened()
    for second in range(10):
        taken_ns = NOW + second * S
        device_ns = taken_ns + off_s * S
        scan = scan_of([0, 0], [device_ns - S // 2, device_ns], [float(second), second + 0.5])
        one.encode(Delivery((scan,), None, device_time_ns=device_ns), taken_ns)
    slack_ns = 5 * S if -5 <= off_s < 0 else 0  # not told from a delay
    for second, (before, newest) in enumerate(zip(rule.heard[::2], rule.heard[1::2], strict=True)):
        assert -slack_ns <= newest[0] - (NOW + second * S) <= 0
        assert newest[0] - before[0] == S // 2


@pytest.mark.parametrize("off_s", [10**6, 10**9])
def test_one_time_that_cannot_be_right_says_nothing_of_the_others(off_s: int) -> None:
    one, rule = listened()
    scan = scan_of([0, 1], [NOW - S, NOW + off_s * S], [1.0, 2.0])
    one.encode(Delivery((scan,), None, device_time_ns=NOW), NOW)
    assert rule.heard == [(NOW - S, 1.0, 0)]


@pytest.mark.parametrize("off_s", OFF_S)
def test_nothing_is_heard_behind_the_word_that_the_link_is_gone(off_s: int) -> None:
    one, rule = listened()
    one.encode(Delivery((scan_of([0], NOW + off_s * S, [1.0]),), None, device_time_ns=NOW + off_s * S), NOW)
    one.lost(BAD_NO_COMMUNICATION, NOW + S)
    assert [status for *_, status in sorted(rule.heard)] == [0, BAD_NO_COMMUNICATION]


@pytest.mark.parametrize("age_s", [0, 30, 61, 600, 86_400])
@pytest.mark.parametrize("more", [{"delay_s": 10}, {"delay_s": 3, "safety": True}, {"delay_s": 300}])
def test_an_alarm_comes_however_old_the_first_value_is(age_s: int, more: dict[str, object]) -> None:
    settings = AlarmSettings.model_validate(
        {"name": "high", "machine": "P1", "tag": "a", "above": 10, "priority": "urgent", **more}
    )
    one, rule = listened()
    alarm = Alarm(settings)
    one.encode(Delivery((scan_of([0], NOW - age_s * S, [20.0]),), None, device_time_ns=NOW), NOW)
    for time_ns, value, status in rule.heard:
        alarm.take(Ref("P1", "a"), time_ns, value, status)
    for second in range(310):
        alarm.tick(NOW + second * S)
    (raised,) = [change for change in alarm.changes() if change.event == "raised"]
    delay_ns = int(settings.delay_s * S)
    assert NOW + delay_ns - 10 * S <= raised.time_ns <= NOW + delay_ns


@pytest.mark.parametrize("off_s", [300, -300])
def test_a_clock_of_ours_that_is_set_right_believes_the_device_at_once(off_s: int) -> None:
    own = OwnTime()
    for second in range(10):
        own.see(NOW + (off_s + second) * S, NOW + second * S, second, 0)
    later = NOW + (off_s + 10) * S
    own.see(later, later, 10, off_s * S)
    times = later + np.array([-2, 0], dtype=np.int64) * S
    assert own.of(times, later).tolist() == times.tolist()


def test_what_lay_between_two_deliveries_keeps_its_distances() -> None:
    own = OwnTime()
    own.see(NOW, NOW, 0.0, 0)
    own.see(NOW + 60 * S, NOW + 60 * S, 60.0, 0)
    times = NOW + np.array([8, 16, 60], dtype=np.int64) * S
    assert own.of(times, NOW + 60 * S).tolist() == times.tolist()
    own.lost()
    own.see(NOW + 120 * S, NOW + 120 * S, 120.0, 0)
    assert own.of(times, NOW + 120 * S).tolist() == [NOW + 110 * S] * 3
