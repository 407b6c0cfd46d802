"""`/oee/{company}/{site}/{machine}`: effectiveness by both profiles, time by state, and why the machine stood."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.kpi.figure import Inputs, effectiveness
from viewer.kpi.period import NAMED
from viewer.kpi.result import Result
from viewer.query.downtime import downtime
from viewer.query.figures import remarked
from viewer.query.inputs import machine_inputs
from viewer.query.needs import needs
from viewer.query.unit import Unit
from viewer.routes.asked import CUSTOM, PROFILES, asked, find_machine, unit_text
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo


def routes(pages: Pages) -> list[BaseRoute]:
    """`/oee/{company}/{site}/{machine}?period=today`; "-" stands for a level that is not there."""
    return [pages.route("/oee/{company}/{site}/{machine}", _oee, "oee")]


def _oee(pages: Pages, request: Request) -> Response:
    site, machine = find_machine(request, pages.sites(request))
    now_ns = pages.clock.now_ns()
    unit = Unit(machine.line, machine.name)
    of = asked(request, site, unit, now_ns)
    inputs = machine_inputs(pages.store, site, machine, of.period, parts=needs(["P-OEE", "P-UTIL", "P-MTBF"]))
    return pages.render(
        request,
        "oee.html",
        now_ns=now_ns,
        of=of,
        view=machine,
        unit=unit_text(site, unit),
        periods=(*NAMED, CUSTOM),
        profiles=[(profile, _split(replace(inputs, profile=profile), site, unit)) for profile in PROFILES],
        stood=downtime(pages.store, site, machine, of.period),
    )


def _split(inputs: Inputs, site: SiteInfo, unit: Unit) -> list[Result]:
    return [remarked(one, inputs, site, unit) for one in effectiveness(inputs)]
