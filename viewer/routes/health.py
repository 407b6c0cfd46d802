"""`/healthz`: whether the viewer reaches its store."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from pipelines.errors import DependencyError
from viewer.access.current import user_or_none
from viewer.routes.pages import Pages


def routes(pages: Pages) -> list[BaseRoute]:
    """`/healthz`."""
    return [pages.route("/healthz", _health, "health")]


def _health(pages: Pages, _: Request) -> Response:
    try:
        pages.ask_store()
    except DependencyError as error:
        # Where the store is, is nobody's business before the log-in.
        reason = {"reason": error.reason} if user_or_none() else {}
        return JSONResponse({"status": "store unreachable", **reason}, 503)
    return JSONResponse({"status": "ok"})
