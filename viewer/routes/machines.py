"""`/`: every machine with its state, its freshness and some values."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from viewer.access.current import user_or_none
from viewer.access.roles import Permission
from viewer.overview import MachineView, Summary, overview
from viewer.routes.pages import Pages

CARD_TAGS: Final = 6
"""Values shown on a machine's card."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/`."""
    return [pages.route("/", _machines, "machines")]


def _machines(pages: Pages, request: Request) -> Response:
    user = user_or_none()
    if user is not None and user.may(Permission.SHARED):  # it has no machines, and the log-in leads here
        return RedirectResponse("/cluster", 303)
    now_ns = pages.clock.now_ns()
    views = overview(pages.latest(), pages.catalog, now_ns)
    groups: dict[tuple[str, str, str], list[MachineView]] = {}
    for view in views:
        groups.setdefault((view.info.company, view.info.site, view.info.line), []).append(view)
    return pages.render(
        request,
        "machines.html",
        now_ns=now_ns,
        groups=sorted(groups.items()),
        summary=Summary.of(views),
        card_tags=CARD_TAGS,
        refresh_s=2,
    )
