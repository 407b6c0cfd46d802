"""The plant's own clock: wall time that may run faster than real time since an origin."""

from __future__ import annotations

import time
from dataclasses import dataclass


def real_now_ns() -> int:
    """The machine's wall time, ns since 1970 UTC."""
    return time.time_ns()


@dataclass(frozen=True, slots=True)
class SimClock:
    """Time of the plant: `origin_ns + (now - origin_ns) * rate`.

    Attributes:
        origin_ns: ns since 1970 UTC at which plant time and real time are equal.
        rate: plant seconds per real second, above 0.
    """

    origin_ns: int
    rate: float = 1.0

    def now_ns(self) -> int:
        """Plant time, ns since 1970 UTC."""
        now_ns = real_now_ns()
        return now_ns if self.rate == 1.0 else self.origin_ns + int((now_ns - self.origin_ns) * self.rate)

    def real_s(self, plant_s: float) -> float:
        """Real seconds that `plant_s` plant seconds take."""
        return plant_s / self.rate
