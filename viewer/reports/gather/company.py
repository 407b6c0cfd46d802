"""All that a report of a company's site needs, asked of the store once."""

from __future__ import annotations

from typing import Final

from pipelines.calendar import Span
from pipelines.derive.energy.factors import factor_at
from viewer.access.use import Use
from viewer.book.facts import Facts
from viewer.kpi.goal import before_of
from viewer.kpi.oee import Profile
from viewer.kpi.words import Text, called
from viewer.query import energy
from viewer.query.batteries import records_of
from viewer.reports.gather.alarms import alarms_of
from viewer.reports.gather.control_points import measured_of
from viewer.reports.gather.records import calibrations_of, chain_of, exposures_of, guards_of
from viewer.reports.gather.scopes import of_machine, whole
from viewer.reports.gather.sources import digest_of, queries, sources_of
from viewer.reports.gather.tags import came_of, causes, gaps_in, silences_of, tags_of
from viewer.reports.goals_file import GoalsFile
from viewer.reports.subject import Subject
from viewer.site_info import SiteInfo
from viewer.stores.base import Store
from viewer.words import local

_TOLD: Final = {
    "project": Text("과제번호", "Project number"),
    "programme": Text("사업유형", "Programme"),
    "year": Text("사업연도", "Year"),
    "supplier": Text("공급기업", "Supplier"),
    "ksic": Text("업종 (KSIC)", "Trade (KSIC)"),
    "town": Text("소재지", "Town"),
}
"""What the cover says of a project, by its fact."""


def subject_of(
    store: Store,
    site: SiteInfo,
    period: Span,
    now_ns: int,
    *,
    source: str,
    goals: GoalsFile | None = None,
    profile: Profile = "iso22400",
    use: Use | None = None,
    facts: Facts | None = None,
) -> Subject:
    """What reports of a site are about.

    Args:
        store: where values come from.
        site: of the company.
        period: start and end, ns since 1970 UTC; the end is not in the future.
        now_ns: when the report is made, ns since 1970 UTC.
        source: what the store is, for the reader.
        goals: baselines, targets, weights.
        profile: how OEE is split.
        use: of the pages by the company's own people; None = nobody notes it.
        facts: what is known of the company beside readings; None = there is no book.

    Raises:
        DependencyError: the store cannot be reached.
    """
    goals = goals or GoalsFile()
    machines = [of_machine(store, site, one, period, profile) for one in site.machines.values()]
    held = goals.on(local(now_ns).date())
    gaps = gaps_in(store, site.company, site.name, period)
    came = came_of(store, site, period)
    sources = sources_of(store, site.company, site.name, period)
    infos = list(site.machines.values())
    meters = energy.meters(infos)
    table = energy.factors(meters[0].energy.factors_file) if meters and meters[0].energy else ()
    days = (*range(*period, 24 * 3600 * 10**9), period[1] - 1)  # a production day may end behind midnight
    used = (factor_at(table, energy.CARRIER, at) for at in days)
    return Subject(
        company=site.company,
        project=(
            (Text("사업장", "Site"), called(site.label, site.name)),
            *(
                (name, text)
                for field, name in _TOLD.items()
                if name.ko not in goals.project and (text := getattr(facts, field, ""))
            ),
            *((Text(name, name), text) for name, text in goals.project.items()),
        ),
        period=period,
        generated_ns=now_ns,
        profile=profile,
        goals=held,
        kpis=site.kpis,
        cap=goals.cap,
        whole=whole(store, site, period, profile, before_of(held)),
        machines=tuple(scope for scope, _ in machines),
        stops=tuple(stop for _, stops in machines for stop in stops),
        alarms=tuple(event for one in infos for event in alarms_of(store, site, one, period)),
        tags=tuple(
            tag
            for name, known in came.items()
            for tag in tags_of(store, site.machines[name], known, period, gaps, sources)
        ),
        gaps=causes(gaps, period),
        silences=silences_of(store, site, came, period, now_ns),
        factors=tuple(dict.fromkeys(one for one in used if one is not None)),
        sources=sources,
        queries=queries(site.company, site.name, period, source),
        digest=digest_of(sources),
        changes=goals.changes(),
        guards=guards_of(site),
        measured=measured_of(store, site, period),
        exposures=exposures_of(store, site, period),
        batteries=tuple(test for one in infos for test in records_of(store, one, period)),
        chain=chain_of(store, site, period),
        use=use,
        calibrations=calibrations_of(site, local(now_ns).date()),
    )
