"""`/audit`: who did what, when and from where; for TP managers."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access.current import require
from viewer.access.roles import Permission
from viewer.routes.pages import Pages

ROWS: Final = 100
"""Rows of a page."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/audit`; `?before=N` shows older ones."""
    return [pages.route("/audit", _audit, "audit")]


def _audit(pages: Pages, request: Request) -> Response:
    require(Permission.MANAGE)
    text = request.query_params.get("before", "")
    before = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004 - 64 bits
    rows = pages.access.audit.newest(ROWS + 1, before)
    whole = before is None
    broken = pages.access.audit.broken() if whole else None
    return pages.render(request, "audit.html", rows=rows[:ROWS], more=len(rows) > ROWS, whole=whole, broken=broken)
