"""When the agents of a site told that they live, and what they told of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pipelines.calendar import Span
from viewer.overview import ALIVE_S, HEARTBEAT, NS
from viewer.query.stretches import merged
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store, Value

BEAT: Final = "connections"
"""Field that every heartbeat has."""
MOST: Final = ("queued", "lag_s", "buffer_bytes")
"""Fields of which the greatest value says more than the newest."""
_OF_LINKS: Final = ("up", "silent_s", "skew_s", "reconnects", "readings")
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


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """How a connection of an agent is; None = not told.

    Attributes:
        name: of the connection.
        up: whether its link is open.
        silent_s: since the device last said a good value, seconds.
        skew_s: the device's clock minus the agent's, seconds.
        reconnects: links opened again since the agent's start.
    """

    name: str
    up: bool | None
    silent_s: float | None
    skew_s: float | None
    reconnects: int | None


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """How an agent is, by its own heartbeats (docs/metrics.md, "In the store").

    Attributes:
        place: where its heartbeats are.
        seen_ns: time of the newest one, ns since 1970 UTC.
        lived: stretches of the period in which it lived.
        now: newest value of each field that it told.
        most: greatest value in the period of `MOST` fields.
        links: its connections, by name.
        jumps_s: by how much its clock jumped in the period, each time.
    """

    place: Place
    seen_ns: int | None
    lived: tuple[Span, ...]
    now: Mapping[str, Value]
    most: Mapping[str, float]
    links: tuple[LinkHealth, ...]
    jumps_s: tuple[float, ...]


def agent_health(store: Store, agent: Place, period: Span) -> AgentHealth:
    """How an agent is now, and how it was in a period.

    Raises:
        DependencyError: the store cannot be reached.
    """
    newest = {one.field: one for one in store.latest(agent)}
    seen_ns = newest[BEAT].time_ns if BEAT in newest else None
    most = store.trends(agent, MOST, *period, 1)
    jumps = store.points(replace(agent, measurement="clock"), "jump_s", *period)
    return AgentHealth(
        agent,
        seen_ns,
        tuple(alive(store, agent, period)),
        {field: one.value for field, one in newest.items() if one.value is not None and field not in _OF_LINKS},
        {field: float(trend.high.max()) for field, trend in most.items() if len(trend.high)},
        tuple(_links(store, agent, seen_ns)) if seen_ns is not None else (),
        tuple(jumps.value.tolist()),
    )


def _links(store: Store, agent: Place, seen_ns: int) -> Iterator[LinkHealth]:
    """As they were told with the newest heartbeats; a connection that is no longer told is none."""
    for one in store.tagged(agent, _OF_LINKS, seen_ns - _ALIVE_NS, seen_ns + 1):
        if "connection" not in one.tags:
            continue
        last: dict[str, Any] = {field: points.value[-1].item() for field, points in one.fields.items()}
        up = last.get("up")
        yield LinkHealth(
            one.tags["connection"],
            None if up is None else bool(up),
            last.get("silent_s"),
            last.get("skew_s"),
            last.get("reconnects"),
        )
