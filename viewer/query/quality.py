"""How good what was collected is, by machine and tag: how much came, how it is graded, how old it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import Catalog, MachineInfo, TagInfo
from viewer.kpi.collection import by_pieces
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.result import Result
from viewer.kpi.statuses import Shares, by_readings, by_time
from viewer.overview import MachineView, TagView, alive_sites, is_bad, overview
from viewer.query.collected import Collected, Pieces, collected
from viewer.query.pieces import LOOK_BACK_NS
from viewer.stores.base import QUALITY, Latest, Place, Store, Trend

_BUCKETS: Final = 200


@dataclass(frozen=True, slots=True)
class TagQuality:
    """How good a tag is.

    Attributes:
        view: the newest that is known of it.
        rate: collection rate over the period.
        known: known part of each piece of the period, 0 to 1.
        shares: what of it is bad or uncertain.
        freshness: by the newest usable reading; of a tag that is told on change by its agent's last heartbeat.
    """

    view: TagView
    rate: Result
    known: NDArray[np.float64]
    shares: Shares
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class MachineQuality:
    """How good what a machine tells is.

    Attributes:
        view: the newest that is known of it.
        collected: how much of its configured tags came; None = it has none.
        rate: of all these together; None as well.
    """

    view: MachineView
    collected: Collected | None
    rate: Result | None


def machines_quality(
    store: Store, catalog: Catalog, machines: Sequence[MachineInfo], period: Span, latest: Sequence[Latest], now_ns: int
) -> list[MachineQuality]:
    """How good what these machines tell is, in their order.

    Args:
        store: holds it.
        catalog: says what is expected.
        machines: which.
        period: start and end, ns since 1970 UTC.
        latest: newest of every tag.
        now_ns: the time now, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    views = {view.info.key: view for view in overview(latest, catalog, now_ns)}
    found = []
    pieces: dict[tuple[str, str], Pieces] = {}
    for machine in machines:
        of = pieces.setdefault(machine.key[:2], Pieces(store, machine.key[:2], period))
        came = collected(of, machine) if machine.tags else None
        found.append(MachineQuality(views[machine.key], came, rate_of([came] if came else [], period)))
    return found


def rate_of(parts: Sequence[Collected], period: Span) -> Result | None:
    """Collection rate of the tags of several machines together; None without tags."""
    if not parts:
        return None
    together = replace(parts[0], parts=np.concatenate([one.parts for one in parts]))
    return by_pieces(together.mean() or [], period, together.width_ns)


def tags_quality(
    store: Store, machine: MachineQuality, period: Span, latest: Sequence[Latest], now_ns: int
) -> list[TagQuality]:
    """How good each configured tag of a machine is, in their order.

    Args:
        store: holds them.
        machine: of `machines_quality`.
        period: start and end, ns since 1970 UTC.
        latest: newest of every tag.
        now_ns: the time now, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    info, came = machine.view.info, machine.collected
    if came is None:
        return []
    polled = [tag for tag in info.tags.values() if tag.period_s is not None]
    order = [*polled, *(tag for tag in info.tags.values() if tag.period_s is None)]
    known = dict(zip((tag.name for tag in order), came.parts, strict=True))
    shares = _shares(store, info, period)
    alive_ns = alive_sites(latest, now_ns).get(info.key[:2])
    return [
        TagQuality(
            view,
            by_pieces(
                list(zip(came.start_ns.tolist(), (known[view.info.name] * 100).tolist(), strict=True)),
                period,
                came.width_ns,
            ),
            known[view.info.name],
            shares[view.info.name],
            _freshness(view, alive_ns, now_ns),
        )
        for view in machine.view.tags
        if view.info.name in known
    ]


def _freshness(view: TagView, alive_ns: int | None, now_ns: int) -> Freshness:
    if is_bad(view.status):
        return freshness_of(view.time_ns, now_ns) if view.time_ns is None else Freshness.LOST
    seen_ns = view.told_ns
    if view.info.period_s is None and seen_ns is not None and alive_ns is not None:
        seen_ns = max(seen_ns, alive_ns)
    return freshness_of(seen_ns, now_ns)


def _shares(store: Store, machine: MachineInfo, period: Span) -> Mapping[str, Shares]:
    place, tags = machine.place(), list(machine.tags.values())
    statuses = store.trends(place, [tag.name + QUALITY for tag in tags], *period, _BUCKETS)
    values = store.trends(place, [tag.name for tag in tags], *period, 1)
    found = {}
    for tag in tags:
        trend = statuses[tag.name + QUALITY]
        if tag.period_s is None:
            found[tag.name] = _by_time(store, place, tag, period)
            continue
        count = int(values[tag.name].count.sum())
        if not count:  # texts have no trend
            count = len(store.points(place, tag.name, *period).time_ns)
        found[tag.name] = by_readings(count, _counts(store, place, tag, trend))
    return found


def _counts(store: Store, place: Place, tag: TagInfo, trend: Trend) -> dict[int, int]:
    """Readings of each status: where a bucket holds several, they are asked for one by one."""
    counts: dict[int, int] = {}
    same = trend.low == trend.high
    for status, count in zip(trend.low[same].tolist(), trend.count[same].tolist(), strict=True):
        counts[int(status)] = counts.get(int(status), 0) + count
    for start_ns in trend.time_ns[~same].tolist():
        for status in store.points(place, tag.name + QUALITY, start_ns, start_ns + trend.bucket_ns).value.tolist():
            counts[int(status)] = counts.get(int(status), 0) + 1
    return counts


def _by_time(store: Store, place: Place, tag: TagInfo, period: Span) -> Shares:
    """From the last reading before the period on, or from the first one in it."""
    start_ns, end_ns = period
    since_ns = start_ns - LOOK_BACK_NS
    told: dict[int, int] = {}
    for field in (tag.name, tag.name + QUALITY):
        before = store.before(place, field, start_ns, since_ns)
        inside = store.points(place, field, start_ns, end_ns)
        times = [*before.time_ns.tolist(), *inside.time_ns.tolist()]
        is_status = field != tag.name
        for time_ns, value in zip(times, [*before.value.tolist(), *inside.value.tolist()], strict=True):
            told[time_ns] = int(value) if is_status else 0  # a status goes before the value of the same time
    readings = sorted(told.items())
    first = max((at for at, (time_ns, _) in enumerate(readings) if time_ns <= start_ns), default=0)
    clipped = [(max(time_ns, start_ns), status) for time_ns, status in readings[first:]]
    return by_time(clipped, end_ns)
