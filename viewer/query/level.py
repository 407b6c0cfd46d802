"""수준 자가점검: asks a store for all evidence of one site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.access.use import use_of
from viewer.book.book import Book
from viewer.catalog import Catalog, MachineInfo, TagInfo
from viewer.entries.read import entries_of
from viewer.kpi.period import days, until_now
from viewer.kpi.words import NO_SAMPLES, called
from viewer.level import of_agents, of_machines, of_people, of_settings
from viewer.level.finding import Finding
from viewer.level.of_agents import DAY_NS, midnight
from viewer.overview import HEARTBEAT, overview
from viewer.query import stored
from viewer.query.alarms import raised
from viewer.query.figures import figures_of
from viewer.query.needs import Part, lacking, needs
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Latest, Place, Store

RATE: Final = "DQ-RATE"
_YEARS: Final = 10
_LAG: Final = "lag_s"
_CONNECTED: Final = "connected"
"""Field of every heartbeat: how many devices are connected."""


@dataclass(frozen=True, slots=True)
class Check:
    """Evidence of a site.

    Attributes:
        site: whose.
        period: the production days that were looked at, up to now, ns since 1970 UTC.
        findings: by their codes.
    """

    site: SiteInfo
    period: Span
    findings: Mapping[str, Finding]


def level_check(store: Store, site: SiteInfo, now_ns: int, day_count: int = 30, book: Book | None = None) -> Check:
    """All evidence of a site.

    Args:
        store: holds its points.
        site: which.
        now_ns: ns since 1970 UTC.
        day_count: production days, today included.
        book: of the viewer whose users' log-ins count; None = nobody notes who looks.

    Raises:
        DependencyError: the store, or the book, cannot be reached.
    """
    today = site.calendar.production_day(now_ns)
    period = until_now(days(site.calendar, today - timedelta(days=day_count - 1), today), now_ns)
    newest = [one for one in store.latest() if (one.place.company, one.place.site) == site.key]
    machines = list(site.machines.values())
    agents = sorted({one.place for one in newest if one.place.measurement == HEARTBEAT and one.field == _CONNECTED})
    lag_s = [store.points(one, _LAG, now_ns - DAY_NS, now_ns).value.astype(np.float64) for one in agents]
    told = sum(bool(len(one)) for one in lag_s)
    lags, last_day = np.concatenate([np.empty(0), *lag_s]), (now_ns - DAY_NS, now_ns)
    kept = _kept(store, agents, now_ns)
    (rate,) = figures_of(store, site, Unit(), [RATE], period)
    states = [stored.states(store, one, period) for one in machines]
    counts = [stored.counts(store, one, period) for one in machines]
    found = (
        of_machines.storing("states", _told(machines, states), period),
        of_machines.storing("counts", _told(machines, counts), period),
        _lots(store, site, period),
        of_settings.standard([_described(one) for machine in machines for one in machine.tags.values()], now_ns),
        kept,
        _used(book, site, period),
        of_machines.connected(_touches(newest, site, now_ns), now_ns),
        _automatic(store, site, period, {"states": states, "counts": counts}),
        of_settings.rate(rate, since_ns=kept.period[0] if kept.samples else None),
        of_agents.lag(lags, told, last_day),
        of_agents.prompt(lags, told, last_day),
        _alarms(store, site, agents, period),
    )
    return Check(site, period, {one.code: one for one in found})


def _touches(newest: Sequence[Latest], site: SiteInfo, now_ns: int) -> list[of_machines.Touch]:
    """As the page of all machines says it."""
    views = overview(newest, Catalog({one.key: one for one in site.machines.values()}), now_ns)
    own = [one for one in views if one.info.name in site.machines]
    return [
        of_machines.Touch(
            called(one.info.label, one.info.name), one.freshness, any(tag.told_ns is not None for tag in one.tags)
        )
        for one in own
    ]


def _told(machines: Sequence[MachineInfo], points: Sequence[int | None]) -> list[of_machines.Told]:
    return [
        of_machines.Told(called(one.label, one.name), count is not None, count or 0)
        for one, count in zip(machines, points, strict=True)
    ]


def _automatic(store: Store, site: SiteInfo, period: Span, known: Mapping[Part, Sequence[int | None]]) -> Finding:
    """Of each figure what it is made of; a part that the site has not and the figure does without is none."""
    inputs = stored.inputs(store, site, needs(site.kpis), period, known)
    figures, used = [], set[Part]()
    for code in site.kpis:
        parts = needs([code])
        by_hand = "entries" in parts
        why = lacking(code, site, Unit())
        if why is None and any(inputs.get(part) == 0 for part in parts):
            why = NO_SAMPLES
        if why is None and not by_hand:
            used |= parts
        figures.append(of_settings.Source(code, by_hand, why))
    return of_settings.automatic(figures, sum(inputs.get(part, 0) for part in used), period)


def _kept(store: Store, agents: Sequence[Place], now_ns: int) -> Finding:
    """By days of Korea; on a day with several agents one connected device is enough."""
    end_ns = midnight(now_ns) + DAY_NS
    count = _YEARS * 366
    start_ns = end_ns - count * DAY_NS
    beats: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
    live: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
    for place in agents:
        trend = store.trend(place, _CONNECTED, start_ns, end_ns, count)
        at = (trend.time_ns - start_ns) // DAY_NS
        beats[at] += trend.count
        live[at] |= trend.high > 0
    on = np.flatnonzero(beats)
    return of_agents.kept(start_ns + on * DAY_NS, beats[on], live[on], now_ns)


def _alarms(store: Store, site: SiteInfo, agents: Sequence[Place], period: Span) -> Finding:
    beats = sum(stored.stored(store, one, [_CONNECTED], period) for one in agents)
    came = sum(len(raised(store, one, site.alarms, period)) for one in site.machines.values())
    return of_agents.alarms([one.in_service for one in site.alarms], came, beats, period)


def _lots(store: Store, site: SiteInfo, period: Span) -> Finding:
    tracked = [one for one in site.machines.values() if one.energy is not None and one.energy.lots]
    recorded = [
        (machine.name, str(lot))
        for machine in tracked
        for series in store.tagged(machine.place("energy"), ["lot"], *period)
        for lot in series.fields["lot"].value.tolist()
    ]
    entered = [one.name for one in entries_of(store, site.key, period).contexts if one.kind == "lot"]
    return of_settings.lots(recorded, entered, period, configured=bool(tracked))


def _used(book: Book | None, site: SiteInfo, period: Span) -> Finding:
    if book is None:
        return of_people.used(None, 0, period)
    use = use_of(book, site.company, period)
    return of_people.used(use.times_ns, use.people, period)


def _described(tag: TagInfo) -> of_settings.Described:
    return of_settings.Described(bool(tag.label.get("ko")), bool(tag.unit), bool(tag.source))
