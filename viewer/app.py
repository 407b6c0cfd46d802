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
from viewer.access.access import Access
from viewer.access.guard import Guard
from viewer.catalog import Catalog
from viewer.entries.desk import EntryDesk
from viewer.headers import SecurityHeaders
from viewer.operate.desk import OrderDesk
from viewer.routes import (
    alarm,
    alarms,
    audit,
    battery,
    battery_pack,
    ccp,
    cluster,
    company,
    cycles,
    energy,
    entry,
    entry_file,
    entry_form,
    facts,
    fleet,
    goal_deeds,
    goals,
    health,
    kpi,
    level,
    login,
    machine,
    machines,
    oee,
    quality,
    reports,
    safety,
    setup,
    shared,
    sharing,
    spc,
    users,
)
from viewer.routes.pages import Pages
from viewer.stores.base import Store

_STATIC: Final = Path(__file__).parent / "static"
_PARTS: Final = (
    fleet,
    company,
    facts,
    machines,
    machine,
    cycles,
    spc,
    kpi,
    oee,
    alarms,
    alarm,
    safety,
    ccp,
    energy,
    battery,
    battery_pack,
    quality,
    goals,
    goal_deeds,
    reports,
    level,
    cluster,
    shared,
    sharing,
    entry,
    entry_form,
    entry_file,
    health,
)
_ACCESS: Final = (login, setup, users, audit)


def make_app(
    store: Store,
    catalog: Catalog,
    clock: Clock,
    notices: Sequence[str] = (),
    access: Access | None = None,
    desk: EntryDesk | None = None,
    operate: OrderDesk | None = None,
) -> Starlette:
    """The viewer as an ASGI application; `state.fleet` is to be turned beside it (`viewer.fleet.board`).

    Args:
        store: where values come from; it is asked in threads.
        catalog: labels, units and state maps.
        clock: what "now" is.
        notices: shown on top of every page, for example that the broker is an embedded one.
        access: who may see what; default: whoever asks sees everything.
        desk: takes entries by hand; default: nothing is entered here.
        operate: gives orders about alarms; default: they are looked at.
    """
    pages = Pages(store, catalog, clock, notices, access, desk, operate)
    app = Starlette(
        routes=[
            *(route for part in (*_PARTS, *_ACCESS) for route in part.routes(pages)),
            Mount("/static", StaticFiles(directory=_STATIC), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(Guard, pages.access, pages.trouble)],
        exception_handlers={DependencyError: pages.trouble, HTTPException: pages.trouble},
    )
    app.state.fleet = pages.fleet
    return app
