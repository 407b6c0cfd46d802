"""How well each tag was collected, what gaps are known, and where nothing came without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.collection import by_pieces
from viewer.kpi.words import called
from viewer.overview import is_bad
from viewer.query.collected import Collected, Pieces, collected
from viewer.query.missing import holes, silences
from viewer.query.pieces import LOOK_BACK_NS
from viewer.query.stretches import merged
from viewer.reports.gather.scopes import name_of
from viewer.reports.gather.sources import path
from viewer.reports.subject import GapCause, Silence, Source, TagFacts
from viewer.site_info import SiteInfo
from viewer.stores.base import QUALITY, Store, StoredGap


def came_of(store: Store, site: SiteInfo, period: Span) -> dict[str, Collected]:
    """How much of each machine's tags came, by its name, as the page of data quality has it."""
    of = Pieces(store, (site.company, site.name), period)
    return {one.name: collected(of, one) for one in site.machines.values() if one.tags}


def silences_of(
    store: Store, site: SiteInfo, came: Mapping[str, Collected], period: Span, now_ns: int
) -> tuple[Silence, ...]:
    """Stretches in which nothing came of a machine and no gap says why, the longest first."""
    machines = [site.machines[name] for name in came]
    known = [one for one in holes(store, site, machines, period) if not one.filled]
    found = [
        Silence(machine=name_of(site.machines[name]), span=one.inside(period), lasts=one.end_ns is None)
        for name, own in came.items()
        for one in silences(name, own, known, period, now_ns)
    ]
    return tuple(sorted(found, key=lambda one: one.span[0] - one.span[1]))


def tags_of(
    store: Store,
    machine: MachineInfo,
    known: Collected,
    period: Span,
    gaps: Sequence[StoredGap],
    sources: Sequence[Source],
) -> list[TagFacts]:
    """Every configured tag of a machine, in the order of its site file.

    Args:
        store: holds them.
        machine: whose they are.
        known: how much of them came.
        period: start and end, ns since 1970 UTC.
        gaps: those of which any part lies in the period.
        sources: what is stored of the site in the period.
    """
    place = machine.place()
    order = sorted(machine.tags.values(), key=lambda tag: tag.period_s is None)
    parts = dict(zip((tag.name for tag in order), known.parts, strict=True))
    counts = {one.field: one.count for one in sources if one.place == path(place)}
    found = []
    for tag in machine.tags.values():
        cover = list(zip(known.start_ns.tolist(), (parts[tag.name] * 100).tolist(), strict=True))
        last = store.before(place, tag.name, period[1], period[0]).time_ns
        found.append(
            TagFacts(
                machine=name_of(machine),
                tag=tag.name,
                label=called(tag.label, tag.name),
                address=tag.address,
                unit=tag.unit,
                period_s=tag.period_s,
                readings=counts.get(tag.name, 0),
                bad=sum(map(is_bad, store.points(place, tag.name + QUALITY, *period).value.tolist())),
                gaps=sum(gap.tag == tag.name and gap.place.machine == machine.name for gap in gaps),
                last_ns=int(last[-1]) if len(last) else None,
                rate=by_pieces(cover, period, known.width_ns),
            )
        )
    return found


def gaps_in(store: Store, company: str, site: str, period: Span) -> list[StoredGap]:
    """Known gaps of a site of which any part lies in the period, also ones that began before it."""
    return [
        one
        for one in store.gaps(company, period[0] - LOOK_BACK_NS)
        if one.place.site == site and one.start_ns < period[1] and (one.end_ns is None or one.end_ns > period[0])
    ]


def causes(gaps: Sequence[StoredGap], period: Span) -> tuple[GapCause, ...]:
    """Gaps by their cause, those that took longest first: time within the period, gaps at the same time once."""
    found: dict[str, list[StoredGap]] = {}
    for one in gaps:
        found.setdefault(one.cause, []).append(one)
    summed = [
        GapCause(
            cause=cause,
            count=len(some),
            length_ns=sum(high - low for low, high in merged(_inside(one, period) for one in some)),
            filled=sum(one.filled for one in some),
        )
        for cause, some in found.items()
    ]
    return tuple(sorted(summed, key=lambda one: (-one.length_ns, one.cause)))


def _inside(one: StoredGap, period: Span) -> Span:
    """What of it lies in the period; one that is open goes on."""
    return max(one.start_ns, period[0]), period[1] if one.end_ns is None else min(one.end_ns, period[1])
