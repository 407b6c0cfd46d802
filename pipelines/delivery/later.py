"""Records stamped while the agent's clock was ahead: sent when their time has come.

A point of the future in a store is the newest one of its series until then: every page and alarm would show it instead
of what comes in now. Only what a clock did is held, not what a source whose clock is a little ahead says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.journal.journal import Stored
from pipelines.journal.segment import Segment

AHEAD_NS: Final = 600 * 10**9
"""A record whose newest time lies further ahead of the agent's clock than this waits."""
TOO_FAR_NS: Final = 86_400 * 10**9
"""Further ahead than this it is not waited for: somebody has to look."""
_LOOK_NS: Final = 10 * 10**9


@dataclass(slots=True)
class Held:
    """Neighbouring records of one segment that wait: first bytes in [start, end).

    Attributes:
        segment: where they are.
        start: first byte of the first.
        end: behind the last.
        records: how many.
        due_ns: when the first of them may go, ns since 1970 UTC.
        last_ns: when all of them may.
    """

    segment: Segment
    start: int
    end: int
    records: int
    due_ns: int
    last_ns: int


class Later:
    """What waits for its time.

    Args:
        now_ns: the agent's time, ns since 1970 UTC; None while nobody knows it: nothing is held then.
        allowance_s: by how much sources are known to be ahead, seconds.
    """

    def __init__(
        self, now_ns: Callable[[], int | None] = lambda: None, allowance_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._now_ns = now_ns
        self._allowance_s = allowance_s
        self._held: list[Held] = []
        self._looked_ns = 0

    @property
    def records(self) -> int:
        """Records that wait."""
        return sum(held.records for held in self._held if not held.segment.deleted)

    @property
    def until_ns(self) -> int:
        """When the last of them may go, ns since 1970 UTC; 0 = none waits."""
        return max((held.last_ns for held in self._held if not held.segment.deleted), default=0)

    def ahead_ns(self, stored: Stored) -> int:
        """By how much a record is further ahead of the agent's clock than sources can be; 0 or less = it is not."""
        now_ns = self._now_ns()
        if now_ns is None or stored.span_ns[1] - now_ns <= AHEAD_NS:
            return 0
        return stored.span_ns[1] - now_ns - int(self._allowance_s() * 1e9)

    def takes(self, stored: Stored) -> bool:
        """Whether the record waits; it is kept in mind and comes again by `due`."""
        if not AHEAD_NS < self.ahead_ns(stored) <= TOO_FAR_NS:
            return False
        due_ns, end = stored.span_ns[1], stored.offset + stored.size
        last = self._held[-1] if self._held else None
        if last is not None and last.segment is stored.segment and last.end == stored.offset:
            last.end, last.records = end, last.records + 1
            last.due_ns, last.last_ns = min(last.due_ns, due_ns), max(last.last_ns, due_ns)
        else:
            self._held.append(Held(stored.segment, stored.offset, end, 1, due_ns, due_ns))
        return True

    def due(self) -> Iterator[Held]:
        """What may be looked at again: the time of one of its records has come, or nobody knows the time."""
        now_ns = self._now_ns()
        if not self._held or (now_ns is not None and 0 <= now_ns - self._looked_ns < _LOOK_NS):
            return
        self._looked_ns = now_ns or 0
        held, self._held = self._held, []
        for one in held:
            if one.segment.deleted:
                continue
            if now_ns is None or one.due_ns <= now_ns:
                yield one
            else:
                self._held.append(one)
