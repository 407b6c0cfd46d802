"""The machine's wall clock, watched: jumps are noticed at once, and a time that cannot be right is replaced.

A wall time is believed when it is not earlier than this software, and not earlier than what this agent gave out before,
continued by the monotonic clock: time does not run backwards, so such a clock was not set (it booted in 1970) or was
set back. A clock that the kernel calls synchronised (adjtimex(2), which NTP and PTP daemons keep) is believed whatever
came before. While it is not believed, time goes on from the newest known one by the monotonic clock: such estimates run
at the right speed and lie behind everything that was stamped before. When the clock is set right, the jump has exactly
the size by which the estimates were off.
"""

from __future__ import annotations

import ctypes
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.clock import Clock, SystemClock, boot_ns

RELEASED_NS: Final = 1_788_220_800 * 10**9
"""2026-09-01: no right clock shows less to this software."""
PLAUSIBLE_NS: Final = RELEASED_NS + 30 * 365 * 86_400 * 10**9
"""No device's clock is right beyond this."""
JUMP_NS: Final = 500_000_000
"""Wall and monotonic clock that differ by more than this since the last look: a jump."""
BACK_NS: Final = 60 * 10**9
"""A clock may be set back by this much without losing belief: a nightly correction."""
_LATE_NS: Final = 600 * 10**9
"""How long after a stretch of estimates readings may still come that were stamped in it."""
_PAIR_NS: Final = 20_000_000
_PAIR_TRIES: Final = 4
_TIME_ERROR: Final = 5
_STA_UNSYNC: Final = 0x40
_TIMEX_BYTES: Final = 512
_STATUS_AT: Final = struct.calcsize("@i4l")
_STATE: Final = struct.Struct("<q")
MOST_JUMPS: Final = 64


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock and this agent's time parted, or came together.

    Attributes:
        time_ns: agent's time right after it, ns since 1970 UTC.
        before_ns: agent's time right before it.
        after_ns: what the machine's clock says now.
        synced: what the kernel says of it; None = it does not say.
        believed: whether the agent follows it.
        cause: `start`: found so. `set`: the clock was set. `synced`: the kernel vouches for it now. `trusted`: a person
            does. `suspend`: the machine slept; the clock was right all the time.
    """

    time_ns: int
    before_ns: int
    after_ns: int
    synced: bool | None
    believed: bool
    cause: Literal["start", "set", "synced", "trusted", "suspend"]

    @property
    def jump_s(self) -> float:
        """By how much, seconds; above 0 = forward."""
        return (self.after_ns - self.before_ns) / 1e9


def kernel_synced() -> bool | None:
    """Whether the kernel calls its clock synchronised (adjtimex(2)); None where it cannot be asked. Reads only."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (AttributeError, OSError):
        return None
    if state < 0:
        return None
    (status,) = struct.unpack_from("@i", timex, _STATUS_AT)
    return state != _TIME_ERROR and not status & _STA_UNSYNC


class WatchedClock:
    """A clock of this machine that never gives out a time that cannot be right.

    Args:
        state: what `state` gave for an earlier process, or None.
        base: the machine's clocks.
        synced: what the kernel says of the wall clock.
        steady_ns: time that never jumps, ns.

    Attributes:
        believed: whether the machine's wall time is given out; else estimates are.
        synced: what the kernel said at the last look; None = it does not say.
        count: jumps so far.
        last: the last of them.
        shift_ns: by how much `now_ns` jumped so far, all together.
        untold: jumps that nobody took yet, oldest first.
    """

    rate: float = 1.0

    def __init__(
        self,
        state: bytes | None = None,
        base: Clock | None = None,
        synced: Callable[[], bool | None] = kernel_synced,
        steady_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self._base = base or SystemClock()
        self._ask = synced
        self._steady_ns = steady_ns
        self.synced = synced()
        self.count = 0
        self.last: Jump | None = None
        self.shift_ns = 0
        self.untold: deque[Jump] = deque(maxlen=MOST_JUMPS)
        self._stretch: tuple[int, int | None, int] | None = None
        """Oldest and newest estimate (None: it goes on), and the steady time of its end."""
        known_ns = _STATE.unpack(state)[0] if state and len(state) == _STATE.size else 0
        wall, steady = self._read()
        self._wall, self._seen = wall, steady
        self._floor, self._floor_at = max(known_ns, RELEASED_NS), steady
        self._estimate_ns, self._estimate_at = max(known_ns + 1, RELEASED_NS), steady
        self._slept_ns = self._sleep_ns()
        self.believed = self._believable(wall, steady)
        if self.believed:
            self._floor = wall
        else:
            self._stretch = (self._estimate_ns, None, 0)
            self._tell(self._estimate_ns, self._estimate_ns, wall, "start")

    def now_ns(self) -> int:
        """Wall time, or the estimate of it, ns since 1970-01-01 UTC."""
        wall, steady = self._read()
        if abs(wall - self._wall - (steady - self._seen)) > JUMP_NS:
            self._jumped(wall, steady, "set")
        return wall if self.believed else self._estimate(steady)

    def monotonic_s(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return self._base.monotonic_s()

    def look(self) -> None:
        """Compare the clocks and ask the kernel; to be called about once a second."""
        self.now_ns()
        wall, steady = self._read()
        self._wall, self._seen = wall, steady
        slept = self._sleep_ns()
        if slept - self._slept_ns > JUMP_NS:
            self._tell(wall, wall - (slept - self._slept_ns), wall, "suspend")
        self._slept_ns = slept
        self.synced = self._ask()
        if self.synced and wall >= RELEASED_NS:
            if not self.believed:
                self._jumped(wall, steady, "synced")
            self._floor, self._floor_at = wall, steady

    def trust(self) -> bool:
        """A person says that the wall clock is right; False when that cannot be."""
        wall, steady = self._read()
        if wall < RELEASED_NS:
            return False
        self._floor, self._floor_at = wall, steady
        if not self.believed:
            self._jumped(wall, steady, "trusted")
        return True

    def estimated(self, time_ns: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Which of these times of the agent's own are estimates; None = none, bool, shape (n,)."""
        if self._stretch is None:
            return None
        first, last, ended = self._stretch
        if last is None:
            return time_ns >= first
        if self._steady_ns() - ended > _LATE_NS:
            self._stretch = None
            return None
        return (time_ns >= first) & (time_ns <= last)

    def state(self) -> bytes:
        """The newest time this agent knows, for the next process."""
        return _STATE.pack(self.now_ns())

    @property
    def machine_ns(self) -> int:
        """What the machine's clock says, right or wrong, ns since 1970 UTC."""
        return self._base.now_ns()

    def _read(self) -> tuple[int, int]:
        """Wall and steady time of one moment."""
        for _ in range(_PAIR_TRIES):
            before = self._steady_ns()
            wall = self._base.now_ns()
            after = self._steady_ns()
            if after - before < _PAIR_NS:
                break
        return wall, after

    def _estimate(self, steady: int) -> int:
        return self._estimate_ns + steady - self._estimate_at

    def _believable(self, wall: int, steady: int) -> bool:
        if wall < RELEASED_NS:
            return False
        return bool(self.synced) or wall >= self._floor + (steady - self._floor_at) - BACK_NS

    def _jumped(self, wall: int, steady: int, cause: Literal["set", "synced", "trusted"]) -> None:
        expected = self._wall + steady - self._seen if self.believed else self._estimate(steady)
        self._wall, self._seen = wall, steady
        self.synced = self._ask()
        was, self.believed = self.believed, self._believable(wall, steady)
        if was and not self.believed:
            self._estimate_ns, self._estimate_at = expected, steady
            self._stretch = (expected, None, 0)
        elif self.believed:
            self.shift_ns += wall - expected
            if not was and self._stretch is not None:
                self._stretch = (self._stretch[0], expected, steady)
                self._floor, self._floor_at = wall, steady
        self._tell(wall if self.believed else expected, expected, wall, cause)

    def _tell(
        self, now: int, before: int, after: int, cause: Literal["start", "set", "synced", "trusted", "suspend"]
    ) -> None:
        self.count += 1
        self.last = Jump(now, before, after, self.synced, self.believed, cause)
        self.untold.append(self.last)

    def _sleep_ns(self) -> int:
        return self._steady_ns() - int(self._base.monotonic_s() * 1e9)
