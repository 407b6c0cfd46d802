"""What the store is asked of each company by itself: collection, reasons of downtime, alarms."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from viewer.fleet.summary import Detail
from viewer.fleet.together import Snapshot
from viewer.kpi.period import named
from viewer.query.alarm_list import LOOK_BACK_NS, SHELVED, WAITING, Standing, alarm_list, within
from viewer.query.company import Standstill
from viewer.query.downtime import Stop, downtime
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo, sites_of

RATE: Final = "DQ-RATE"


def detail(store: Snapshot, company: str, sites: Sequence[SiteInfo], now_ns: int) -> Detail:
    """Today of one company.

    Args:
        store: its part of the store.
        company: its name.
        sites: what site files say of its sites.
        now_ns: ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    rates: list[float] = []
    stops: list[Stop] = []
    for site in sites:
        period = named(site.calendar, "today", now_ns)
        if period[0] < period[1]:
            rate = figures_of(store, site, Unit(), [RATE], period)[0].value
            rates += [] if rate is None else [rate]
        for machine in site.machines.values():
            stops += downtime(store, site, machine, period).stops if machine.has_state else ()
    known = {one.name for one in sites}
    others = sorted({one.place.site for one in store.series()} - known)
    bare = sites_of([{"company": company, "site": name} for name in others], {})
    since_ns = now_ns - LOOK_BACK_NS
    standing: list[Standing] = []
    urgent_today = 0
    for site in (*sites, *bare.values()):
        told = alarm_list(store, site, (since_ns, now_ns + 1))
        standing += [one for one in told.standing if one.state != SHELVED]
        today = within(told.occurrences, named(site.calendar, "today", now_ns))
        urgent_today += sum(one.priority == "urgent" for one in today)
    stood = Standstill.of(stops)
    urgent = [one for one in standing if one.priority == "urgent"]
    return Detail(
        now_ns,
        fmean(rates) if rates else None,
        stood.without_reason,
        len(urgent),
        sum(one.state in WAITING for one in standing),
        urgent_today,
        sum(one.state in WAITING for one in urgent),
        stood.asked_ns,
    )
