"""How well each tag was collected, and what gaps are known."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.collection import by_pieces
from viewer.kpi.words import called
from viewer.overview import is_bad
from viewer.query.collected import Pieces, collected
from viewer.query.pieces import LOOK_BACK_NS
from viewer.query.stretches import merged
from viewer.reports.gather.scopes import name_of
from viewer.reports.gather.sources import path
from viewer.reports.subject import GapCause, Source, TagFacts
from viewer.stores.base import QUALITY, Store, StoredGap


def tags_of(
    store: Store, machine: MachineInfo, period: Span, gaps: Sequence[StoredGap], sources: Sequence[Source]
) -> list[TagFacts]:
    """Every configured tag of a machine, in the order of its site file.

    Args:
        store: holds them.
        machine: whose they are.
        period: start and end, ns since 1970 UTC.
        gaps: those of which any part lies in the period.
        sources: what is stored of the site in the period.
    """
    place = machine.place()
    known = collected(Pieces(store, machine.key[:2], period), machine)
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
