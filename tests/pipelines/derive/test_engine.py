"""Rules get the readings they read, in order, and their points and states stand behind the readings of a delivery."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import orjson
import pytest

from pipelines.derive.engine import Engine
from pipelines.derive.kept import Kept
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.place import Place
from pipelines.point import BAD_NO_COMMUNICATION, Delivery, scan_of
from pipelines.settings import ConnectionSettings, Deadband, TagSettings
from pipelines.share.rule import Share
from pipelines.source import Source

NOW = 1_790_000_000_000_000_000
SECOND = 10**9
PLACES = {"P1": Place("press", "acme", "", "", "P1")}


class Connection(ConnectionSettings):
    tags: tuple[TagSettings, ...]


class Sum:
    """Adds up what one tag says, and tells it; once a minute it says that it is there."""

    def __init__(self, tag: str = "a") -> None:
        self.name = f"sum/{tag}"
        self.reads = frozenset({Ref("P1", tag)})
        self.total = 0.0
        self.heard: list[tuple[int, Value, int]] = []
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        self.heard.append((time_ns, value, status))
        if not status:
            assert isinstance(value, int | float)
            self.total += value
            self._points.append(Derived("state", ref.machine, time_ns, {"sum": self.total}))

    def tick(self, now_ns: int) -> None:
        if now_ns % (60 * SECOND) == 0:
            self._points.append(Derived("state", "P1", now_ns, {"sum": self.total}))

    def moved(self, by_ns: int) -> None: ...

    def lines(self) -> Sequence[Derived]:
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        return orjson.dumps([self.total])

    def restore(self, state: bytes) -> None:
        match orjson.loads(state):
            case [float(total)]:
                self.total = total
            case _:
                raise ValueError("not a sum")


def engine(*rules: Sum, state: dict[str, bytes] | None = None) -> Engine:
    kept = Kept({})
    for name, one in (state or {}).items():
        kept[name] = one
    made = Engine(kept.resume())
    made.follow(rules, PLACES)
    return made


def source(made: Engine, deadband: float | None = None) -> Source:
    band = Deadband(type="absolute", value=deadband) if deadband else None
    tags = (TagSettings(name="a", deadband=band), TagSettings(name="b"))
    return Source(Connection(name="plc", tags=tags), [PLACES["P1"]] * 2, {}, engine=made)


def test_points_and_state_stand_behind_the_readings_of_the_delivery_in_one_piece() -> None:
    one = source(engine(Sum()))
    (lines,) = one.encode(Delivery((scan_of([0, 1], NOW, [2.5, 9.0]),), b"at 1"), NOW)
    assert lines.body.decode().splitlines() == [
        f"press,company=acme,machine=P1 a=2.5,b=9.0,a_quality=0i,b_quality=0i {NOW}",
        f"state,company=acme,machine=P1 sum=2.5 {NOW}",
    ]
    assert (lines.points, lines.resume["link:plc"], Kept(lines.resume)["sum/a"]) == (3, b"at 1", b"[2.5]")
    assert sum(len(some.tag) for some in lines.readings) == 2, "the ledger counts readings, not what is derived"


def test_a_rule_hears_what_a_deadband_holds_back_and_what_a_lost_link_means() -> None:
    rule = Sum()
    one = source(engine(rule), deadband=10)
    one.encode(Delivery((scan_of([0, 0, 0], [NOW, NOW + 1, NOW + 2], [1.0, 2.0, 3.0]),)), NOW + 2)
    (lines,) = one.encode(Delivery((scan_of([0], NOW + 3, [4.0]),)), NOW + 3)
    assert lines.body == b"state,company=acme,machine=P1 sum=10.0 %d\n" % (NOW + 3)
    one.lost(BAD_NO_COMMUNICATION, NOW + 4)
    assert rule.heard[-1][::2] == (NOW + 4, BAD_NO_COMMUNICATION)


def test_readings_come_in_the_order_of_their_times_and_history_not_at_all() -> None:
    rule = Sum()
    one = source(engine(rule))
    one.encode(Delivery((scan_of([0], NOW + 2, [1.0]), scan_of([0], NOW + 1, [2], dtype="int64"))), NOW + 2)
    one.encode(Delivery((scan_of([0], NOW - 9, [5.0]),), historical=True), NOW + 3)
    assert [time_ns - NOW for time_ns, _, _ in rule.heard] == [1, 2]


def test_a_source_time_that_cannot_be_right_is_the_agents() -> None:
    rule = Sum()
    source(engine(rule)).encode(Delivery((scan_of([0], 5, [1.0]),)), NOW)
    assert rule.heard[0][0] == NOW


def test_a_tag_that_says_nothing_for_too_long_is_unknown_to_rules() -> None:
    rules = (Sum("a"), Sum("b"))
    tags = (TagSettings(name="a", stale_after_s=5), TagSettings(name="b"))
    one = Source(Connection(name="plc", tags=tags), [PLACES["P1"]] * 2, {}, engine=engine(*rules))
    one.encode(Delivery((scan_of([0, 1], NOW, [1.0, 2.0]),)), NOW)
    assert one.overdue(NOW + 5 * SECOND) is None
    assert one.overdue(NOW + 6 * SECOND) is not None
    assert rules[0].heard[-1] == (NOW + 6 * SECOND, 0, BAD_NO_COMMUNICATION)
    assert [status for _, _, status in rules[1].heard] == [0]


class OnChange(TagSettings):
    def tells_changes_alone(self) -> bool:
        return self.name == "a"


def test_what_did_not_change_while_the_link_was_gone_is_heard_again_when_it_is_back() -> None:
    rules = (Sum("a"), Sum("b"))
    tags = (OnChange(name="a"), OnChange(name="b"))
    one = Source(Connection(name="plc", tags=tags), [PLACES["P1"]] * 2, {}, engine=engine(*rules))
    one.encode(Delivery((scan_of([0, 1], NOW, [1.0, 2.0]),)), NOW)
    for _ in range(2):
        one.lost(BAD_NO_COMMUNICATION, NOW + SECOND)
    assert one.recall(NOW + 2 * SECOND) is None
    assert one.recall(NOW + 6 * SECOND) is None
    lines = one.recall(NOW + 7 * SECOND)
    assert lines is not None
    assert rules[0].heard[-1] == (NOW + 7 * SECOND, 1.0, 0)
    assert rules[1].heard[-1][2] == BAD_NO_COMMUNICATION, "it is polled: what it says now, it will say"
    assert one.recall(NOW + 20 * SECOND) is None
    one.lost(BAD_NO_COMMUNICATION, NOW + 21 * SECOND)
    one.recall(NOW + 22 * SECOND)
    one.encode(Delivery((scan_of([0], NOW + 23 * SECOND, [5.0]),)), NOW + 23 * SECOND)
    assert one.recall(NOW + 60 * SECOND) is None
    assert rules[0].heard[-1][1] == 5.0


def test_a_tick_gives_points_only_when_something_ends() -> None:
    made = engine(Sum())
    assert made.tick(NOW + 1) is None
    lines = made.tick(NOW + 40 * SECOND)
    assert lines is not None
    assert (lines.points, Kept(lines.resume)["sum/a"]) == (1, b"[0.0]")


def test_rules_go_on_over_a_restart_and_over_another_configuration() -> None:
    made = engine(Sum(), state={"sum/a": b"[7.5]", "sum/b": b'"no list"'})
    read = source(made)
    read.encode(Delivery((scan_of([0], NOW, [1.0]),)), NOW)
    rules = (Sum("a"), Sum("b"))
    made.follow(rules, PLACES)
    read.follow_rules()
    read.encode(Delivery((scan_of([0, 1], NOW + 1, [1.0, 0.5]),)), NOW + 1)
    assert [rule.total for rule in rules] == [9.5, 0.5]


class Breaks(Sum):
    """A rule with a mistake in one of its methods, which shows at readings above 9."""

    def __init__(self, where: str) -> None:
        super().__init__("b")
        self._where = where
        self._broken = False

    def _meet(self, where: str) -> None:
        if self._broken and where == self._where:
            raise TypeError(f"cannot {where}")

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        self._broken = isinstance(value, float) and value > 9
        self._meet("take")
        super().take(ref, time_ns, value, status)

    def tick(self, now_ns: int) -> None:
        self._meet("tick")
        super().tick(now_ns)

    def lines(self) -> Sequence[Derived]:
        self._meet("lines")
        points = super().lines()
        wrong = Derived("state", "P1", NOW, {"sum": inf}) if self._where == "encode" else None
        lost = Derived("state", "nowhere", NOW, {"sum": 1}) if self._where == "place" else None
        return [*points, *(one for one in (wrong, lost) if one and self._broken)]

    def state(self) -> bytes:
        self._meet("state")
        return super().state()


@pytest.mark.parametrize("where", ["take", "tick", "lines", "encode", "place", "state"])
def test_a_rule_that_fails_is_set_aside_and_nothing_else_is_lost(where: str) -> None:
    made = engine(Breaks(where), Sum("a"))
    read = source(made)
    read.encode(Delivery((scan_of([0, 1], NOW, [1.0, 2.0]),)), NOW)
    out = read.encode(Delivery((scan_of([0, 1], NOW + 1, [1.0, 10.0]),), b"at 2"), NOW + 1)
    for later in range(2, 5):
        made.tick(NOW + later)
        out += read.encode(Delivery((scan_of([0, 1], NOW + later, [1.0, 1.0]),)), NOW + later)
    body = b"".join(one.body for one in out).decode()
    assert body.count("press,") == 4, "the readings are stored whatever becomes of the rule"
    assert [f"sum={total}.0" in body for total in range(2, 6)] == [True] * 4, "and so are the points of the other one"
    assert out[0].resume["link:plc"] == b"at 2"
    assert list(made.aside) == ["sum/b"]
    assert [rule.name for rule in made.rules] == ["sum/a"]
    (again, other) = (Sum("b"), Sum("a"))
    made.follow((again, other), PLACES)
    assert not made.aside
    assert again.total == (12.0 if where == "tick" else 2.0), "as it was in the last record before its mistake"
    assert other.total == 5.0


def test_a_share_that_fails_is_set_aside_and_the_own_store_gets_everything() -> None:
    class Blind(Share):
        def see(self, reads: frozenset[Ref], points: Sequence[tuple[Derived, bytes]]) -> None:
            raise KeyError(len(points) + len(reads))

    made = Engine({})
    made.follow([Sum("a")], PLACES, [Blind("park", "o", {Ref("P1", "a"): "raw"}, {}, PLACES)])
    (lines,) = source(made).encode(Delivery((scan_of([0], NOW, [1.0]),)), NOW)
    assert lines.body.count(b"\n") == 2
    assert list(made.aside) == ["share/park"]
