"""`/level`: what the store can show for each level of a smart factory; no certificate, and no verdict."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.level import text
from viewer.level.levels import LEVELS, NO_VERDICT, SOURCES, TITLE, UNKNOWABLE
from viewer.query.level import level_check
from viewer.query.unit import Unit
from viewer.routes.asked import shown_key, unit_of, unit_text
from viewer.routes.pages import Pages

DAYS: Final = (7, 30, 90, 365)
"""How many production days can be asked for."""
USUAL: Final = 30


def routes(pages: Pages) -> list[BaseRoute]:
    """`/level?unit=company/site/-/-&days=30`."""
    return [pages.route("/level", _level, "level")]


def _level(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "level.html", check=None, title=TITLE, no_verdict=NO_VERDICT)
    site, _ = unit_of(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    asked = request.query_params.get("days", "")
    count = next((one for one in DAYS if str(one) == asked), USUAL)
    return pages.render(
        request,
        "level.html",
        title=TITLE,
        no_verdict=NO_VERDICT,
        check=level_check(pages.store, site, now_ns, count, None if pages.access.is_open() else pages.access.book),
        unit=unit_text(site, Unit()),
        units=[(unit_text(one, Unit()), " · ".join(filter(None, shown_key(one, words)))) for one in sites],
        count=count,
        counts=DAYS,
        levels=LEVELS,
        text=text,
        unknowable=UNKNOWABLE,
        sources=SOURCES,
    )
