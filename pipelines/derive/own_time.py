"""Times of readings on the agent's own clock.

Rules put readings of several devices and the agent's own ticks into one order: a device whose clock is minutes off
would delay its alarms by as much, and cut its energy at another hour. Readings as they are stored keep their own times.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.skew import Skew

_DELAY_NS: Final = 5 * 10**9
"""A newest reading that is older than that was not on its way for so long: its device's clock is behind."""
_BEFORE_NS: Final = 10 * 10**9
"""How long before the delivery before this one a reading may have been taken; what is older was not told then."""


class OwnTime:
    """For one connection; the newest reading of a delivery says how far its devices' clocks are off."""

    def __init__(self) -> None:
        self._skew = Skew()
        self._shift_ns = 0
        self._known_ns: int | None = None
        self._floor_ns = 0

    def see(self, newest_ns: int, now_ns: int, now_s: float, shift_ns: int) -> None:
        """A delivery came; its times may be asked for until the next one.

        Args:
            newest_ns: newest time in it, ns since 1970 UTC by its device.
            now_ns: when it came, by the agent's clock.
            now_s: the same by the monotonic clock, seconds.
            shift_ns: by how much the agent's clock was set since the start, all together.
        """
        if shift_ns != self._shift_ns:
            self._skew.forget()
            self._shift_ns, self._known_ns = shift_ns, None
        self._skew.see(newest_ns, now_ns, now_s)
        self._floor_ns = (now_ns if self._known_ns is None else self._known_ns) - _BEFORE_NS
        self._known_ns = now_ns

    def of(self, time_ns: NDArray[np.int64], now_ns: int) -> NDArray[np.int64]:
        """Times of readings of that delivery, never to come, and none from before the agent knew the connection.

        Args:
            time_ns: by the device, ns since 1970 UTC, shape (n,).
            now_ns: when they came.
        """
        ahead_ns = round((self._skew.seconds or 0.0) * 1e9)
        if -_DELAY_NS <= ahead_ns <= 0:
            ahead_ns = 0
        return np.clip(time_ns - ahead_ns, self._floor_ns, now_ns)

    def lost(self) -> None:
        """The link is gone: what is told behind it may be as old as the device."""
        self._known_ns = None
