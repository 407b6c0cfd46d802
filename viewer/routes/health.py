"""`/healthz`: whether the viewer reaches its store."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from pipelines.errors import DependencyError
from viewer.routes.pages import Pages


def routes(pages: Pages) -> list[BaseRoute]:
    """`/healthz`."""
    return [pages.route("/healthz", _health, "health")]


def _health(pages: Pages, _: Request) -> Response:
    try:
        pages.store.latest()
    except DependencyError as error:
        return JSONResponse({"status": "store unreachable", "reason": error.reason}, 503)
    return JSONResponse({"status": "ok"})
