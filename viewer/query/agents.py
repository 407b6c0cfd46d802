"""When the agents of a site told that they live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipelines.calendar import Span
from viewer.overview import ALIVE_S, HEARTBEAT, NS
from viewer.query.stretches import merged
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store

BEAT: Final = "connections"
"""Field that every heartbeat has."""
_ALIVE_NS: Final = int(ALIVE_S * NS)


def agents_of(store: Store, site: SiteInfo) -> list[Place]:
    """Agents that ever told something of themselves, by their names."""
    found = {one.place for one in store.series() if one.place.measurement == HEARTBEAT}
    return sorted(one for one in found if (one.company, one.site) == site.key)


def alive(store: Store, agent: Place, period: Span) -> list[Span]:
    """Stretches of a period in which an agent lived: 30 s from each heartbeat on at most."""
    beats = store.points(agent, BEAT, period[0] - _ALIVE_NS, period[1]).time_ns
    if not len(beats):
        return []
    ends = np.minimum(np.append(beats[1:], period[1]), beats + _ALIVE_NS)
    spans = zip(np.maximum(beats, period[0]).tolist(), np.minimum(ends, period[1]).tolist(), strict=True)
    return merged(spans)


def all_alive(store: Store, agents: Sequence[Place], period: Span) -> list[Span]:
    """Stretches in which every agent that was heard in a period lived; none where none was."""
    found: list[Span] | None = None
    for agent in agents:
        lived = alive(store, agent, period)
        if lived:
            found = lived if found is None else both(found, lived)
    return found or []


def both(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """What two sets of stretches, each disjoint and in order, have in common."""
    found, at = [], 0
    for low, high in one:
        while at < len(other) and other[at][1] <= low:
            at += 1
        ahead = at
        while ahead < len(other) and other[ahead][0] < high:
            found.append((max(low, other[ahead][0]), min(high, other[ahead][1])))
            ahead += 1
    return found
