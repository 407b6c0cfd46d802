"""How much of what a machine's tags should have told is there, by pieces of time.

A polled tag: usable readings / readings expected. A tag that is told on change: the part of the time in which the
agents of the site were alive, behind the tag's first value, without known gaps and without bad quality.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import MachineInfo, TagInfo
from viewer.kpi.collection import MINUTE_NS
from viewer.overview import HEARTBEAT, is_bad
from viewer.query.pieces import LOOK_BACK_NS
from viewer.query.stretches import merged, shares
from viewer.stores.base import QUALITY, Place, Store, StoredGap

EVERY_TAG: Final = "*"
"""Tag of a gap in all that an agent had."""
_HEARTBEAT_S: Final = 10.0
_LONG_NS: Final = 48 * 60 * MINUTE_NS
_HOUR_NS: Final = 60 * MINUTE_NS


@dataclass(frozen=True)
class Pieces:
    """A period in pieces of time of one length; the last one may go beyond it.

    Attributes:
        store: holds what is asked for.
        period: start and end, ns since 1970 UTC.
    """

    store: Store
    period: Span

    @property
    def width_ns(self) -> int:
        """A minute, and of more than two days an hour."""
        return MINUTE_NS if self.period[1] - self.period[0] <= _LONG_NS else _HOUR_NS

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
        """Known part of each piece, 0 to 1, of each polled tag."""
        end_ns = self.period[0] + self.width_ns * self.count
        place, names = machine.place(), [tag.name for tag in tags]
        trends = self.store.trends(place, names, self.period[0], end_ns, self.count) if names else {}
        found = []
        for tag in tags:
            counts = np.zeros(self.count)
            trend = trends[tag.name]
            if len(trend.count):
                counts[(trend.time_ns - self.period[0]) // self.width_ns] = trend.count
            else:  # texts have no trend
                at = self.store.points(place, tag.name, *self.period).time_ns
                counts += np.bincount((at - self.period[0]) // self.width_ns, minlength=self.count)
            assert tag.period_s is not None
            found.append(np.minimum(counts * tag.period_s * 1e9 / self.width_ns, self._lengths))
        return found

    def on_change(
        self, machine: MachineInfo, tags: Sequence[TagInfo], gaps: Sequence[StoredGap], agents: Iterable[Place]
    ) -> list[NDArray[np.float64]]:
        """Known part of each piece, 0 to 1, of each tag that is told on change."""
        alive = self._alive(agents)
        found = []
        for tag in tags:
            lost = [
                (gap.start_ns, self.period[1] if gap.end_ns is None else gap.end_ns)
                for gap in gaps
                if gap.tag in {tag.name, EVERY_TAG} and not gap.filled
            ]
            unknown = merged([*lost, *self._unusable(machine.place(), tag.name)])
            inside = [(max(low, self.period[0]), min(high, self.period[1])) for low, high in unknown]
            share = shares(merged(inside), self.period[0], self.width_ns, self.count)
            found.append(np.minimum(alive, self._lengths - share))
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

    def _alive(self, agents: Iterable[Place]) -> NDArray[np.float64]:
        """Part of each piece in which every agent of the site that was heard in the period told that it is alive."""
        end_ns = self.period[0] + self.width_ns * self.count
        parts = []
        for place in agents:
            fields = [one.field for one in self.store.latest(place)]
            trends = self.store.trends(place, fields, self.period[0], end_ns, self.count) if fields else {}
            counts = np.zeros(self.count)
            for trend in trends.values():
                at = (trend.time_ns - self.period[0]) // self.width_ns
                counts[at] = np.maximum(counts[at], trend.count)
            if counts.any():
                parts.append(np.minimum(counts * _HEARTBEAT_S * 1e9 / self.width_ns, self._lengths))
        return np.min(parts, axis=0) if parts else np.zeros(self.count)


def collected(store: Store, machine: MachineInfo, period: Span, tags: Sequence[TagInfo] | None = None) -> Collected:
    """How much of a machine's tags, or of some of them, is there.

    Args:
        store: holds them.
        machine: whose they are.
        period: start and end, ns since 1970 UTC.
        tags: which; None = all that are configured.
    """
    wanted = list(machine.tags.values()) if tags is None else list(tags)
    pieces = Pieces(store, period)
    polled = [tag for tag in wanted if tag.period_s is not None]
    changing = [tag for tag in wanted if tag.period_s is None]
    found = pieces.polled(machine, polled)
    if changing:
        gaps = [gap for gap in store.gaps(machine.company) if _is_of(gap, machine)]
        agents = [one.place for one in store.series() if _is_agent(one.place, machine)]
        found += pieces.on_change(machine, changing, gaps, agents)
    parts = np.array(found).reshape(len(found), pieces.count)
    return Collected(pieces.start_ns, parts, pieces.width_ns)


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

    def whole(self) -> list[Span]:
        """Stretches in which every tag was heard."""
        if not len(self.parts):
            return []
        heard = self.start_ns[(self.parts > 0).all(axis=0)].tolist()
        return merged((at, at + self.width_ns) for at in heard)


def _is_of(gap: StoredGap, machine: MachineInfo) -> bool:
    """Whether a gap is the machine's, or one of everything an agent of its site had."""
    place = gap.place
    if gap.tag == EVERY_TAG:
        return (place.company, place.site) == machine.key[:2]
    return (place.company, place.site, place.machine) == machine.key


def _is_agent(place: Place, machine: MachineInfo) -> bool:
    return place.measurement == HEARTBEAT and (place.company, place.site) == machine.key[:2]
