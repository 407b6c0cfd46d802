"""How fast the backlog goes beside the live stream: as fast as what is live does not have to wait for it."""

from __future__ import annotations

import math
from typing import Final

_FIRST_BYTES: Final = 256 << 10
"""Backlog that may be on its way at first."""
_LEAST_BYTES: Final = 16 << 10
"""And at least, on the slowest link; a single record may be larger."""
_TARGET_S: Final = 0.5
"""Confirmation time at which the backlog gives way: a live record sent now waits about as long behind it."""
_SHRINK: Final = 0.7
_RATE_S: Final = 5.0
"""Time over which the drain rate is averaged."""


class Drain:
    """The share of the backlog: bytes on the way that grow while confirmations are quick, and shrink when they are not.

    Args:
        most_bytes: backlog that may ever be on its way.
        points_per_s: limit of the drain rate; 0 = none.

    Attributes:
        window_bytes: backlog that may be on its way now.
    """

    def __init__(self, most_bytes: int, points_per_s: int = 0) -> None:
        self.window_bytes = min(_FIRST_BYTES, most_bytes)
        self._most_bytes = most_bytes
        self._limit = points_per_s
        self._tokens = float(points_per_s)
        self._filled_s = 0.0
        self._shrunk_s = 0.0
        self._rate = 0.0
        self._rate_at_s = 0.0

    def allows(self, on_way_bytes: int, now_s: float) -> bool:
        """Whether one more record of the backlog may go; a lone one always may, however large, within the limit."""
        if self._limit:
            self._tokens = min(float(self._limit), self._tokens + (now_s - self._filled_s) * self._limit)
            self._filled_s = now_s
            if self._tokens <= 0:
                return False
        return on_way_bytes < self.window_bytes

    def sent(self, points: int) -> None:
        """A record of the backlog went."""
        self._tokens -= points

    def confirmed(self, size: int, points: int, sent_s: float, now_s: float) -> None:
        """The store has a record of the backlog that was sent at `sent_s`."""
        self._rate = self.points_per_s(now_s) + points / _RATE_S
        self._rate_at_s = now_s
        if now_s - sent_s <= _TARGET_S:
            self.window_bytes = min(self._most_bytes, self.window_bytes + size)
        elif sent_s >= self._shrunk_s:  # sent under the window as it is now
            self.window_bytes = max(_LEAST_BYTES, int(self.window_bytes * _SHRINK))
            self._shrunk_s = now_s

    def points_per_s(self, now_s: float) -> float:
        """Backlog confirmed lately, points a second."""
        return self._rate * math.exp(-max(0.0, now_s - self._rate_at_s) / _RATE_S)
