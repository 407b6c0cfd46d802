"""Every address of the pages that a person can open, made from the routes: a page that comes later is not forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.routing import Route

from viewer.catalog import Catalog
from viewer.query.unit import Unit
from viewer.routes.asked import unit_text

UNITS: Final = {"/kpi", "/alarms", "/energy", "/quality", "/goals", "/safety", "/ccp", "/battery"}
"""Pages that are about one site, chosen by `unit`."""
BEHIND: Final = {"alarm": "/alarm?", "battery_pack": "/battery/"}
"""Routes whose address says more than they know, and how links begin that lead there: the first of a page counts."""
QUERIES: Final = {"entry_form": "?kind=order"}
NO_PAGE: Final = {
    "health": "for machines",
    "logout": "a form",
    "login": "of nobody who is logged in",
    "setup": "while there is nobody yet",
    "report": "a file",
    "goals_export": "a file",
    "company_table_file": "a file",
    "cycles_file": "a file",
    **dict.fromkeys(BEHIND, "a link of another page leads there"),
}
"""Names of routes that no person looks at, and what they are."""


def addresses(app: Starlette, catalog: Catalog, ordering: str = "") -> list[str]:
    """Paths with their queries, each once.

    Args:
        app: the pages.
        catalog: whom they are about.
        ordering: an ordering company, whose own pages are meant then, and no others.

    Raises:
        LookupError: a route has a piece that nothing here knows how to fill.
    """
    found: dict[str, None] = {}
    for route in app.routes:
        if isinstance(route, Route) and "GET" in (route.methods or ()) and route.name not in NO_PAGE:
            theirs = route.path.startswith("/cluster") and (bool(ordering) or "ordering" not in route.param_convertors)
            if theirs if ordering else "ordering" not in route.param_convertors:
                found.update(dict.fromkeys(_filled(route, catalog, ordering)))
    return list(found)


def _filled(route: Route, catalog: Catalog, ordering: str) -> Iterator[str]:
    pieces = set(route.param_convertors) - {"ordering"}
    if "ordering" in route.param_convertors:
        route = Route(route.path.replace("{ordering}", quote(ordering, safe="")), route.endpoint)
    machines = list(catalog.machines.values())
    if route.path in UNITS:
        for site in catalog.sites.values():
            yield f"{route.path}?unit={quote(unit_text(site, Unit()), safe='')}&period=today"
    elif not pieces:
        yield route.path + QUERIES.get(route.name, "")
    elif pieces == {"company"}:
        yield from (_path(route, company=company) for company in dict.fromkeys(one.company for one in machines))
    elif pieces == {"company", "site", "machine"}:
        for site in catalog.sites.values():
            first = next(iter(site.machines.values()))
            yield _path(route, company=first.company, site=first.site, machine=first.name)
    elif pieces == {"number"}:
        yield _path(route, number="1")
    else:
        msg = f"{route.path}: no address is known for it, add it here"
        raise LookupError(msg)


def _path(route: Route, **pieces: str) -> str:
    path = route.path.replace(":int", "").replace(":path", "")
    for name, value in pieces.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path
