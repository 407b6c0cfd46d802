"""How long a record may wait for its confirmation before it is sent again, learned from how long confirmations took."""

from __future__ import annotations

from collections import deque
from typing import Final

_REMEMBERED: Final = 512
_SILENCE_S: Final = 30.0
_OVERTAKEN_S: Final = (5.0, 15.0)
"""Shortest and longest wait of an overtaken record where the store is usually quick. The longest is longer than a
bridge rests after an error of the store, so that what it holds is not sent again."""
_MARGIN: Final = 4


class Patience:
    """What the latest confirmations took, and the limits that follow.

    A store that was away leaves some long times, which say nothing of how long the next confirmation takes; where it
    is slow, nearly all of them are long. So the 99th percentile is believed only as far as the lower quartile bears it
    out.
    """

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)

    def learn(self, took_s: float) -> None:
        """A record was confirmed so long after it was sent."""
        self._took_s.append(took_s)

    @property
    def silence_s(self) -> float:
        """Without any confirmation for so long, all that is unconfirmed is sent again: max(30 s, 4 × p99)."""
        return max(_SILENCE_S, _MARGIN * self._quantile(99))

    @property
    def overtaken_s(self) -> float:
        """While later records are confirmed, one that is not is sent again after this.

        Four times the p99 less 30 s, but at least 5 s, and at most 15 s or four times the lower quartile.
        """
        shortest_s, longest_s = _OVERTAKEN_S
        learned_s = max(shortest_s, self.silence_s - _SILENCE_S)
        return min(learned_s, max(longest_s, _MARGIN * self._quantile(25)))

    def _quantile(self, percent: int) -> float:
        times = sorted(self._took_s)
        return times[len(times) * percent // 100] if times else 0.0
