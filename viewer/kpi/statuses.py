"""How much of what came is bad or uncertain, by OPC UA StatusCode (OPC 10000-4 §7.39), percent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_BAD = 0x8000_0000
_SEVERITY = 0xC000_0000


@dataclass(frozen=True, slots=True)
class Shares:
    """Of what came of a tag.

    Attributes:
        known: readings, or of a tag that is told on change ns of known time, that this is made of; 0 = nothing came.
        by_status: percent of each StatusCode that is not Good, the greatest first.
    """

    known: int
    by_status: Mapping[int, float] = field(default_factory=dict)

    @property
    def bad(self) -> float | None:
        """Percent that is bad; None where nothing came."""
        return self._sum(_BAD)

    @property
    def uncertain(self) -> float | None:
        """Percent that is uncertain; None where nothing came."""
        return self._sum(0x4000_0000)

    def _sum(self, severity: int) -> float | None:
        if not self.known:
            return None
        return sum(share for status, share in self.by_status.items() if status & _SEVERITY == severity)


def by_readings(values: int, statuses: Mapping[int, int]) -> Shares:
    """Of a polled tag, by its readings. A bad reading has no value, an uncertain one has.

    Args:
        values: readings with a value.
        statuses: number of readings of each StatusCode that is not Good.
    """
    known = values + sum(count for status, count in statuses.items() if status & _SEVERITY >= _BAD)
    return _shares(known, statuses)


def by_time(told: Sequence[tuple[int, int]], end_ns: int) -> Shares:
    """Of a tag that is told on change, by time: what was told holds until the next reading.

    Args:
        told: time, ns since 1970 UTC, and StatusCode of each reading, oldest first.
        end_ns: nothing holds beyond it.
    """
    lengths: dict[int, int] = {}
    for (start_ns, status), (until_ns, _) in pairwise([*told, (end_ns, 0)]):
        lengths[status] = lengths.get(status, 0) + max(0, min(until_ns, end_ns) - start_ns)
    return _shares(sum(lengths.values()), lengths)


def _shares(known: int, amounts: Mapping[int, int]) -> Shares:
    found = {status: amount / known * 100 for status, amount in amounts.items() if known and amount and status >> 30}
    return Shares(known, dict(sorted(found.items(), key=lambda one: -one[1])))
