"""`/ccp`: critical control points now and in a period, deviations with what was done, the chained log."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.kpi.period import NAMED
from viewer.lengths import length
from viewer.query.alarms import watched as heard
from viewer.query.collected import Pieces
from viewer.query.safety import Watched
from viewer.query.unit import Unit
from viewer.reports.gather.control_points import measured_of
from viewer.reports.gather.scopes import name_of
from viewer.reports.parts.guards import CCP_NOTE
from viewer.routes.asked import CUSTOM, asked, find_unit, unit_text, units_of
from viewer.routes.guarded import CHARTS_S, MOST_ROWS, REFRESH_S, Said, calling, came_of, now_of, report_links, trends
from viewer.routes.pages import Pages, machine_url
from viewer.safety.concerns import has_ccp


def routes(pages: Pages) -> list[BaseRoute]:
    """`/ccp?unit=company/site/-/-&period=today&log=all`."""
    return [pages.route("/ccp", _ccp, "ccp")]


def _ccp(pages: Pages, request: Request) -> Response:
    sites = [one for one in pages.sites(request) if has_ccp(one)]
    if not sites:
        return pages.render(request, "ccp.html", of=None)
    site, unit = find_unit(request.query_params.get("unit", ""), sites) or (sites[0], Unit())
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, unit, now_ns)
    now, standing, alive_ns = now_of(pages, site, now_ns)
    machines = unit.machines(site)
    names, called = {one.name for one in machines}, {name_of(one) for one in machines}
    points = [one for one in site.alarms if one.ccp and one.machine in names]
    shown: list[tuple[str, Watched]] = [
        (one.name, now.watched(ref, [one])) for one in points for ref in one.tags if ref[0] in site.machines
    ]
    pieces = Pieces(pages.store, site.key, of.period)
    keys = {(one.machine, one.name) for one in points}
    live_only = request.query_params.get("part") == "live"
    return pages.render(
        request,
        "ccp.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        units=[(one.key, units_of(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        said=Said(site, words),
        disclaimer=CCP_NOTE,
        alive_ns=alive_ns,
        points=shown,
        standing=calling(standing, keys),
        charts=[] if live_only else trends(pages, [one for _, one in shown], now_ns, words),
        came=None if live_only else came_of(pages, of, request, ccp=True),
        measured=[]
        if live_only
        else [one for one in measured_of(pages.store, site, of.period) if one.machine in called],
        watched_ns=0 if live_only else sum(end - start for start, end in heard(pieces, site, points)),
        links=report_links(of, "ccp"),
        length=lambda length_ns: length(words, length_ns),
        url=machine_url,
        most=MOST_ROWS,
        refresh_s=REFRESH_S,
        charts_s=CHARTS_S,
    )
