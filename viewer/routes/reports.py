"""`/reports`: what can be handed in of a site and a month, to look at, as a workbook and as a PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import BoundedSemaphore
from typing import Final
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from viewer.access.use import use_of
from viewer.book.companies import Companies
from viewer.goals.model import Whose
from viewer.kpi.oee import Profile
from viewer.kpi.period import written_month
from viewer.query.unit import Unit
from viewer.reports.cell import Language
from viewer.reports.drawings import DRAWINGS, MEDIA
from viewer.reports.gather.company import subject_of
from viewer.reports.kinds import KINDS, TITLES
from viewer.reports.model import Report
from viewer.reports.page import page
from viewer.routes.asked import PROFILES, find_unit, months_to, shown_key, unit_text
from viewer.routes.cluster_report import KIND, choice, cluster_month
from viewer.routes.last_site import last_site
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

_STYLE: Final = "/static/report.css"
_ONE: Final = BoundedSemaphore()
"""A report of a month reads much: one is made at a time, and whoever comes meanwhile waits."""
WAIT_S: Final = 30.0
"""Longest wait for others."""
MOST_WAITING: Final = 3
"""Each who waits holds a thread of the pages."""
_WAITING: Final = BoundedSemaphore(MOST_WAITING)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/reports?unit=company/site/-/-&month=2026-11`, and `/reports/kpi.pdf` with the same."""
    return [
        pages.route("/reports", _choose, "reports"),
        pages.route("/reports/{kind}.{ending}", _file, "report"),
    ]


def _choose(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "reports.html", of=None)
    of = _site(request, sites) or last_site(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    months = months_to(of.calendar.production_day(now_ns))
    month = request.query_params.get("month", "")
    profile = _profile(request)
    month = month if month in months else months[0]
    query = urlencode({"unit": unit_text(of, Unit()), "month": month, "profile": profile})
    return pages.render(
        request,
        "reports.html",
        of=of,
        unit=unit_text(of, Unit()),
        units=[(unit_text(one, Unit()), " · ".join(filter(None, shown_key(one, words)))) for one in sites],
        month=month,
        months=months,
        profile=profile,
        profiles=PROFILES,
        reports=[(kind, TITLES[kind]) for kind in _kinds(pages.store, of)],
        query=query,
        cluster=choice(pages, request, month),
    )


def _file(pages: Pages, request: Request) -> Response:
    """A report, made now; `.html` is shown, the others are saved."""
    kind, ending = request.path_params["kind"], "." + request.path_params["ending"]
    if kind == KIND:
        return cluster_month(pages, request, ending, partial(answered, pages, request))
    of = _site(request, pages.sites(request))
    now_ns = pages.clock.now_ns()
    month = request.query_params.get("month", "")
    period = written_month(of.calendar, month, now_ns) if of else None
    if of is None or period is None or period[0] == period[1] or kind not in KINDS or ending not in DRAWINGS:
        raise HTTPException(404)

    def make() -> Report:
        goals = pages.goals.file(Whose.of(of, Unit()))
        use = None if pages.access.is_open() else use_of(pages.access.book, of.company, period)
        profile = _profile(request)
        facts = Companies(pages.access.book, pages.clock).get(of.company)
        subject = subject_of(
            pages.store, of, period, now_ns, source="Store", goals=goals, profile=profile, use=use, facts=facts
        )
        return KINDS[kind](subject)

    return answered(pages, request, make, ending, (*of.key, month))


def answered(pages: Pages, request: Request, make: Callable[[], Report], ending: str, names: Sequence[str]) -> Response:
    """A report, made now, one at a time: shown as a page, or saved under its title and these names.

    Raises:
        HTTPException: 503, another one is being made.
    """
    if not _in_turn():
        raise HTTPException(503, pages.words_of(request)("reports_busy"), {"Retry-After": "10"})
    try:
        report = make()
        language: Language = "en" if pages.language(request) == "en" else "ko"
        if ending == ".html":
            return HTMLResponse(page(report, language, _STYLE))
        data = DRAWINGS[ending](report, language)
    finally:
        _ONE.release()
    name = quote("_".join(filter(None, (report.title.ko, *names))) + ending, safe="")
    return Response(
        data, media_type=MEDIA[ending], headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    )


def _in_turn() -> bool:
    """Whether it is one's turn, after a wait for whoever came first; only so many wait."""
    if not _WAITING.acquire(blocking=False):
        return False
    try:
        return _ONE.acquire(timeout=WAIT_S)
    finally:
        _WAITING.release()


def _site(request: Request, sites: list[SiteInfo]) -> SiteInfo | None:
    found = find_unit(request.query_params.get("unit", ""), sites)
    return found[0] if found else None


def _profile(request: Request) -> Profile:
    return next((one for one in PROFILES if one == request.query_params.get("profile")), PROFILES[0])


def _kinds(store: Store, of: SiteInfo) -> list[str]:
    """Reports that a site has something for."""
    tested = any(
        (one.place.company, one.place.site, one.place.measurement) == (*of.key, "battery") for one in store.series()
    )
    has = {
        "safety": bool(of.gases) or any(one.safety for one in of.alarms),
        "ccp": any(one.ccp for one in of.alarms),
        "battery": tested,
    }
    return [kind for kind in KINDS if has.get(kind, True)]
