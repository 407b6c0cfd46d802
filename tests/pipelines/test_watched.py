"""A clock that somebody sets: what is believed, what is estimated, what is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pipelines.watched import RELEASED_NS, WatchedClock, kernel_synced

S = 10**9
HOUR = 3600 * S
DAY = 24 * HOUR
TODAY = RELEASED_NS + 80 * DAY
BOOT_1970 = 20 * S


@dataclass
class Machine:
    """A machine whose wall clock somebody sets; nobody can set its monotonic one."""

    wall_ns: int = TODAY
    steady_ns: int = 1000 * S
    is_synced: bool | None = False
    rate: float = 1.0

    def now_ns(self) -> int:
        return self.wall_ns

    def monotonic_s(self) -> float:
        return self.steady_ns / 1e9

    def synced(self) -> bool | None:
        return self.is_synced

    def steady(self) -> int:
        return self.steady_ns

    def passes(self, seconds: float) -> None:
        self.wall_ns += int(seconds * S)
        self.steady_ns += int(seconds * S)

    def clock(self, state: bytes | None = None) -> WatchedClock:
        return WatchedClock(state, self, self.synced, self.steady)


def boot(state: bytes, wall_ns: int) -> tuple[Machine, WatchedClock]:
    machine = Machine(wall_ns, 5 * S)
    return machine, machine.clock(state)


def test_a_right_clock_is_given_out_as_it_is() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(100):
        machine.passes(1)
        clock.look()
        assert clock.now_ns() == machine.wall_ns
    assert clock.believed
    assert not clock.untold
    assert clock.estimated(np.array([machine.wall_ns])) is None


@pytest.mark.parametrize("at", [0, BOOT_1970, RELEASED_NS - 1, TODAY - HOUR], ids=["epoch", "boot", "old", "behind"])
def test_a_clock_behind_what_is_known_is_replaced_until_it_is_set(at: int) -> None:
    machine = Machine()
    before = machine.clock()
    machine, clock = boot(before.state(), at)
    assert not clock.believed
    assert clock.now_ns() > TODAY
    (start,) = clock.untold
    assert (start.cause, start.believed, start.after_ns) == ("start", False, at)
    machine.passes(90)
    estimate = clock.now_ns()
    assert estimate == TODAY + 1 + 90 * S
    assert clock.estimated(np.array([TODAY - 1, estimate])).tolist() == [False, True]  # type: ignore[union-attr]
    machine.wall_ns = TODAY + 3 * DAY
    assert clock.now_ns() == machine.wall_ns
    jump = clock.untold[-1]
    assert (jump.cause, jump.believed) == ("set", True)
    assert jump.before_ns == estimate
    assert jump.jump_s == pytest.approx((3 * DAY - 90 * S) / S, abs=1e-6), "by so much the estimates were behind"
    marks = clock.estimated(np.array([estimate, machine.wall_ns]))
    assert marks is not None
    assert marks.tolist() == [True, False], "a reading that comes late is still known for an estimate"
    machine.passes(1200)
    assert clock.estimated(np.array([estimate])) is None


def test_an_estimate_goes_on_from_an_estimate() -> None:
    machine, clock = boot(Machine().clock().state(), BOOT_1970)
    machine.passes(500)
    machine, clock = boot(clock.state(), BOOT_1970)
    assert clock.now_ns() > TODAY + 500 * S


def test_the_first_start_of_all_in_1970() -> None:
    machine = Machine(BOOT_1970)
    clock = machine.clock()
    assert not clock.believed
    assert clock.now_ns() == RELEASED_NS


def test_a_clock_set_forward_is_followed_and_back_again_too() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(1)
    for offset in (HOUR, 0):
        machine.wall_ns = TODAY + S + offset
        assert clock.now_ns() == machine.wall_ns
        assert clock.believed
    assert [round(jump.jump_s) for jump in clock.untold] == [3600, -3600]
    assert clock.shift_ns == 0


def test_a_clock_set_back_is_not_followed_until_it_is_right_again() -> None:
    machine = Machine()
    clock = machine.clock()
    last = clock.now_ns()
    machine.wall_ns -= HOUR
    for _ in range(10):
        machine.passes(1)
        clock.look()
        assert last < clock.now_ns() <= last + 1.01 * S
        last = clock.now_ns()
    assert not clock.believed
    machine.wall_ns += HOUR
    assert clock.now_ns() == last
    assert clock.believed
    assert clock.shift_ns == 0
    assert [round(jump.jump_s) for jump in clock.untold] == [-3600, 0]


def test_what_a_clock_was_set_to_after_a_boot_in_1970_is_known_from_then_on() -> None:
    machine, clock = boot(Machine().clock().state(), BOOT_1970)
    machine.wall_ns = TODAY + 3 * DAY
    clock.look()
    assert clock.believed
    machine.wall_ns -= HOUR
    clock.look()
    assert not clock.believed
    assert clock.now_ns() >= TODAY + 3 * DAY


@pytest.mark.parametrize("how", ["synced", "trusted"])
def test_a_clock_set_back_is_followed_when_somebody_vouches_for_it(how: str) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall_ns -= HOUR
    clock.look()
    assert not clock.believed
    if how == "synced":
        machine.is_synced = True
        clock.look()
    else:
        assert clock.trust()
    assert clock.believed
    assert clock.now_ns() == machine.wall_ns == TODAY - HOUR
    assert clock.untold[-1].cause == how
    assert clock.shift_ns == -HOUR
    machine.passes(1)
    clock.look()
    assert clock.believed


def test_nobody_can_vouch_for_1970() -> None:
    machine = Machine(BOOT_1970, is_synced=True)
    clock = machine.clock()
    assert not clock.trust()
    clock.look()
    assert not clock.believed


def test_small_corrections_are_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    for step_ns in (-2 * S, 3 * S, -400_000_000):
        machine.wall_ns += step_ns
        clock.look()
        assert clock.now_ns() == machine.wall_ns
    assert [round(jump.jump_s) for jump in clock.untold] == [-2, 3], "less than half a second is no jump"


def test_a_synchronised_clock_is_never_taken_for_wrong_afterwards() -> None:
    """A clock that was ahead and is set right by NTP: what it was before bounds nothing any more."""
    machine = Machine(TODAY + DAY)
    clock = machine.clock()
    machine.wall_ns, machine.is_synced = TODAY, True
    clock.look()
    assert clock.believed
    machine.is_synced = False
    machine.passes(1)
    clock.look()
    assert clock.believed
    _, again = boot(clock.state(), TODAY + HOUR)
    assert again.believed


def test_the_kernel_can_be_asked() -> None:
    assert kernel_synced() in {True, False, None}
    clock = WatchedClock()
    clock.look()
    assert clock.now_ns() > RELEASED_NS
    assert not clock.untold
