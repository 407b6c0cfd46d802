"""`/machines`: every machine with its state, its freshness and some values."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.catalog import STATES
from viewer.kpi.freshness import Freshness
from viewer.overview import Badge, MachineView, Summary, overview
from viewer.routes.pages import Pages

SHOWN: Final[dict[str, int | Badge | Freshness]] = {
    **{str(code): code for code in range(1, len(STATES))},
    **{one.value: one for one in (Freshness.OK, Freshness.DELAYED)},
    **{one.value: one for one in Badge},
}
"""Machines of one state, or of one freshness, by what an address calls them."""
CARD_TAGS: Final = 6
"""Values shown on a machine's card."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/machines?show=lost`."""
    return [pages.route("/machines", drawn, "machines")]


def drawn(pages: Pages, request: Request) -> Response:
    """The page; it is the start page of those who see one company."""
    request.scope["shown"] = "/machines"
    now_ns = pages.clock.now_ns()
    views = overview(pages.latest(), pages.catalog, now_ns)
    groups: dict[tuple[str, str, str], list[MachineView]] = {}
    show = SHOWN.get(request.query_params.get("show", ""))
    for view in views:
        if show is None or show in {view.badge, view.freshness}:
            groups.setdefault((view.info.company, view.info.site, view.info.line), []).append(view)
    return pages.render(
        request,
        "machines.html",
        now_ns=now_ns,
        groups=sorted(groups.items()),
        summary=Summary.of(views),
        show=show,
        card_tags=CARD_TAGS,
        refresh_s=2,
    )
