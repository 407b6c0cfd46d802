"""`/cluster`: for an ordering company its suppliers with what each shares, for the programme its clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.calendar import Span
from viewer.access.current import require, user_or_none
from viewer.access.roles import Permission
from viewer.access.scope import sees
from viewer.access.users import User
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.cluster.agreement import SHAREABLE, Agreement
from viewer.cluster.compare import Middle, Part, middle
from viewer.cluster.figures import PERIODS, computed, over
from viewer.cluster.kept import Allowance
from viewer.cluster.sight import Sight, SiteSight
from viewer.fleet.compare import LEAST
from viewer.kpi.catalog import CATALOG
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.result import Result
from viewer.query.unit import Unit
from viewer.routes.asked import unit_text
from viewer.routes.company import company_url
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import local

COLUMNS: Final = tuple(one for one in SHAREABLE if one in {"P-OEE", "Q-PDR", "D-OTD", "P-LT", "C-KWH"})
"""What clusters are compared by."""
REFRESH_S: Final = 5
"""While figures are still being computed."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/cluster?period=days7`."""
    return [pages.route("/cluster", _cluster, "cluster")]


def sight_url(ordering: str, supplier: str, *further: str) -> str:
    """Path of what an ordering company sees of a supplier, or of one of its machines."""
    return "/cluster/" + "/".join(quote(one or "-", safe="") for one in (ordering, supplier, *further))


def period_of(request: Request) -> str:
    """The period that a request names, else the first."""
    name = request.query_params.get("period", "")
    return name if name in PERIODS else PERIODS[0]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A line of an ordering company's table: a site of a supplier; None = nothing of it is shared."""

    sight: Sight
    site: SiteSight | None
    state: str
    freshness: Freshness | None
    first: bool = True


@dataclass(frozen=True, slots=True)
class _Group:
    """Suppliers of one ordering company in one cluster."""

    ordering: str
    cluster: str
    lines: Sequence[_Seen]
    codes: Sequence[str]
    middles: Mapping[str, Middle] | None
    """None = not everything is computed yet: of medians that grow by one company, two would tell its value."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A site of a company in a cluster, as the programme sees it."""

    company: str
    site: SiteInfo | None
    freshness: Freshness
    shares: Sequence[Agreement] = ()
    figures: Mapping[str, Result] | None = field(default_factory=dict)
    """None = not computed yet."""

    @property
    def unit(self) -> str:
        """The site in an address; empty without one."""
        return unit_text(self.site, Unit()) if self.site else ""


def _cluster(pages: Pages, request: Request) -> Response:
    user = user_or_none()
    if user is not None and user.may(Permission.SHARED):
        return _ordering(pages, request, user)
    if user is not None and user.may(Permission.SHARE) and not user.may(Permission.CONFIRM):
        return pages.lead(request, "/sharing")
    require(Permission.CONFIRM)
    return _programme(pages, request)


def _ordering(pages: Pages, request: Request, user: User) -> Response:
    period, allowance = period_of(request), Allowance()
    facts = Companies(pages.access.book, pages.clock).all()
    groups: dict[tuple[str, str], list[Sight]] = {(one, ""): [] for one in sorted(user.orders_for)}
    for agreement in pages.agreements.of_ordering(user.orders_for):
        cluster = facts.get(agreement.supplier, Facts("")).cluster
        groups.setdefault((agreement.ordering, cluster), []).append(pages.through(agreement, allowance))
    found = [_group(pages, key, own, period) for key, own in sorted(groups.items()) if own]
    return pages.render(
        request,
        "cluster.html",
        now_ns=pages.clock.now_ns(),
        names=sorted(user.orders_for),
        groups=found,
        codes=[code for code in SHAREABLE if any(code in one.codes for one in found)],
        catalog=CATALOG,
        period=period,
        periods=PERIODS,
        least=LEAST,
        url=sight_url,
        refresh_s=0 if all(one.middles is not None for one in found) else REFRESH_S,
    )


def _group(pages: Pages, key: tuple[str, str], sights: Sequence[Sight], period: str) -> _Group:
    today = local(pages.clock.now_ns()).date()
    lines: list[_Seen] = []
    ready = True
    parts: dict[str, list[Part]] = {}
    for sight in sorted(sights, key=lambda one: one.level == "none"):
        state, supplier = sight.agreement.state(today), sight.agreement.supplier
        shown = sight.level != "none"
        sites: Sequence[SiteSight | None] = sight.sites(period) or [None]
        freshness = sight.freshness if shown else None
        lines += [_Seen(sight, site, state, freshness, number == 0) for number, site in enumerate(sites)]
        for site in sites:
            for code, one in site.figures.items() if site else ():
                parts.setdefault(code, []).append(Part(supplier, one.value, shared=True))
        unseen = sight.unseen(period)
        ready = ready and unseen is not None and all(site.ready for site in sites if site)
        for code, values in (unseen or {}).items():
            parts.setdefault(code, []).extend(Part(supplier, value, shared=False) for value in values)
    middles = {code: middle(own) for code, own in parts.items()} if ready else None
    shared = {code for sight in sights for code in sight.codes}
    codes = [code for code in SHAREABLE if code in shared or (middles and code in middles and middles[code].unseen)]
    return _Group(*key, lines, codes, middles)


def _programme(pages: Pages, request: Request) -> Response:
    """Clusters of the companies in the scope."""
    period, now_ns, allowance = period_of(request), pages.clock.now_ns(), Allowance()
    facts = Companies(pages.access.book, pages.clock).all()
    user = require(Permission.CONFIRM)
    sites: dict[str, list[SiteInfo]] = {}
    for site in pages.sites(request):
        sites.setdefault(site.company, []).append(site)
    clusters: dict[str, list[_Member]] = {}
    board = pages.fleet.board().lines
    agreed = pages.agreements.newest()
    ordering = {one.ordering for one in agreed}
    for one in facts.values():
        if not one.cluster or one.company in ordering or not sees(user.companies, one.company):
            continue
        own = [two for two in agreed if two.supplier == one.company]
        line = board.get(one.company)
        fresh = line.freshness if line else freshness_of(None, now_ns)
        of_it = clusters.setdefault(one.cluster, [])
        for site in sites.get(one.company, ()):
            of_it.append(_Member(one.company, site, fresh, own, _figures(pages, site, period, allowance)))
        if one.company not in sites:
            of_it.append(_Member(one.company, None, fresh, own))
    chosen = request.query_params.get("cluster", "")
    chosen = chosen if chosen in clusters else next(iter(sorted(clusters)), "")
    return pages.render(
        request,
        "clusters.html",
        now_ns=now_ns,
        clusters=[_compared(name, own, now_ns) for name, own in sorted(clusters.items())],
        chosen=chosen,
        members=sorted(clusters.get(chosen, ()), key=lambda one: one.company),
        codes=COLUMNS,
        catalog=CATALOG,
        period=period,
        periods=PERIODS,
        least=LEAST,
        url=company_url,
        sight_url=sight_url,
        today=local(now_ns).date(),
        may_share=user.may(Permission.SHARE),
        refresh_s=REFRESH_S if any(one.figures is None for own in clusters.values() for one in own) else 0,
    )


def _figures(pages: Pages, site: SiteInfo, period: str, allowance: Allowance) -> dict[str, Result] | None:
    now_ns = pages.clock.now_ns()
    span: Span = over(site.calendar, period, now_ns)
    make = lambda: computed(pages.store, site, COLUMNS, span)  # noqa: E731
    found = pages.kept.get((site.key, COLUMNS, span, None), now_ns, make, allowance)
    return None if found is None else {one.code: one for one in found}


def _compared(name: str, members: Sequence[_Member], now_ns: int) -> dict[str, Any]:
    """A line of the comparison of clusters; of fewer than five companies there is no median."""
    told = [(one.company, one.figures) for one in members if one.figures]
    parts = {code: [Part(company, own[code].value, shared=True) for company, own in told] for code in COLUMNS}
    holding = [one for member in members for one in member.shares if one.level_at(now_ns) != "none"]
    return {
        "name": name,
        "companies": len({one.company for one in members}),
        "sharing": len({one.supplier for one in holding}),
        "orderings": sorted({one.ordering for one in holding}),
        "middles": {code: middle(own, LEAST) for code, own in parts.items()}
        if all(one.figures is not None for one in members)
        else None,
    }
