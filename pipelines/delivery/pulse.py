"""Whether the other end of a session still lives: it answers, or takes what is on its way to it.

A half-open link, a black hole and a broker that stands still look alike: what was sent is not answered. A slow link
looks the same for a while, but bytes of a packet that waits longer than from one look to the next move on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SLOWEST_BYTES_PER_S: Final = 8_000
"""A link slower than this, behind a relay that buffers a whole record, is taken for dead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The oldest packet that waits for its answer.

    Attributes:
        end: where it ends in all that was ever to be sent, bytes.
        size: of it, bytes.
    """

    end: int
    size: int


class Pulse:
    """Looked at now and then.

    Args:
        keepalive_s: longest silence before a ping.
        now_s: monotonic time of the beginning.
    """

    def __init__(self, keepalive_s: float, now_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._life_s = now_s
        self._received = 0
        self._taken = 0
        self._asked: Asked | None = None

    def silent_s(self, now_s: float, received: int, taken: int, asked: Asked | None) -> float:
        """Seconds without a sign of life, when that is too long; 0 while it is not.

        Args:
            now_s: monotonic time.
            received: bytes that ever came.
            taken: bytes that the other end's TCP ever acknowledged: a relay may still hold them.
            asked: the oldest packet without its answer; None when nothing waits.
        """
        on_its_way = asked is not None and asked == self._asked and self._taken < asked.end
        if received != self._received or (taken != self._taken and on_its_way):
            self._life_s = now_s
        self._received, self._taken, self._asked = received, taken, asked
        silent_s, patience_s = now_s - self._life_s, 2 * self._keepalive_s
        if asked is None:
            return 0.0
        if taken >= asked.end:
            patience_s = max(patience_s, asked.size / _SLOWEST_BYTES_PER_S)
        return silent_s if silent_s > patience_s else 0.0
