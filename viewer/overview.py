"""What is known of the machines now: newest values, state, freshness. No words and no HTML here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pipelines.place import OWN_MEASUREMENTS
from pipelines.point import SEVERITY_MASK
from viewer.catalog import STATES, UNKNOWN, Catalog, MachineInfo, MachineKey, TagInfo
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.stores.base import Latest, Place, Value

NS: Final = 1_000_000_000
HEARTBEAT: Final = "agent"
"""Measurement that every agent writes every ten seconds, with its own id as machine."""
ALIVE_S: Final = 30.0
"""An agent whose newest heartbeat is older is not alive."""
_HEARD_OF_S: Final = 86_400.0
"""An agent silent for longer was taken away; nobody waits for it."""
STATE: Final = "state"
"""Measurement of states, which agents derive; its field `code` is the canonical one."""
CODE: Final = "code"
HOLDS_S: Final = 90.0
"""An agent tells a state that does not change once a minute: an older one says nothing."""


class Badge(StrEnum):
    """What is said of a machine where its state cannot be."""

    LOST = "lost"
    NONE = "none"
    UNKNOWN = "unknown"
    NO_STATE = "no_state"


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
        state: canonical code 0–8; None when the machine has none.
        states: where its states are; None when the store has none.
        freshness: by `seen_ns`; lost while every tag is bad.
        seen_ns: time of the last good or uncertain reading; with tags that are stored on change, of the last
            heartbeat while the agents of its site are alive.
        tags: configured ones first, in their order.
    """

    info: MachineInfo
    state: int | None
    states: Place | None
    freshness: Freshness
    seen_ns: int | None
    tags: tuple[TagView, ...]

    @property
    def badge(self) -> int | Badge:
        """The one word for the machine: a state 1–8 only while it is in touch, so that no two badges contradict."""
        if self.freshness in {Freshness.LOST, Freshness.NONE}:
            return Badge(self.freshness.value)
        if self.state is None:
            return Badge.NO_STATE
        return self.state or Badge.UNKNOWN


@dataclass(frozen=True, slots=True)
class Summary:
    """Machines counted by what their cards say; each of the two groups of numbers adds up to `total`.

    Attributes:
        total: machines.
        freshness: machines of each freshness.
        badges: machines of each badge that a card has, states first.
    """

    total: int
    freshness: Mapping[Freshness, int]
    badges: Mapping[int | Badge, int]

    @classmethod
    def of(cls, views: Sequence[MachineView]) -> Summary:
        """Count the cards."""
        fresh = Counter(view.freshness for view in views)
        badges = Counter(view.badge for view in views)
        order = (*range(1, len(STATES)), *Badge)
        return cls(
            len(views), {one: fresh[one] for one in Freshness}, {one: badges[one] for one in order if badges[one]}
        )


def is_bad(status: int) -> bool:
    """Whether a StatusCode's severity is Bad (OPC 10000-4 §7.39)."""
    return (status & SEVERITY_MASK) >= 0x8000_0000  # noqa: PLR2004 - the Bad bit


def overview(latest: Sequence[Latest], catalog: Catalog, now_ns: int) -> list[MachineView]:
    """Every configured machine and every one that only the store knows."""
    by_machine: dict[MachineKey, dict[str, Latest]] = {key: {} for key in catalog.machines}
    unknown: dict[MachineKey, MachineInfo] = {}
    states: dict[MachineKey, Latest] = {}
    for one in latest:
        place = one.place
        if place.measurement == STATE and one.field == CODE:
            states[place.company, place.site, place.machine] = one
        if place.measurement not in OWN_MEASUREMENTS:
            key = (place.company, place.site, place.machine)
            if key not in catalog.machines:
                unknown[key] = MachineInfo(place.company, place.site, place.line, place.machine)
            by_machine.setdefault(key, {})[one.field] = one
    alive = alive_sites(latest, now_ns)
    machines = {**catalog.machines, **dict(sorted(unknown.items()))}
    return [
        _machine(info, by_machine[key], states.get(key), alive.get(key[:2]), now_ns) for key, info in machines.items()
    ]


def alive_sites(latest: Iterable[Latest], now_ns: int) -> dict[tuple[str, str], int]:
    """Company and site to the oldest of its agents' newest heartbeats, ns since 1970 UTC.

    Only sites where every agent heard of in the last day is alive: it is not known which agent reads a machine.
    """
    newest: dict[MachineKey, int] = {}
    for one in latest:
        if one.place.measurement == HEARTBEAT and one.time_ns is not None:
            agent = (one.place.company, one.place.site, one.place.machine)
            newest[agent] = max(newest.get(agent, one.time_ns), one.time_ns)
    sites: dict[tuple[str, str], int] = {}
    for (company, name, _), time_ns in newest.items():
        if now_ns - time_ns < _HEARD_OF_S * NS:
            site = (company, name)
            sites[site] = min(sites.get(site, time_ns), time_ns)
    return {site: time_ns for site, time_ns in sites.items() if now_ns - time_ns < ALIVE_S * NS}


def _machine(
    info: MachineInfo, latest: dict[str, Latest], said: Latest | None, alive_ns: int | None, now_ns: int
) -> MachineView:
    """A machine; what is stored on change is as fresh as its agent, which would have told a lost link."""
    names = [*info.tags, *(name for name in latest if name not in info.tags)]
    tags = tuple(_tag(info.tags.get(name, TagInfo(name)), latest.get(name)) for name in names)
    times = [time_ns for tag in tags if (time_ns := _usable_ns(tag)) is not None]
    if alive_ns is not None and any(_holds(tag, info) for tag in tags):
        times.append(alive_ns)
    seen_ns = max(times, default=None)
    told = [tag for tag in tags if tag.told_ns is not None]
    # A field that is no longer configured keeps its last quality for ever and says nothing of the machine.
    told = [tag for tag in told if tag.info.name in info.tags] or told
    lost = bool(told) and all(is_bad(tag.status) for tag in told)
    freshness = Freshness.LOST if lost else freshness_of(seen_ns, now_ns)
    return MachineView(info, _state(info, said, now_ns), said.place if said else None, freshness, seen_ns, tags)


def _usable_ns(tag: TagView) -> int | None:
    """Time of the newest reading that is known to be good or uncertain."""
    if not is_bad(tag.status):
        return tag.told_ns
    assert tag.told_ns is not None
    return tag.time_ns if tag.time_ns is not None and tag.time_ns < tag.told_ns else None


def _holds(tag: TagView, info: MachineInfo) -> bool:
    """Whether the newest value holds for as long as the agent lives: stored on change, and not bad."""
    return tag.value is not None and tag.info.period_s is None and tag.info.name in info.tags


def _tag(info: TagInfo, latest: Latest | None) -> TagView:
    if latest is None:
        return TagView(info)
    value = None if is_bad(latest.status) else latest.value
    return TagView(info, latest.place, value, latest.time_ns, latest.status, latest.status_time_ns)


def _state(info: MachineInfo, said: Latest | None, now_ns: int) -> int | None:
    if said is None or said.time_ns is None:
        return UNKNOWN if info.has_state else None
    code = said.value if isinstance(said.value, int) and abs(now_ns - said.time_ns) <= HOLDS_S * NS else UNKNOWN
    return code if 0 <= code < len(STATES) else UNKNOWN
