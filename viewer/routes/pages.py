"""What every page is drawn with: the store, the catalog, the time, words in the reader's language, templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pipelines.clock import Clock
from pipelines.errors import DependencyError
from viewer import figure_text
from viewer.access import current
from viewer.access.access import Access, embedded
from viewer.access.roles import Permission
from viewer.access.scope import ScopedStore, scoped_catalog, sees
from viewer.catalog import Catalog, MachineKey
from viewer.cluster.agreement import Agreement
from viewer.cluster.agreements import Agreements
from viewer.cluster.kept import Allowance, Kept
from viewer.cluster.sight import Around, Sight
from viewer.entries.desk import EntryDesk
from viewer.fleet.board import Fleet
from viewer.goals.book import GoalBook
from viewer.kpi.words import INDICATIVE, MANUAL
from viewer.operate.desk import OrderDesk
from viewer.overview import CODE, HOLDS_S, NS, STATE
from viewer.routes.last_site import remember_site
from viewer.routes.menu import menu_of
from viewer.site_info import SiteInfo
from viewer.stores.base import Latest, Store
from viewer.words import LANGUAGES, Words

_LANGUAGE_COOKIE: Final = "lang"
_YEAR_S: Final = 31_536_000
_MOST_KEPT: Final = 200
"""Characters of a value of an address that is kept when the language is switched."""
_FOLDER: Final = Path(__file__).parents[1] / "pages"


class Pages:
    """What every page is drawn with.

    A handler is a plain function of (pages, request): the store blocks, and Starlette runs such functions in threads.

    Args:
        store: where values come from.
        catalog: what the site files say of machines.
        clock: what "now" is.
        notices: shown on top of every page, for example that the broker is an embedded one.
        access: users, sessions, audit log; default: none, and everybody sees everything.
        desk: takes entries by hand; default: nothing is entered here.
        operate: gives orders about alarms; default: they are looked at.

    Attributes:
        store: what whoever asks may see of it; nothing where no request is being answered.
        fleet: lines of all companies, whoever asks: a page shows those that a reader may see.
        goals: baselines and targets; those of every company, so that only a unit of `sites` is asked of them.
        kept: figures of suppliers that were computed a moment ago; those of every company.
        agreements: what suppliers share with ordering companies; those of everybody, as with the goals.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        clock: Clock,
        notices: Sequence[str] = (),
        access: Access | None = None,
        desk: EntryDesk | None = None,
        operate: OrderDesk | None = None,
    ) -> None:
        self._everything = store
        self.desk = desk
        self.operate = operate
        self.store: Store = ScopedStore(store, current.companies)
        self._catalog = catalog
        self.clock = clock
        self.access = access or embedded(clock)
        self.goals = GoalBook(self.access.book, self.access.clock)
        self.agreements = Agreements(self.access.book, clock)
        self.kept = Kept()
        self.fleet = Fleet(store, catalog, clock, self.goals)
        self.notices = tuple(notices)
        self.words = {language: Words(language) for language in LANGUAGES}
        loader = jinja2.FileSystemLoader(_FOLDER)
        self.templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self.templates.globals.update(
            LANGUAGES=LANGUAGES,
            machine_url=machine_url,
            written=figure_text,
            INDICATIVE=INDICATIVE,
            MANUAL=MANUAL,
        )
        self.templates.globals.update(csrf_field=current.csrf_field, user=current.user_or_none)

    @property
    def catalog(self) -> Catalog:
        """What whoever asks may see of what the site files say."""
        return scoped_catalog(self._catalog, current.companies())

    def route(
        self, path: str, draw: Callable[[Pages, Request], Response], name: str, methods: Sequence[str] = ("GET",)
    ) -> Route:
        """An address whose answer `draw` makes, in a thread; what POST sends is `current.visit().form`."""
        return Route(path, partial(draw, self), name=name, methods=list(methods))

    def language(self, request: Request) -> str:
        """The language that a reader asked for, now or before; else the first."""
        for language in (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
            if language in LANGUAGES:
                return language
        return LANGUAGES[0]

    def sites(self, request: Request) -> list[SiteInfo]:
        """Sites that a reader may see, by company and name."""
        del request
        return [site for _, site in sorted(self.catalog.sites.items())]

    def words_of(self, request: Request) -> Words:
        """Words in the reader's language."""
        return self.words[self.language(request)]

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page in the reader's language.

        Args:
            request: asks for it.
            template: file in `viewer/pages/`; beside `values` it has `t` (the words), `placed` (company, site and what
                follows as people see them), `notices`, `menu`, `in_language`, `path`; `request.scope["shown"]` is that
                of a page that is at another address too.
            status: of HTTP.
            values: of the template.
        """
        language = self.language(request)
        text = self.templates.get_template(template).render(
            t=self.words[language],
            placed=partial(_placed, self.catalog, self.words[language]),
            notices=self.notices,
            menu=menu_of(self.catalog, current.user_or_none()),
            in_language=_in_language(request),
            path=request.scope.get("shown", request.url.path),
            **values,
        )
        response = HTMLResponse(text, status)
        remember_site(request, lambda: self.sites(request), response)
        if request.query_params.get("lang") == language:
            response.set_cookie(_LANGUAGE_COOKIE, language, max_age=_YEAR_S, httponly=True, samesite="lax")
        return response

    def lead(self, request: Request, path: str) -> Response:
        """To another page, in the language that was asked for."""
        language = request.query_params.get("lang")
        return RedirectResponse(f"{path}?lang={language}" if language in LANGUAGES else path, 303)

    async def trouble(self, request: Request, error: Exception) -> Response:
        """What went wrong, in words: a store that does not answer, an address that is none."""
        words = self.words_of(request)
        if isinstance(error, DependencyError):
            user = current.user_or_none()
            # Where the store is, and what it said, is of who may read it; an ordering company is told that it is away.
            detail = f" — {error}" if user is not None and user.may(Permission.VIEW) else ""
            return self.render(request, "trouble.html", 503, reason=f"{words('store_down')}{detail}")
        assert isinstance(error, HTTPException)
        reason = words.trouble(error.status_code, error.detail)
        return self.render(request, "trouble.html", error.status_code, reason=reason)

    def ask_store(self) -> None:
        """Ask the store for anything, whoever wants to know.

        Raises:
            DependencyError: it does not answer.
        """
        self._everything.latest()

    def through(self, agreement: Agreement, allowance: Allowance) -> Sight:
        """What an ordering company sees of a supplier, for it and for who may see the supplier anyway.

        Args:
            agreement: between the two; its newest version.
            allowance: of the page that is being drawn.

        Raises:
            HTTPException: 404, whoever asks is neither.
        """
        user = current.user_or_none()
        if user is None or not (agreement.ordering in user.orders_for or sees(user.companies, agreement.supplier)):
            raise HTTPException(404)
        now_ns = self.clock.now_ns()
        around = Around(self._everything, self._catalog, self.fleet, self.kept, allowance, now_ns)
        return Sight(around, agreement)

    def latest(self, company: str | None = None) -> list[Latest]:
        """The newest of every tag, or of one company's; a state of a time to come gives way to the one of now."""
        now_ns = self.clock.now_ns()
        holds_ns = int(HOLDS_S * NS)
        found = []
        for one in self.store.latest(company=company):
            if one.place.measurement == STATE and one.field == CODE and (one.time_ns or 0) > now_ns + holds_ns:
                codes = self.store.points(one.place, CODE, now_ns - holds_ns, now_ns + holds_ns)
                value, time_ns = (codes.value[-1].item(), int(codes.time_ns[-1])) if len(codes.time_ns) else (None, 0)
                found.append(replace(one, value=value, time_ns=time_ns))
            else:
                found.append(one)
        return found


def _placed(catalog: Catalog, words: Words, company: str, site: str, *further: str) -> str:
    """Company, site and what is in it in one line, the site by its label; levels without a name are left out."""
    known = catalog.sites.get((company, site))
    return " · ".join(filter(None, (company, words.label(known.label, site) if known else site, *further)))


def machine_url(key: MachineKey, page: str = "machine") -> str:
    """Path of a page about one machine; "-" stands for a level that is not there."""
    return f"/{page}/" + "/".join(quote(level or "-", safe="") for level in key)


def machine_key(request: Request) -> MachineKey:
    """The machine that such a path names."""
    company, site, machine = (
        "" if level == "-" else level for level in (request.path_params[one] for one in ("company", "site", "machine"))
    )
    return company, site, machine


def _in_language(request: Request) -> Callable[[str], str]:
    """The same page in another language; what else its address says is kept."""
    kept = {key: value[:_MOST_KEPT] for key, value in request.query_params.items() if key not in {"lang", "part"}}
    return lambda language: "?" + urlencode({**kept, "lang": language})
