"""Scheduled reads that were left out, told as gaps. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pipelines.point import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERRUN: Final = "overrun"
"""The device, or this machine, took longer than the period."""
BACKPRESSURE: Final = "backpressure"
"""The journal takes nothing, so that sources have to wait."""
_AGAIN_NS: Final = 10 * 10**9


def cause_of(worked_s: float, waited_s: float) -> str:
    """Why a read came too late, from the time spent reading and the time the consumer made it wait."""
    return BACKPRESSURE if waited_s > worked_s else OVERRUN


@dataclass(slots=True)
class Missed:
    """What is left out of one cycle of reads.

    Neighbouring reads that were left out are one gap, from the last read before to the newest one, with their number.
    It is told at once, again at most every 10 s while it grows, and at its end: a device that is always too slow costs
    no more than that.
    """

    _waiting: dict[str, int] = field(default_factory=dict)
    _cause: str = ""
    _start_ns: int = 0
    _end_ns: int = 0
    _count: int = 0
    _told: int = 0
    _told_ns: int = 0

    def add(self, count: int, cause: str) -> None:
        """So many reads were left out before the next one."""
        self._waiting[cause] = self._waiting.get(cause, 0) + count

    def copy(self) -> Missed:
        """The same, for a part of what is read."""
        return replace(self, _waiting=dict(self._waiting))

    def clear(self) -> None:
        """Another gap tells of everything."""
        self._waiting.clear()
        self._count = self._told = 0

    def read(self, tags: Iterable[int], known_ns: int, time_ns: int) -> list[Gap]:
        """Gaps to tell of `tags` when they are read at `time_ns`, after `known_ns` (0 = never), ns since 1970 UTC."""
        found = []
        if self._cause not in self._waiting:
            found = self.rest(tags)
            self._count = self._told = 0
        for cause, count in self._waiting.items() if known_ns else ():
            if cause != self._cause or not self._count:
                found += self.rest(tags)
                self._cause, self._start_ns, self._count, self._told = cause, known_ns, 0, 0
            self._count += count
            self._end_ns = max(time_ns, self._start_ns)
            if not self._told or self._end_ns - self._told_ns >= _AGAIN_NS:
                found += self.rest(tags)
        self._waiting.clear()
        return found

    def rest(self, tags: Iterable[int]) -> list[Gap]:
        """What was not told yet."""
        if self._count == self._told:
            return []
        self._told, self._told_ns = self._count, self._end_ns
        return [Gap(tag, self._cause, self._start_ns, self._end_ns, self._count) for tag in tags]
