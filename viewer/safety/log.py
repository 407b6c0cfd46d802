"""Whether the hash-chained log that the store holds is whole, and where it breaks. Pure.

The store has an entry as a point of measurement `event_log` (docs/alarms.md). Two agents of one site have a chain each,
and nothing says whose an entry is but the hash of the one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipelines.derive.chain import FIRST_PREV, Entry, told_entry


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry as the store told it.

    Attributes:
        time_ns: of its point, ns since 1970 UTC.
        machine: that its point is of.
        alarm: that its point is of.
        seq: its number as the point says it.
        hash: as the point says it.
        entry: what was hashed; None = it is not what that hash and number belong to.
    """

    time_ns: int
    machine: str
    alarm: str
    seq: int
    hash: str
    entry: Entry | None


def logged(time_ns: int, machine: str, alarm: str, seq: int, claimed: str, canonical: str) -> Logged:
    """An entry, with what stands in it held against its hash and against the point that carries it.

    Args:
        time_ns: of the point, ns since 1970 UTC.
        machine: of the point.
        alarm: of the point.
        seq: of the point.
        claimed: hash, of the point.
        canonical: what was hashed, of the point.
    """
    entry = told_entry(canonical, claimed)
    if entry is not None:
        said = (entry.seq, entry.said.get("machine"), entry.said.get("alarm"), entry.said.get("time_ns"))
        entry = entry if said == (seq, machine, alarm, str(time_ns)) else None
    return Logged(time_ns, machine, alarm, seq, claimed, entry)


class Break(StrEnum):
    """How a chain breaks."""

    ALTERED = "altered"
    MISSING = "missing"
    PUT_IN = "put_in"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a log.

    Attributes:
        entries: how many were looked at.
        first: number of the first one; 0 = there is none.
        last: number of the last one.
        head: its hash; of several chains that of the longest.
        chains: how many there are: each agent of a site has its own.
        breaks: how, and at which number: an entry that was altered, the first one behind a gap, one that was put in.
    """

    entries: int = 0
    first: int = 0
    last: int = 0
    head: str = ""
    chains: int = 0
    breaks: tuple[tuple[Break, int], ...] = ()

    @property
    def whole(self) -> bool | None:
        """Whether nothing between the first and the last is missing or altered; None = there is no entry."""
        return not self.breaks if self.entries else None


def checked(found: Sequence[Logged]) -> Checked:
    """Whether entries, in any order, are whole chains.

    A chain may begin anywhere: what is before the first entry that is looked at is not judged. Whoever removes the last
    entries is found only by holding `head` against the log of the agent (`agent chain verify`).
    """
    if not found:
        return Checked()
    altered = [(Break.ALTERED, one.seq) for one in found if one.entry is None]
    entries = sorted((one.entry for one in found if one.entry is not None), key=lambda one: one.seq)
    numbers = {one.hash: one.seq for one in found}
    after = Counter(one.prev for one in entries if one.prev != FIRST_PREV)
    put_in = [(Break.PUT_IN, one.seq) for one in entries if after[one.prev] > 1 or _out_of_order(one, numbers)]
    ends = [one.seq for one in found if one.hash not in after]
    begins = [one for one in entries if one.prev not in numbers]
    missing = [(Break.MISSING, one.seq) for one in begins if one.prev != FIRST_PREV and any(n < one.seq for n in ends)]
    newest = max(found, key=lambda one: (one.seq, one.time_ns))
    return Checked(
        entries=len(found),
        first=min(one.seq for one in found),
        last=newest.seq,
        head=newest.hash,
        chains=max(len(begins) - len(missing), 1),
        breaks=tuple(sorted({*altered, *put_in, *missing}, key=lambda one: (one[1], one[0]))),
    )


def _out_of_order(one: Entry, numbers: Mapping[str, int]) -> bool:
    """Whether its number is not the next one after that of the entry before it."""
    return one.seq != numbers.get(one.prev, one.seq - 1) + 1
