"""What is known to be missing of machines in a period: gaps by cause, and the longest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.query.collected import EVERY_TAG, Collected
from viewer.query.pieces import LOOK_BACK_NS
from viewer.query.stretches import merged, shares
from viewer.site_info import SiteInfo
from viewer.stores.base import Store, StoredGap


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of time in which one cause kept readings of some tags of a machine away.

    Attributes:
        machine: whose; of what an agent lost as a whole, the agent's name.
        cause: as it was told.
        start_ns: its beginning, ns since 1970 UTC, also before the period.
        end_ns: its end; None = it goes on.
        tags: which, in order; `*` = all that the agent had.
        count: readings that are known to be missing; None = not known.
        filled: whether the device's own history gave them since.
    """

    machine: str
    cause: str
    start_ns: int
    end_ns: int | None
    tags: tuple[str, ...]
    count: int | None
    filled: bool

    def inside(self, period: Span) -> Span:
        """What of it lies in a period."""
        end_ns = period[1] if self.end_ns is None else min(self.end_ns, period[1])
        return max(self.start_ns, period[0]), end_ns

    def length_ns(self, period: Span) -> int:
        """How much of it lies in a period."""
        low, high = self.inside(period)
        return max(0, high - low)


@dataclass(frozen=True, slots=True)
class ByCause:
    """All holes of one cause.

    Attributes:
        cause: as it was told.
        holes: how many.
        length_ns: time in which something was missing for it; holes at the same time count once.
        tags: number of tags that they touch.
        count: readings known to be missing.
    """

    cause: str
    holes: int
    length_ns: int
    tags: int
    count: int


def holes(store: Store, site: SiteInfo, machines: Sequence[MachineInfo], period: Span) -> list[Hole]:
    """What is known to be missing of these machines, oldest first; what agents of the site lost as a whole is too.

    Raises:
        DependencyError: the store cannot be reached.
    """
    names = {one.name for one in machines}
    grouped: dict[tuple[int, int | None, str, str, bool], list[StoredGap]] = {}
    for gap in store.gaps(site.company, period[0] - LOOK_BACK_NS):
        place = gap.place
        if place.site != site.name or (gap.tag != EVERY_TAG and place.machine not in names):
            continue
        if gap.start_ns < period[1] and (gap.end_ns is None or gap.end_ns > period[0]):
            grouped.setdefault((gap.start_ns, gap.end_ns, place.machine, gap.cause, gap.filled), []).append(gap)
    found = []
    for (start_ns, end_ns, machine, cause, filled), gaps in grouped.items():
        counts = [gap.count for gap in gaps if gap.count is not None]
        tags = tuple(sorted({gap.tag for gap in gaps}))
        found.append(Hole(machine, cause, start_ns, end_ns, tags, sum(counts) if counts else None, filled))
    return sorted(found, key=lambda one: (one.start_ns, one.machine, one.tags))


def by_cause(found: Sequence[Hole], period: Span) -> list[ByCause]:
    """Holes by what caused them, the longest time first; those that were filled since are left out."""
    causes: dict[str, list[Hole]] = {}
    for one in found:
        if not one.filled:
            causes.setdefault(one.cause, []).append(one)
    rows = [
        ByCause(
            cause,
            len(own),
            sum(high - low for low, high in merged(one.inside(period) for one in own)),
            len({(one.machine, tag) for one in own for tag in one.tags}),
            sum(one.count or 0 for one in own),
        )
        for cause, own in causes.items()
    ]
    return sorted(rows, key=lambda one: (-one.length_ns, one.cause))


def silences(machine: str, came: Collected, known: Sequence[Hole], period: Span, now_ns: int) -> list[Hole]:
    """Stretches of two pieces of time or more in which no tag of a machine came and no gap says why. Pure.

    Args:
        machine: its name.
        came: how much of its tags came; tags that are read less often than pieces come last for their own period.
        known: of `holes`.
        period: start and end, ns since 1970 UTC.
        now_ns: the time now; what lasts until then goes on.
    """
    said = merged(one.inside(period) for one in known if one.machine == machine or EVERY_TAG in one.tags)
    silent = (came.parts <= 0).all(axis=0) & (shares(said, period[0], came.width_ns, len(came.start_ns)) <= 0)
    spans = merged((at, min(at + came.width_ns, period[1])) for at in came.start_ns[silent].tolist())
    return [
        Hole(machine, "silent", low, None if high >= now_ns else high, (EVERY_TAG,), None, filled=False)
        for low, high in spans
        if high - low > came.width_ns
    ]
