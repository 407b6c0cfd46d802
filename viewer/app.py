"""The viewer: pages over one store. Server-rendered, no outside resource, a content security policy without exceptions.

Each module of `viewer/routes/` names its addresses. `?lang=ko|en` switches the language and is remembered in a cookie.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from pipelines.clock import Clock
from pipelines.errors import DependencyError
from viewer.catalog import Catalog
from viewer.headers import SecurityHeaders
from viewer.routes import alarms, health, kpi, level, machine, machines, oee
from viewer.routes.pages import Pages
from viewer.stores.base import Store

_STATIC: Final = Path(__file__).parent / "static"
_PARTS: Final = (machines, machine, kpi, oee, alarms, level, health)


def make_app(store: Store, catalog: Catalog, clock: Clock, notices: Sequence[str] = ()) -> Starlette:
    """The viewer as an ASGI application.

    Args:
        store: where values come from; it is asked in threads.
        catalog: labels, units and state maps.
        clock: what "now" is.
        notices: shown on top of every page, for example that the broker is an embedded one.
    """
    pages = Pages(store, catalog, clock, notices)
    return Starlette(
        routes=[
            *(route for part in _PARTS for route in part.routes(pages)),
            Mount("/static", StaticFiles(directory=_STATIC), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={DependencyError: pages.trouble, HTTPException: pages.trouble},
    )
