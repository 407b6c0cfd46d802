"""A clock that a test sets."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class SetClock:
    """Wall time stands where it was set; monotonic time is the machine's."""

    at_ns: int
    rate: float = 1.0

    def now_ns(self) -> int:
        """As it was set, ns since 1970 UTC."""
        return self.at_ns

    def monotonic_s(self) -> float:
        """Seconds of the machine."""
        return time.monotonic()
