"""What the month of a cluster is made of, asked of the stores of its companies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.calendar import Span
from viewer.kpi.goal import before_of, score
from viewer.kpi.words import Text
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.reports.cluster import Alarms, Member
from viewer.reports.episodes import episodes
from viewer.reports.gather.alarms import alarms_of
from viewer.reports.gather.programme import company_of
from viewer.reports.goals_file import GoalsFile
from viewer.site_info import SiteInfo
from viewer.stores.base import Store
from viewer.words import local

OEE = "P-OEE"


def members_of(
    store_of: Callable[[str], Store],
    goals_of: Callable[[SiteInfo], GoalsFile | None],
    sites: Sequence[tuple[Text | None, SiteInfo]],
    month_of: Callable[[SiteInfo], Span],
    now_ns: int,
) -> tuple[Member, ...]:
    """Sites of the companies of a cluster.

    Args:
        store_of: the store of a company.
        goals_of: baselines and targets of a site; None = there are none.
        sites: each with its group, in the order in which they are listed.
        month_of: production days of the month by a site's own calendar, ns since 1970 UTC, up to now at most.
        now_ns: when the report is made, ns since 1970 UTC.

    Raises:
        DependencyError: a store cannot be reached.
    """
    return tuple(
        _member(store_of(one.company), goals_of(one), group, one, month_of(one), now_ns) for group, one in sites
    )


def _member(
    store: Store, file: GoalsFile | None, group: Text | None, site: SiteInfo, period: Span, now_ns: int
) -> Member:
    held = (file or GoalsFile()).on(local(now_ns).date())
    codes = list(dict.fromkeys([OEE, *(one.code for one in held)]))
    figures = figures_of(store, site, Unit(), codes, period, before=before_of(held))
    known = {one.code: one for one in figures}
    company = company_of(store, site, period)
    changes = [one for machine in site.machines.values() for one in alarms_of(store, site, machine, period)]
    came = episodes(changes)
    alarms = Alarms(
        raised=len(came),
        urgent=sum(one.raised.priority == "urgent" for one in came),
        noted=sum(one.noted_ns is not None for one in came),
    )
    return Member(
        company=company,
        group=group,
        oee=known[OEE],
        score=score([(one, known[one.code]) for one in held], file.cap if file else None),
        alarms=alarms if company.rate.value or came else None,
    )
