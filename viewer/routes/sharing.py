"""`/sharing/{company}`: what a supplier shares, with whom, since when and by whose consent.

For its own users and TP managers.
"""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from pipelines.share.settings import LEVELS
from viewer.access.current import require, visit
from viewer.access.refused import AccessRefused
from viewer.access.roles import Permission, Role
from viewer.access.users import User
from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.cluster.agreement import OF_ORDERS, SHAREABLE, Agreement
from viewer.cluster.asked import MAX_TEXT, Writer, ordering_of, terms_of, withdrawn
from viewer.kpi.catalog import CATALOG
from viewer.routes.cluster import sight_url
from viewer.routes.company import company_of, company_url, visible
from viewer.routes.pages import Pages
from viewer.words import local

_DONE: Final = ("share_saved", "share_withdrawn")
MOST_HISTORY: Final = 100


def routes(pages: Pages) -> list[BaseRoute]:
    """`/sharing`, which leads to the only company there is, `/sharing/{company}`, and how it is withdrawn."""
    return [
        pages.route("/sharing", _first, "sharing"),
        pages.route("/sharing/{company}", _company, "sharing_company", ("GET", "POST")),
        pages.route("/sharing/{company}/withdraw", _withdraw, "sharing_withdraw", ("POST",)),
    ]


def _first(pages: Pages, request: Request) -> Response:
    require(Permission.SHARE)
    found = [one for one in visible(pages) if one]
    if len(found) == 1:
        return pages.lead(request, company_url(found[0], "sharing"))
    agreed = pages.agreements.newest()
    now_ns = pages.clock.now_ns()
    holding = {one: [two for two in agreed if two.supplier == one and two.level_at(now_ns) != "none"] for one in found}
    return pages.render(request, "sharings.html", companies=holding, url=company_url)


def _company(pages: Pages, request: Request) -> Response:
    user = require(Permission.SHARE)
    company = company_of(pages, request)
    if not company:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    writer, refused, form = _writer(pages, user), "", visit().form
    ordering = request.query_params.get("ordering", "")
    if request.method == "POST":
        try:
            ordering = ordering_of(form, company)
            terms = terms_of(form, pages.agreements.find(company, ordering), writer)
            pages.agreements.put(company, ordering, terms, user.name, visit().note)
            return RedirectResponse(f"{company_url(company, 'sharing')}?done=share_saved", HTTPStatus.SEE_OTHER)
        except AccessRefused as error:
            refused = pages.words_of(request).refused(error.word, **error.values)
    return _drawn(pages, request, company, user, ordering, refused)


def _withdraw(pages: Pages, request: Request) -> Response:
    user = require(Permission.SHARE)
    company = company_of(pages, request)
    before = pages.agreements.find(company, visit().form.get("ordering"))
    if before is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    try:
        terms = withdrawn(before, _writer(pages, user).today)
        pages.agreements.put(company, before.ordering, terms, user.name, visit().note)
    except AccessRefused as error:
        refused = pages.words_of(request).refused(error.word, **error.values)
        return _drawn(pages, request, company, user, "", refused)
    return RedirectResponse(f"{company_url(company, 'sharing')}?done=share_withdrawn", HTTPStatus.SEE_OTHER)


def _writer(pages: Pages, user: User) -> Writer:
    return Writer(user.name, user.role is Role.COMPANY, _today(pages))


def _today(pages: Pages) -> date:
    return local(pages.clock.now_ns()).date()


def _drawn(pages: Pages, request: Request, company: str, user: User, ordering: str, refused: str) -> Response:
    words, today = pages.words_of(request), _today(pages)
    agreed = pages.agreements.of_supplier(company)
    edit = next((one for one in agreed if one.ordering == ordering), None)
    done = request.query_params.get("done", "")
    history = pages.agreements.history(company)
    return pages.render(
        request,
        "sharing.html",
        HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK,
        company=company,
        url=company_url,
        sight_url=sight_url,
        agreed=[(one, one.state(today)) for one in agreed],
        history=history[:MOST_HISTORY],
        edit=edit,
        ordering=ordering[:MAX_TEXT],
        known=_known(pages, company, user, agreed),
        levels=LEVELS,
        codes=SHAREABLE,
        of_orders=OF_ORDERS,
        catalog=CATALOG,
        own=user.role is Role.COMPANY,
        today=today,
        most=MAX_TEXT,
        refused=refused,
        done=words(done) if done in _DONE else "",
    )


def _known(pages: Pages, company: str, user: User, agreed: list[Agreement]) -> list[str]:
    """Ordering companies to choose from: a manager knows all, a supplier those of its cluster and of its agreements."""
    found = {one.ordering for one in agreed}
    there = {name for one in pages.access.users.all() if one.role is Role.ORDERING for name in one.scope or ()}
    if user.role is Role.MANAGER:
        found |= there
    else:
        facts = Companies(pages.access.book, pages.clock).all()
        cluster = facts.get(company, Facts(company)).cluster
        found |= {one for one in there if cluster and facts.get(one, Facts(one)).cluster == cluster}
    return sorted(found - {company})
