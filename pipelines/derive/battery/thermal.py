"""How fast a pack warms: the sign of a cell that runs away, told once each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_WINDOW_NS: Final = 60 * 10**9
_LEAST_NS: Final = 30 * 10**9
"""Shortest time over which a rate is taken: noise of 0.1 ℃ is no alarm then."""
_EVERY_NS: Final = 5 * 10**9
"""What is kept is thinned out to this, a minute of it at most."""


@dataclass(slots=True)
class Thermal:
    """Temperatures of the last minute.

    Attributes:
        past: time, ns, and temperature, ℃, oldest first.
        rising: whether the limit is exceeded and told.
    """

    past: list[tuple[int, float]] = field(default_factory=list)
    rising: bool = False

    def take(self, time_ns: int, celsius: float, limit_k_per_min: float) -> float | None:
        """The rate, ℃/min, when it begins to exceed the limit; it has to fall below half of it to be told again.

        The rate is the difference to the oldest temperature within a minute, by the time between.
        """
        self.past = [one for one in self.past if one[0] >= time_ns - _WINDOW_NS]
        if not self.past or time_ns - self.past[-1][0] >= _EVERY_NS:
            self.past.append((time_ns, celsius))
        since_ns, before = self.past[0]
        if time_ns - since_ns < _LEAST_NS:
            return None
        rate = (celsius - before) * _WINDOW_NS / (time_ns - since_ns)
        if rate > limit_k_per_min and not self.rising:
            self.rising = True
            return rate
        if rate < limit_k_per_min / 2:
            self.rising = False
        return None
