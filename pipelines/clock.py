"""The only place that reads a wall clock.

A plant and an agent that run faster than real time share an origin and a rate (`SHOPFLOOR_CLOCK=origin_ns:rate`).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Wall and monotonic time of one process."""

    def now_ns(self) -> int:
        """Wall time, ns since 1970-01-01 UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never jump, in the same rate as the wall time."""
        ...

    @property
    def rate(self) -> float:
        """Seconds of this clock per real second, 1.0 for real time."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own clocks."""

    rate: float = 1.0

    def now_ns(self) -> int:
        """Wall time, ns since 1970-01-01 UTC."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """A clock that runs `rate` times as fast since `origin_ns` (both processes of a simulation share the two)."""

    origin_ns: int
    rate: float

    def now_ns(self) -> int:
        """Scaled wall time, ns since 1970-01-01 UTC."""
        return self.origin_ns + int((time.time_ns() - self.origin_ns) * self.rate)

    def monotonic_s(self) -> float:
        """Scaled monotonic seconds."""
        return time.monotonic() * self.rate


def boot_ns() -> int:
    """Time that never jumps and goes on while the machine sleeps, ns (CLOCK_BOOTTIME)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def clock_from_environment() -> Clock:
    """The clock this process was told to use: `SHOPFLOOR_CLOCK=origin_ns:rate`, else the machine's.

    Raises:
        ValueError: the variable is set and is not `origin_ns:rate` with a rate above 0.
    """
    text = os.environ.get("SHOPFLOOR_CLOCK")
    if not text:
        return SystemClock()
    origin, _, rate = text.partition(":")
    if float(rate) <= 0:
        msg = f"SHOPFLOOR_CLOCK={text}: the rate must be above 0"
        raise ValueError(msg)
    return ScaledClock(int(origin), float(rate))
