"""Connections of a company now, out of the newest of each tag. Pure; no words and no HTML here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from viewer.kpi.freshness import Freshness, freshness_of
from viewer.overview import HEARTBEAT, MachineView, is_bad
from viewer.stores.base import Latest

MOST_ERRORS: Final = 5
_RECENT_NS: Final = 86_400 * 10**9
"""An agent that said nothing for a day was taken away."""


@dataclass(frozen=True, slots=True)
class Link:
    """How a company is connected.

    Attributes:
        seen_ns: time of the newest usable reading, or heartbeat that vouches for one; None = never.
        freshness: by that.
        machines: all of them.
        connected: those whose data is fresh (정상).
        tags: that are configured or were ever stored.
        queued: points that agents keep and that are not stored yet; None = no agent says so.
        synced: whether somebody vouches for every agent's clock; None = no agent says so.
        errors: StatusCodes of tags that are bad now, and how many tags have each, the most frequent first.
    """

    seen_ns: int | None
    freshness: Freshness
    machines: int
    connected: int
    tags: int
    queued: int | None
    synced: bool | None
    errors: tuple[tuple[int, int], ...]


def link_of(views: Sequence[MachineView], latest: Iterable[Latest], now_ns: int) -> Link:
    """How a company is connected.

    Args:
        views: its machines.
        latest: the newest of each of its tags, its agents' own included.
        now_ns: ns since 1970 UTC.
    """
    seen_ns = max((one.seen_ns for one in views if one.seen_ns is not None), default=None)
    told: dict[str, list[object]] = {"queued": [], "time_unsynced": []}
    for one in latest:
        if one.place.measurement == HEARTBEAT and one.field in told and now_ns - (one.time_ns or 0) < _RECENT_NS:
            told[one.field].append(one.value)
    queued = [int(one) for one in told["queued"] if isinstance(one, (int, float))]
    bad = Counter(tag.status for view in views for tag in view.tags if tag.told_ns is not None and is_bad(tag.status))
    return Link(
        seen_ns,
        freshness_of(seen_ns, now_ns),
        len(views),
        sum(one.freshness is Freshness.OK for one in views),
        sum(len(one.tags) for one in views),
        sum(queued) if queued else None,
        not any(told["time_unsynced"]) if told["time_unsynced"] else None,
        tuple(bad.most_common(MOST_ERRORS)),
    )
