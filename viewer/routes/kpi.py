"""`/kpi`: the figures that a site is judged by, each with its formula, period, samples and collection rate."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.kpi.period import NAMED
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.routes.asked import CUSTOM, PROFILES, asked, find_unit, unit_text
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import Words

COLLECTION: Final = "DQ-RATE"
"""Shown beside what a site names: how much of what its tags should have told came."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/kpi?unit=company/site/line/machine&period=today&profile=iso22400`."""
    return [pages.route("/kpi", _kpi, "kpi")]


def _kpi(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "kpi.html", of=None)
    site, unit = find_unit(request.query_params.get("unit", ""), sites) or (sites[0], Unit())
    now_ns = pages.clock.now_ns()
    of = asked(request, site, unit, now_ns)
    codes = [*site.kpis, COLLECTION]
    words = pages.words_of(request)
    return pages.render(
        request,
        "kpi.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        machine=site.machines[unit.machine].key if unit.machine and site.machines[unit.machine].has_state else None,
        units=[(one.key, _units(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        profiles=PROFILES,
        figures=figures_of(pages.store, site, unit, codes, of.period, profile=of.profile),
    )


def _units(site: SiteInfo, words: Words) -> list[tuple[str, str]]:
    """What can be chosen of a site: its text in an address, and its name."""
    found = [(unit_text(site, Unit()), words("kpi_whole_site"))]
    for line in site.lines:
        found.append((unit_text(site, Unit(line)), f"{words('kpi_line')} {line}"))
        found += [_machine(site, one, words) for one in site.machines if site.machines[one].line == line]
    return found + [_machine(site, one, words) for one in site.machines if not site.machines[one].line]


def _machine(site: SiteInfo, name: str, words: Words) -> tuple[str, str]:
    label = words.label(site.machines[name].label, name)
    return unit_text(site, Unit(site.machines[name].line, name)), f"· {label}" + (f" ({name})" if label != name else "")
