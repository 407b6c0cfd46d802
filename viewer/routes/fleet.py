"""`/`, `/fleet`: 전체 현황, every company that whoever asks may see, those first that need somebody."""

from __future__ import annotations

from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access.current import user_or_none
from viewer.access.roles import Permission
from viewer.fleet.risk import severity
from viewer.routes import fleet_views, machines
from viewer.routes.company import visible
from viewer.routes.fleet_seen import Views, paged, programmes_of, query_of, wanted
from viewer.routes.pages import Pages

MOST_ACT: Final = 20


def routes(pages: Pages) -> list[BaseRoute]:
    """`/fleet?town=…&division=25&size=small&level=basic&fresh=lost&q=…&page=2`, the other views, and `/`."""
    views = Views()
    return [
        pages.route("/", partial(_start, views), "start"),
        pages.route("/fleet", partial(_fleet, views), "fleet"),
        *fleet_views.routes(pages, views),
    ]


def _start(views: Views, pages: Pages, request: Request) -> Response:
    """All companies for those who see several, what is shared for an ordering company, else the machines."""
    user = user_or_none()
    if user is not None and user.may(Permission.SHARED):  # it has no machines, and the log-in leads here
        return pages.lead(request, "/cluster")
    if len(visible(pages)) > 1:
        return _fleet(views, pages, request)
    return machines.drawn(pages, request)


def _fleet(views: Views, pages: Pages, request: Request) -> Response:
    request.scope["shown"] = "/fleet"
    seen, query = views.of(pages), query_of(request)
    found = [one for one in seen.rows if wanted(one, query)]
    at = paged(request, query, len(found))
    acting = sorted((one for one in found if one.reasons), key=lambda one: severity(one.reasons))
    return pages.render(
        request,
        "fleet.html",
        **seen.shared,
        **at,
        programme=programmes_of(pages, seen.counted),
        found=len(found),
        rows=found[at["part"]],
        act=acting[:MOST_ACT],
        acting=len(acting),
        query=query,
    )
