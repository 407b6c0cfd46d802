"""What is known of the machines now: newest values, state, freshness. No words and no HTML here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pipelines.point import SEVERITY_MASK
from viewer.catalog import STATE_TAG, UNKNOWN, Catalog, MachineInfo, MachineKey, TagInfo
from viewer.stores.base import Latest, Place, Value

NS: Final = 1_000_000_000
DERIVED: Final = frozenset({"agent", "alarm", "alarm_action", "context", "cycle", "gap", "state"})
"""Measurements that are no machine class."""
HEARTBEAT: Final = "agent"
STALE_S: Final = 10.0
"""A state older than this, or than three periods, says nothing."""
_STALE_PERIODS: Final = 3


class Freshness(StrEnum):
    """How long ago the last point came."""

    OK = "ok"
    DELAYED = "delayed"
    LOST = "lost"
    NONE = "none"


FRESHNESS_S: Final = ((60.0, Freshness.OK), (600.0, Freshness.DELAYED), (86_400.0, Freshness.LOST))
"""Below so many seconds it is that fresh; beyond the last, nothing is collected."""


@dataclass(frozen=True, slots=True)
class TagView:
    """A tag with the newest that is known of it.

    Attributes:
        info: label, unit.
        place: where its values are; None when the store has none.
        value: newest usable value; None when there is none, or when it is bad now.
        time_ns: time of the newest stored value.
        status: StatusCode that holds now.
        told_ns: time of the newest reading, good or bad.
    """

    info: TagInfo
    place: Place | None = None
    value: Value | None = None
    time_ns: int | None = None
    status: int = 0
    told_ns: int | None = None


@dataclass(frozen=True, slots=True)
class MachineView:
    """A machine now.

    Attributes:
        info: label and place.
        state: canonical code 0–8; None when the machine has no state tag.
        freshness: by the age of the last point.
        seen_ns: time of the last usable point; with tags that are stored on change, of the last sign of its agent.
        tags: configured ones first, in their order.
    """

    info: MachineInfo
    state: int | None
    freshness: Freshness
    seen_ns: int | None
    tags: tuple[TagView, ...]


def is_bad(status: int) -> bool:
    """Whether a StatusCode's severity is Bad (OPC 10000-4 §7.39)."""
    return (status & SEVERITY_MASK) >= 0x8000_0000  # noqa: PLR2004 - the Bad bit


def freshness_of(seen_ns: int | None, now_ns: int) -> Freshness:
    """Freshness by the age of the last point."""
    if seen_ns is None:
        return Freshness.NONE
    age_s = (now_ns - seen_ns) / NS
    return next((word for limit_s, word in FRESHNESS_S if age_s < limit_s), Freshness.NONE)


def overview(latest: Sequence[Latest], catalog: Catalog, now_ns: int) -> list[MachineView]:
    """Every configured machine and every one that only the store knows."""
    by_machine: dict[MachineKey, dict[str, Latest]] = {key: {} for key in catalog.machines}
    unknown: dict[MachineKey, MachineInfo] = {}
    alive: dict[tuple[str, str] | int, int] = {}
    for one in latest:
        place = one.place
        key = (place.company, place.site, place.machine)
        agent: tuple[str, str] | int | None = None
        if place.measurement == HEARTBEAT:
            agent = key[:2]
        elif place.measurement not in DERIVED:
            if key in catalog.machines:
                agent = catalog.machines[key].agent
            else:
                unknown[key] = MachineInfo(place.company, place.site, place.line, place.machine)
            by_machine.setdefault(key, {})[one.field] = one
        if agent is not None:
            alive[agent] = max(alive.get(agent, 0), one.status_time_ns)
    views = []
    for key, info in {**catalog.machines, **dict(sorted(unknown.items()))}.items():
        heard = [alive[agent] for agent in (key[:2], info.agent) if agent is not None and agent in alive]
        views.append(_machine(info, by_machine[key], max(heard, default=None), now_ns))
    return views


def _machine(info: MachineInfo, latest: dict[str, Latest], alive_ns: int | None, now_ns: int) -> MachineView:
    """A machine; what is stored on change is as fresh as its agent, which would have told a lost link."""
    names = [*info.tags, *(name for name in latest if name not in info.tags)]
    tags = tuple(_tag(info.tags.get(name, TagInfo(name)), latest.get(name)) for name in names)
    times = [tag.time_ns for tag in tags if tag.time_ns is not None]
    if alive_ns is not None and any(tag.value is not None and tag.info.period_s is None for tag in tags):
        times.append(alive_ns)
    seen_ns = max(times, default=None)
    return MachineView(info, _state(info, tags, seen_ns, now_ns), freshness_of(seen_ns, now_ns), seen_ns, tags)


def _tag(info: TagInfo, latest: Latest | None) -> TagView:
    if latest is None:
        return TagView(info)
    value = None if is_bad(latest.status) else latest.value
    return TagView(info, latest.place, value, latest.time_ns, latest.status, latest.status_time_ns)


def _state(info: MachineInfo, tags: Sequence[TagView], seen_ns: int | None, now_ns: int) -> int | None:
    tag = next((tag for tag in tags if tag.info.name == info.state_tag), None)
    if tag is None:
        return None if info.state_tag == STATE_TAG and not info.states else UNKNOWN
    period_s = tag.info.period_s
    told_ns = seen_ns if period_s is None else tag.time_ns
    if tag.value is None or told_ns is None or now_ns - told_ns > max(STALE_S, _STALE_PERIODS * (period_s or 0)) * NS:
        return UNKNOWN
    return info.state_code(tag.value)
