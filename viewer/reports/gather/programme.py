"""How the companies of a programme are connected, asked of their stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.calendar import Span
from viewer.overview import HEARTBEAT
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.reports.programme import Company
from viewer.site_info import SiteInfo
from viewer.stores.base import GAP, Store


def companies_of(store_of: Callable[[str], Store], sites: Sequence[SiteInfo], period: Span) -> tuple[Company, ...]:
    """Each site of a programme.

    Args:
        store_of: the store of a company.
        sites: in the order of their files.
        period: start and end, ns since 1970 UTC; the end is not in the future.

    Raises:
        DependencyError: a store cannot be reached.
    """
    return tuple(company_of(store_of(site.company), site, period) for site in sites)


def company_of(store: Store, site: SiteInfo, period: Span) -> Company:
    """How one site is connected.

    Raises:
        DependencyError: the store cannot be reached.
    """
    known = [one for one in store.latest() if (one.place.company, one.place.site) == site.key]
    seen = [
        one.time_ns
        for one in known
        if one.time_ns is not None and one.time_ns < period[1] and one.place.measurement not in {GAP, HEARTBEAT}
    ]
    return Company(
        name=site.company,
        site=site.name,
        machines=len(site.machines),
        tags=sum(len(one.tags) for one in site.machines.values()),
        seen_ns=max(seen, default=None),
        rate=figures_of(store, site, Unit(), ["DQ-RATE"], period)[0],
    )
