"""`/kpi`: the figures that a site is judged by, each with its formula, period, samples and collection rate."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.goals.model import Whose
from viewer.goals.table import in_short, scored
from viewer.kpi.goal import before_of
from viewer.kpi.period import NAMED
from viewer.query.figures import figures_of
from viewer.routes.asked import CUSTOM, PROFILES, asked, shown_key, unit_of, unit_text, units_of
from viewer.routes.pages import Pages

COLLECTION: Final = "DQ-RATE"
"""Shown beside what a site names: how much of what its tags should have told came."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/kpi?unit=company/site/line/machine&period=today&profile=iso22400`."""
    return [pages.route("/kpi", _kpi, "kpi")]


def _kpi(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "kpi.html", of=None)
    site, unit = unit_of(request, sites)
    now_ns = pages.clock.now_ns()
    of = asked(request, site, unit, now_ns)
    whose = Whose.of(site, unit)
    held = pages.goals.held(whose)
    codes = list(dict.fromkeys([*site.kpis, *(one.code for one in held), COLLECTION]))
    words = pages.words_of(request)
    figures = figures_of(pages.store, site, unit, codes, of.period, profile=of.profile, before=before_of(held))
    total = scored(held, {one.code: one for one in figures}, None)
    return pages.render(
        request,
        "kpi.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        machine=site.machines[unit.machine].key if unit.machine and site.machines[unit.machine].has_state else None,
        units=[(shown_key(one, words), units_of(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        profiles=PROFILES,
        figures=figures,
        goals={row.goal.code: {"official": row.goal.official, "text": in_short(row, words)} for row in total.rows},
    )
