"""`/ccp`: critical control points now and in a period, deviations with what was done, the chained log."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.query.alarms import watched as heard
from viewer.query.collected import Pieces
from viewer.query.safety import Watched
from viewer.reports.gather.control_points import measured_of
from viewer.reports.gather.scopes import name_of
from viewer.reports.parts.guards import CCP_NOTE
from viewer.routes.guarded import calling, came_of, guarded, report_links, trends
from viewer.routes.pages import Pages
from viewer.safety.concerns import has_ccp


def routes(pages: Pages) -> list[BaseRoute]:
    """`/ccp?unit=company/site/-/-&period=today&log=all`."""
    return [pages.route("/ccp", _ccp, "ccp")]


def _ccp(pages: Pages, request: Request) -> Response:
    seen = guarded(pages, request, has_ccp)
    if seen is None:
        return pages.render(request, "ccp.html", of=None)
    of, site = seen.of, seen.of.site
    machines = of.unit.machines(site)
    names, called = {one.name for one in machines}, {name_of(one) for one in machines}
    points = [one for one in site.alarms if one.ccp and one.machine in names]
    shown: list[tuple[str, Watched]] = [
        (one.name, seen.now.watched(ref, [one])) for one in points for ref in one.tags if ref[0] in site.machines
    ]
    live = {
        **seen.shared,
        "disclaimer": CCP_NOTE,
        "points": shown,
        "standing": calling(seen.standing, {(one.machine, one.name) for one in points}),
        "links": report_links(of, "ccp"),
    }
    if seen.live_only:
        return pages.render(request, "ccp.html", **live, charts=[], came=None)
    pieces = Pieces(pages.store, site.key, of.period)
    return pages.render(
        request,
        "ccp.html",
        **live,
        charts=trends(pages, [one for _, one in shown], seen.now_ns, pages.words_of(request)),
        came=came_of(pages, of, request, ccp=True),
        measured=[one for one in measured_of(pages.store, site, of.period) if one.machine in called],
        watched_ns=sum(end - start for start, end in heard(pieces, site, points)),
    )
