"""How much of what a machine's tags should have told is there, by pieces of time.

A polled tag: usable readings / readings expected. A tag that is told on change: the part of the time in which the
agents of the site were alive, behind the tag's first value, without known gaps and without bad quality.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import MachineInfo, TagInfo
from viewer.kpi.collection import MINUTE_NS
from viewer.overview import HEARTBEAT, is_bad
from viewer.query.pieces import LOOK_BACK_NS
from viewer.query.stretches import merged, shares
from viewer.site_info import SiteInfo
from viewer.stores.base import QUALITY, Place, Store, StoredGap

EVERY_TAG: Final = "*"
"""Tag of a gap in all that an agent had."""
_HEARTBEAT_S: Final = 10.0
_SHARED_HEARTBEAT_S: Final = 60.0
"""In the store of a destination, which is told less."""
_IN_EACH: Final = "connections"
"""A field that each heartbeat of an agent has, and no point of one of its connections."""
_OWN: Final = "accepted"
"""A field that the own store is told alone."""
_LONG_NS: Final = 48 * 60 * MINUTE_NS
_HOUR_NS: Final = 60 * MINUTE_NS


@dataclass(frozen=True)
class Pieces:
    """A period in pieces of time of one length, at one site; the last one may go beyond the period.

    What all machines of the site have in common is asked for once.

    Attributes:
        store: holds what is asked for.
        site: company and site.
        period: start and end, ns since 1970 UTC.
    """

    store: Store
    site: tuple[str, str]
    period: Span

    @property
    def width_ns(self) -> int:
        """A minute; an hour of more than two days that begin with one."""
        start_ns, end_ns = self.period
        return _HOUR_NS if end_ns - start_ns > _LONG_NS and start_ns % _HOUR_NS == 0 else MINUTE_NS

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-(self.period[1] - self.period[0]) // self.width_ns)

    @property
    def start_ns(self) -> NDArray[np.int64]:
        """Their beginnings, ns since 1970 UTC."""
        return self.period[0] + self.width_ns * np.arange(self.count, dtype=np.int64)

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        """How much of each lies in the period, 0 to 1."""
        return shares([self.period], self.period[0], self.width_ns, self.count)

    def polled(self, machine: MachineInfo, tags: Sequence[TagInfo]) -> list[NDArray[np.float64]]:
        """Known part of each piece, 0 to 1, of each polled tag; what is polled less often than pieces come lasts."""
        end_ns = self.period[0] + self.width_ns * self.count
        place, slow = machine.place(), {tag.name for tag in tags if _period_ns(tag) > self.width_ns}
        names = [tag.name for tag in tags if tag.name not in slow]
        trends = self.store.trends(place, names, self.period[0], end_ns, self.count) if names else {}
        found = []
        for tag in tags:
            if tag.name in slow:
                found.append(self._lasting(place, tag))
                continue
            counts = np.zeros(self.count)
            trend = trends[tag.name]
            if len(trend.count):
                counts[(trend.time_ns - self.period[0]) // self.width_ns] = trend.count
            else:  # texts have no trend
                at = self.store.points(place, tag.name, *self.period).time_ns
                counts += np.bincount((at - self.period[0]) // self.width_ns, minlength=self.count)
            found.append(np.minimum(counts * _period_ns(tag) / self.width_ns, self._lengths))
        return found

    def _lasting(self, place: Place, tag: TagInfo) -> NDArray[np.float64]:
        """Part of each piece that lies within a tag's own period behind one of its readings."""
        start_ns, end_ns = self.period
        at = self.store.points(place, tag.name, start_ns - _period_ns(tag), end_ns).time_ns.tolist()
        known = [(max(one, start_ns), min(one + _period_ns(tag), end_ns)) for one in at]
        return shares(merged(known), start_ns, self.width_ns, self.count)

    def on_change(self, machine: MachineInfo, tags: Sequence[TagInfo]) -> list[NDArray[np.float64]]:
        """Known part of each piece, 0 to 1, of each tag that is told on change."""
        found = []
        for tag in tags:
            lost = [
                (gap.start_ns, self.period[1] if gap.end_ns is None else gap.end_ns)
                for gap in self._gaps
                if not gap.filled and _is_of(gap, machine, tag.name)
            ]
            unknown = merged([*lost, *self._unusable(machine.place(), tag.name)])
            inside = [(max(low, self.period[0]), min(high, self.period[1])) for low, high in unknown]
            share = shares(merged(inside), self.period[0], self.width_ns, self.count)
            found.append(np.minimum(self._alive, self._lengths - share))
        return found

    def _unusable(self, place: Place, tag: str) -> list[Span]:
        """The time before the first value, and that of each bad quality until the next value."""
        start_ns, end_ns = self.period
        since_ns = start_ns - LOOK_BACK_NS
        first = self.store.before(place, tag, start_ns, since_ns)
        quality = self.store.before(place, tag + QUALITY, start_ns, since_ns)
        statuses = self.store.points(place, tag + QUALITY, start_ns, end_ns)
        known = [*zip(quality.time_ns.tolist(), quality.value.tolist(), strict=True)]
        known += zip(statuses.time_ns.tolist(), statuses.value.tolist(), strict=True)
        bad = [time_ns for time_ns, status in known if is_bad(status)]
        if len(first.time_ns) and not bad:
            return []
        values = np.concatenate((first.time_ns, self.store.points(place, tag, start_ns, end_ns).time_ns))
        good = np.union1d(values, np.array([at for at, status in known if not is_bad(status)], dtype=np.int64))
        begin = [(start_ns, int(values[0]) if len(values) else end_ns)] if not len(first.time_ns) else []
        after = np.searchsorted(good, np.array(bad, dtype=np.int64), side="right")
        return [
            *begin,
            *((at, int(good[next_]) if next_ < len(good) else end_ns) for at, next_ in zip(bad, after, strict=True)),
        ]

    @cached_property
    def _gaps(self) -> list[StoredGap]:
        """Known gaps of the site."""
        return [gap for gap in self.store.gaps(self.site[0]) if gap.place.site == self.site[1]]

    @cached_property
    def _alive(self) -> NDArray[np.float64]:
        """Part of each piece in which every agent of the site that was heard in the period told that it is alive."""
        end_ns = self.period[0] + self.width_ns * self.count
        beats = [one for one in self.store.latest() if one.place.measurement == HEARTBEAT]
        told = {(one.place, one.field) for one in beats if (one.place.company, one.place.site) == self.site}
        parts = []
        for place in (place for place, field in told if field == _IN_EACH):
            every_s = _HEARTBEAT_S if (place, _OWN) in told else _SHARED_HEARTBEAT_S
            trend = self.store.trend(place, _IN_EACH, self.period[0], end_ns, self.count)
            counts = np.zeros(self.count)
            counts[(trend.time_ns - self.period[0]) // self.width_ns] = trend.count
            if counts.any():
                parts.append(np.minimum(counts * every_s * 1e9 / self.width_ns, self._lengths))
        return np.min(parts, axis=0) if parts else np.zeros(self.count)


@dataclass(frozen=True, slots=True)
class Collected:
    """Known parts of pieces of time.

    Attributes:
        start_ns: beginnings of the pieces, int64, shape (n,), ns since 1970 UTC.
        parts: known part of each piece, 0 to 1, float64, shape (tags, n).
        width_ns: length of a piece.
    """

    start_ns: NDArray[np.int64]
    parts: NDArray[np.float64]
    width_ns: int

    def mean(self) -> list[tuple[int, float]] | None:
        """Beginning and mean known part of the tags, percent; None without tags."""
        if not len(self.parts):
            return None
        return list(zip(self.start_ns.tolist(), (self.parts.mean(axis=0) * 100).tolist(), strict=True))

    def stretches(self, above: float = 0.0, most: float = 1.0) -> list[Span]:
        """Those of pieces of whose tags the least known has a part above the one and at most the other, 0 to 1."""
        if not len(self.parts):
            return []
        least = self.parts.min(axis=0)
        found = self.start_ns[(least > above) & (least <= most)].tolist()
        return merged((at, at + self.width_ns) for at in found)


def collected(pieces: Pieces, machine: MachineInfo, tags: Sequence[TagInfo] | None = None) -> Collected:
    """How much of a machine's tags, or of some of them, is there.

    Args:
        pieces: of the machine's site.
        machine: whose they are.
        tags: which; None = all that are configured.
    """
    wanted = list(machine.tags.values()) if tags is None else list(tags)
    found = pieces.polled(machine, [tag for tag in wanted if tag.period_s is not None])
    found += pieces.on_change(machine, [tag for tag in wanted if tag.period_s is None])
    parts = np.array(found).reshape(len(found), pieces.count)
    return Collected(pieces.start_ns, parts, pieces.width_ns)


def heard(pieces: Pieces, site: SiteInfo, tags: Iterable[tuple[str, str]]) -> list[Span]:
    """Stretches of the period in which each of these tags was heard; none without tags, or of one that is not known.

    Args:
        pieces: of the site.
        site: whose machines they are of.
        tags: machine and tag of each.
    """
    by_machine: dict[str, set[str]] = {}
    for owner, tag in tags:
        by_machine.setdefault(owner, set()).add(tag)
    found = [pieces.period] if by_machine else []
    for name, names in by_machine.items():
        machine = site.machines.get(name)
        if machine is None or names - machine.tags.keys():
            return []
        own = _by_minute(pieces, machine, [machine.tags[tag] for tag in sorted(names)])
        found = [(max(a, c), min(b, d)) for a, b in found for c, d in own if max(a, c) < min(b, d)]
    return found


def _by_minute(pieces: Pieces, machine: MachineInfo, tags: Sequence[TagInfo]) -> list[Span]:
    """Stretches of minutes in which each of a machine's tags was heard, also where pieces are hours.

    An hour that lacks less than a minute lacks none of its minutes; one that lacks more is asked for by the minute.
    """
    found = collected(pieces, machine, tags)
    if pieces.width_ns == MINUTE_NS:
        return found.stretches()
    all_minutes = 1 - MINUTE_NS / pieces.width_ns
    sure, unsure = found.stretches(all_minutes), found.stretches(most=all_minutes)
    ends = [(low, min(high, pieces.period[1])) for low, high in unsure]
    days = [(at, min(at + _LONG_NS, high)) for low, high in ends for at in range(low, high, _LONG_NS)]
    again = [_by_minute(Pieces(pieces.store, pieces.site, one), machine, tags) for one in days]
    return merged([*sure, *chain.from_iterable(again)])


def _period_ns(tag: TagInfo) -> int:
    assert tag.period_s is not None
    return round(tag.period_s * 1e9)


def _is_of(gap: StoredGap, machine: MachineInfo, tag: str) -> bool:
    """Whether a gap is the tag's, or one of everything an agent of its site had."""
    return gap.tag == EVERY_TAG or (gap.tag == tag and gap.place.machine == machine.name)
