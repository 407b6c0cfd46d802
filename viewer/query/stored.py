"""How much of a period is stored, counted in the store: of one thing, and of each input of key figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipelines.calendar import Span
from pipelines.sinks.touched import HOUR_NS
from viewer.catalog import MachineInfo
from viewer.overview import CODE, STATE
from viewer.query.alarms import watched
from viewer.query.collected import Pieces
from viewer.query.needs import Part
from viewer.site_info import SiteInfo
from viewer.stores.base import Place, Store

COUNTS: Final = ("total", "good")


def stored(store: Store, place: Place, fields: Sequence[str], period: Span) -> int:
    """Points of a place in a period, by the field that has the most.

    Full hours are counted by the store, which keeps them; what is before and behind is read.
    """
    first, last = -(-period[0] // HOUR_NS) * HOUR_NS, period[1] // HOUR_NS * HOUR_NS
    inside = first < last
    trends = store.trends(place, fields, first, last, 1) if inside else {}
    found = {field: int(trends[field].count.sum()) if inside else 0 for field in fields}
    for span in ((period[0], first), (last, period[1])) if inside else (period,):
        if span[0] < span[1]:
            columns = store.readings([(place, field) for field in fields], *span)
            for field, points in zip(fields, columns, strict=True):
                found[field] += len(points.time_ns)
    return max(found.values(), default=0)


def states(store: Store, machine: MachineInfo, period: Span) -> int | None:
    """Stored states of a machine; None where no state is configured."""
    return stored(store, machine.place(STATE), [CODE], period) if machine.has_state else None


def counts(store: Store, machine: MachineInfo, period: Span) -> int | None:
    """Stored totals of a machine's counters; None where nothing counts."""
    return stored(store, machine.place("count"), COUNTS, period) if machine.counts else None


def inputs(
    store: Store, site: SiteInfo, parts: frozenset[Part], period: Span, known: Mapping[Part, Sequence[int | None]]
) -> dict[Part, int]:
    """Stored points of what key figures of a site are made of; what is not configured is left out.

    Of safety alarms it is the stretches of time in which their detectors were heard.

    Args:
        store: holds them.
        site: whose.
        parts: what is asked for, of `viewer.query.needs.needs`.
        period: start and end, ns since 1970 UTC.
        known: what was counted already, of each machine.
    """
    machines = site.machines
    places: dict[Part, list[tuple[Place, list[str]]]] = {
        "cycles": [(one.place("cycle"), ["duration_s"]) for one in machines.values() if one.cycles],
        "energy": [(one.place("energy"), ["kwh"]) for one in machines.values() if one.energy is not None],
        "gas": [(machines[one.machine].place(), [one.tag]) for one in site.gases if one.machine in machines],
    }
    found = {
        part: sum(stored(store, place, fields, period) for place, fields in own)
        for part, own in places.items()
        if part in parts and own
    }
    safety = [one for one in site.alarms if one.safety]
    if "alarms" in parts and safety:
        found["alarms"] = len(watched(Pieces(store, site.key, period), site, safety))
    told = {part: [one for one in own if one is not None] for part, own in known.items()}
    return found | {part: sum(own) for part, own in told.items() if part in parts and own}
