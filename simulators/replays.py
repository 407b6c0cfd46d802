"""Deadbands over a power cut: a collector forgets what it stored last, and decides again about what it is told again.

Pure. What was stored and not yet durable is in the store; what the source tells again is compared with another reading
than before. Each decision was right by the reading it was compared with: all that is stored around a power cut counts.
"""

from __future__ import annotations

from collections.abc import Sequence


class Replayed:
    """The readings of one tag that another one may have been compared with.

    Args:
        spans: (start, end) around each power cut, ns since 1970 UTC.
        deadband: of the tag, engineering units; 0 = none.
    """

    def __init__(self, spans: Sequence[tuple[int, int]], deadband: float) -> None:
        self._spans = spans
        self._deadband = deadband
        self._before: list[float] = []
        self._around: list[float] = []

    def stored(self, left_ns: int, value: float) -> None:
        """The next stored reading of the tag, in the order in which they left the plant."""
        if any(start_ns <= left_ns <= end_ns for start_ns, end_ns in self._spans):
            self._around = [*(self._around or self._before), value]
        else:
            self._before, self._around = [value], []

    def holds_back(self, value: float) -> bool:
        """Whether a reading is within the deadband of one of those around the power cut that came last."""
        return any(abs(value - one) < self._deadband for one in self._around)
