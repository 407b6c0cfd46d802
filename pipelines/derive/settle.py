"""Readings of several connections in the order of their times: each waits a little for what comes behind it."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pipelines.derive.rule import Value

WAIT_NS: Final = 3 * 10**9
"""Longest time by which readings of one machine are behind each other; what is later comes in the order it arrives."""


class Reading(NamedTuple):
    """One reading.

    Attributes:
        time_ns: ns since 1970 UTC.
        role: what the tag is to the rule, such as `kwh`.
        value: meaningless where bad.
        status: OPC UA StatusCode.
    """

    time_ns: int
    role: str
    value: Value
    status: int


_ORDER: Final = attrgetter("time_ns", "role")


@dataclass(slots=True)
class Settle:
    """What waits.

    Attributes:
        waiting: in order.
    """

    waiting: list[Reading] = field(default_factory=list)

    def take(self, reading: Reading) -> list[Reading]:
        """One reading; those that are in order by now, oldest first."""
        bisect.insort(self.waiting, reading, key=_ORDER)
        return self.until(self.waiting[-1].time_ns)

    def until(self, now_ns: int) -> list[Reading]:
        """Those that need not wait any more at this time."""
        count = bisect.bisect_right(self.waiting, now_ns - WAIT_NS, key=attrgetter("time_ns"))
        settled, self.waiting = self.waiting[:count], self.waiting[count:]
        return settled

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set."""
        self.waiting = [one._replace(time_ns=one.time_ns + by_ns) for one in self.waiting]

    def state(self) -> list[Any]:
        """Everything, for JSON."""
        return [list(one) for one in self.waiting]

    @classmethod
    def restored(cls, state: list[Any]) -> Settle:
        """The inverse of `state`."""
        return cls([Reading(*one) for one in state])
