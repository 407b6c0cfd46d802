"""`/company/{company}`: one company on one screen, each block with the way to its own page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access.current import companies, user_or_none
from viewer.access.roles import Permission
from viewer.advice import Hint, hints
from viewer.book.companies import Companies
from viewer.catalog import Catalog
from viewer.chart import Chart
from viewer.company_now import link_of
from viewer.fleet.together import asked_together
from viewer.goals.model import Whose
from viewer.goals.table import in_short, scored
from viewer.kpi.freshness import Freshness
from viewer.overview import MachineView, overview
from viewer.query.alarm_list import SHELVED, WAITING, within
from viewer.query.company import ENERGY, OEE, RATE, REPAIR, SiteDay, site_day
from viewer.query.unit import Unit
from viewer.routes.asked import months_to, unit_text
from viewer.routes.pages import Pages, machine_url
from viewer.states import draw_states
from viewer.words import Words

REFRESH_S: Final = 60
TOP_STOPS: Final = 5
PRIORITIES: Final = ("urgent", "important", "caution", "info")
_WIDE: Final = 800
"""Of the band of a day, as wide as its place on the page."""
_LOST: Final = frozenset({Freshness.LOST, Freshness.NONE})


def routes(pages: Pages) -> list[BaseRoute]:
    """`/company`, which leads to the only one, and `/company/{company}`."""
    return [
        pages.route("/company", _first, "companies"),
        pages.route("/company/{company}", _company, "company"),
    ]


def company_url(company: str, page: str = "company") -> str:
    """Path of a page about a company; "-" stands for one without a name."""
    return f"/{page}/{quote(company or '-', safe='')}"


def visible(pages: Pages) -> list[str]:
    """Companies that whoever asks may see: those of the site files, of the store, and of which facts are known."""
    found = {one.place.company for one in pages.store.series()} | {key[0] for key in pages.catalog.machines}
    allowed = companies()
    known = Companies(pages.access.book, pages.clock).all()
    return sorted(found | {one for one in known if allowed is None or one in allowed})


def company_of(pages: Pages, request: Request) -> str:
    """The company that a path names.

    Raises:
        HTTPException: 404, whoever asks sees no such company.
    """
    text = request.path_params["company"]
    company = "" if text == "-" else text
    if company not in visible(pages):
        raise HTTPException(404)
    return str(company)


def _first(pages: Pages, request: Request) -> Response:
    found = visible(pages)
    if not found:
        return pages.render(request, "company.html", company=None)
    return pages.lead(request, company_url(found[0]))


def _company(pages: Pages, request: Request) -> Response:
    company = company_of(pages, request)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    latest = pages.latest(company)
    machines = {key: one for key, one in pages.catalog.machines.items() if key[0] == company}
    views = overview(latest, Catalog(machines), now_ns)
    sites = [one for one in pages.sites(request) if one.company == company]
    days = asked_together(pages.store, company, latest, lambda store: [site_day(store, one, now_ns) for one in sites])
    user = user_or_none()
    return pages.render(
        request,
        "company.html",
        company=company,
        now_ns=now_ns,
        facts=Companies(pages.access.book, pages.clock).get(company),
        may_change=user is not None and user.may(Permission.CONFIRM),
        others=[(one, company_url(one)) for one in visible(pages)],
        link=link_of(views, latest, now_ns),
        views=views,
        sites=[_site(day, views, words) | {"goals": _goals(pages, day, words)} for day in days],
        refresh_s=REFRESH_S,
        url=company_url,
    )


def _goals(pages: Pages, day: SiteDay, words: Words) -> dict[str, dict[str, Any]]:
    """What the cards of a site's figures say of their goals."""
    held = [one for one in pages.goals.held(Whose.of(day.site, Unit())) if one.code in day.figures]
    total = scored(held, day.figures, pages.goals.cap(*day.site.key))
    return {row.goal.code: {"official": row.goal.official, "text": in_short(row, words)} for row in total.rows}


def _site(day: SiteDay, views: Sequence[MachineView], words: Words) -> dict[str, Any]:
    """What the template draws of one site."""
    own = [one for one in views if one.info.key[:2] == day.site.key]
    standing = [one for one in day.alarms.standing if one.state != SHELVED]
    counts = Counter(one.priority for one in standing)
    waiting = sum(one.state in WAITING for one in standing)
    urgent = sum(one.state in WAITING and one.priority == "urgent" for one in standing)
    lost = sum(one.freshness in _LOST for one in own)
    unit = unit_text(day.site, Unit())
    month = months_to(day.site.calendar.production_day(day.period[0]))[1]  # the last that is over
    return {
        "name": words.label(day.site.label, day.site.name),
        "unit": unit,
        "period": day.period,
        "machines": [(one, _ribbon(day, one, words), day.pieces.get(one.info.name)) for one in own],
        "kpis": day.kpis,
        "oee": day.some(OEE),
        "repair": day.some(one for one in REPAIR if one not in {two.code for two in day.kpis}),
        "energy": day.some(ENERGY),
        "rate": day.figures[RATE],
        "standstill": day.standstill,
        "stops": day.standstill.stops[:TOP_STOPS],
        "oee_url": _longest(day, own),
        "month": month,
        "report": "/reports?" + urlencode({"unit": unit, "month": month}),
        "alarms": {one: counts[one] for one in PRIORITIES},
        "waiting": waiting,
        "today": len(within(day.alarms.occurrences, day.period)),
        "hints": [(one, _where(one, day, own, unit)) for one in hints(day, lost, len(own), urgent)],
    }


def _ribbon(day: SiteDay, view: MachineView, words: Words) -> Chart | None:
    runs = day.runs.get(view.info.name)
    if runs is None:
        return None
    label = words("company_ribbon", name=words.label(view.info.label, view.info.name))
    found = [(one.start_ns, one.end_ns, one.code) for one in runs]
    return draw_states(found, (), *day.period, words, label, _WIDE)


def _longest(day: SiteDay, own: Sequence[MachineView]) -> str:
    """Page about the downtime of the machine that tells states and stood longest; empty without one."""
    stood = {name: sum(one.end_ns - one.start_ns for one in runs if one.code != 1) for name, runs in day.runs.items()}
    name = max(stood, key=lambda one: stood[one], default=None)
    view = next((one for one in own if one.info.name == name), None)
    return f"{machine_url(view.info.key, 'oee')}?period=today" if view else ""


def _where(hint: Hint, day: SiteDay, own: Sequence[MachineView], unit: str) -> str:
    """Where the figure of a hint comes from."""
    asked = quote(unit, safe="")
    lost = next((one for one in own if one.freshness in _LOST), None)
    return {
        "oee": _longest(day, own) or f"/kpi?unit={asked}",
        "quality": f"/quality?unit={asked}",
        "energy": f"/energy?unit={asked}&period=week",
        "alarms": f"/alarms?unit={asked}",
        "machines": machine_url(lost.info.key) if lost else "/machines",
    }[hint.page]
