"""How far a device's clock is off ours, from the times it puts on its messages."""

from __future__ import annotations

from collections import deque
from typing import Final

_BUCKET_S: Final = 30.0
_BUCKETS: Final = 10
_LATE_NS: Final = 5 * 10**9
_LATE_MESSAGES: Final = 8


class Skew:
    """Running estimate for one connection.

    A message always arrives after it was stamped, by a delay that is never negative: of all differences seen lately the
    one with the shortest delay is nearest to the truth. Five minutes of them count, so that a drift is followed. A
    clock that was set back looks like a delay, but one that every message has from now on.
    """

    def __init__(self) -> None:
        self._least_ns: deque[tuple[int, int]] = deque(maxlen=_BUCKETS)
        """(bucket, least of our time minus the device's in it)."""
        self._late_ns: list[int] = []
        """The same of messages in a row that seem to be much later than any before."""

    def see(self, device_ns: int, now_ns: int, now_s: float) -> None:
        """A message stamped `device_ns` came at `now_ns` by our wall clock, `now_s` by the monotonic one."""
        bucket, apart_ns = int(now_s / _BUCKET_S), now_ns - device_ns
        if self._least_ns and apart_ns - min(least for _, least in self._least_ns) > _LATE_NS:
            self._late_ns.append(apart_ns)
            if len(self._late_ns) < _LATE_MESSAGES:
                return
            apart_ns = min(self._late_ns)
            self._least_ns.clear()
        self._late_ns.clear()
        if self._least_ns and self._least_ns[-1][0] == bucket:
            self._least_ns[-1] = (bucket, min(apart_ns, self._least_ns[-1][1]))
        else:
            self._least_ns.append((bucket, apart_ns))
        while self._least_ns[0][0] <= bucket - _BUCKETS:
            self._least_ns.popleft()

    def forget(self) -> None:
        """Our own clock jumped."""
        self._least_ns.clear()
        self._late_ns.clear()

    @property
    def seconds(self) -> float | None:
        """By how much the device's clock is ahead of ours; below 0 = behind; None = not known."""
        if not self._least_ns:
            return None
        return -min(apart for _, apart in self._least_ns) / 1e9
