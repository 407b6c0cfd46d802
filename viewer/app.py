"""The viewer: pages over one store. Server-rendered, no outside resource, a content security policy without exceptions.

Pages: `/` machines, `/machine/{company}/{site}/{machine}` one machine ("-" stands for a level that is not there),
`/healthz`. `?lang=ko|en` switches the language and is remembered in a cookie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipelines.clock import Clock
from pipelines.errors import DependencyError
from viewer.catalog import Catalog
from viewer.chart import BUCKETS, Chart, draw
from viewer.headers import SecurityHeaders
from viewer.overview import CODE, HOLDS_S, NS, STATE, MachineView, Summary, TagView, overview
from viewer.states import Run, draw_states, raw_runs, runs, untold, within
from viewer.stores.base import QUALITY, Latest, Place, Store, StoredGap, Trend
from viewer.words import LANGUAGES, Words

PERIODS_S: Final = {"10m": 600, "1h": 3600, "8h": 28_800, "1d": 86_400}
REFRESH_S: Final = {"10m": 5, "1h": 15, "8h": 60, "1d": 120}
"""How often the charts of a period are drawn again."""
CARD_TAGS: Final = 6
"""Values shown on a machine's card."""
EVERY_TAG: Final = "*"
"""Tag of a gap in all that an agent had, such as what was dropped at the journal's cap."""
_LOOK_BACK_NS: Final = 86_400 * NS
"""A raw state that is told on change is looked for so long before the start of a picture."""
_LANGUAGE_COOKIE: Final = "lang"
_YEAR_S: Final = 31_536_000
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100; a time in ns must fit 64 bits."""
_HERE: Final = Path(__file__).parent


def machine_url(view: MachineView) -> str:
    """Path of a machine's page."""
    return "/machine/" + "/".join(quote(level or "-", safe="") for level in view.info.key)


class _Viewer:
    def __init__(self, store: Store, catalog: Catalog, clock: Clock, notices: Sequence[str]) -> None:
        self.store = store
        self.catalog = catalog
        self.clock = clock
        self.notices = tuple(notices)
        self.words = {language: Words(language) for language in LANGUAGES}
        loader = jinja2.FileSystemLoader(_HERE / "pages")
        self.templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self.templates.globals.update(machine_url=machine_url, LANGUAGES=LANGUAGES, CARD_TAGS=CARD_TAGS)

    async def machines(self, request: Request) -> Response:
        return await run_in_threadpool(self._machines, request)

    async def machine(self, request: Request) -> Response:
        return await run_in_threadpool(self._machine, request)

    async def health(self, _: Request) -> Response:
        try:
            await run_in_threadpool(self.store.latest)
        except DependencyError as error:
            return JSONResponse({"status": "store unreachable", "reason": error.reason}, 503)
        return JSONResponse({"status": "ok"})

    async def trouble(self, request: Request, error: Exception) -> Response:
        words = self.words[self._language(request)]
        if isinstance(error, DependencyError):
            return self._page(request, "trouble.html", 503, reason=f"{words('store_down')} — {error}")
        assert isinstance(error, HTTPException)
        reason = words("not_found") if error.status_code == HTTPStatus.NOT_FOUND else error.detail
        return self._page(request, "trouble.html", error.status_code, reason=reason)

    def _machines(self, request: Request) -> Response:
        now_ns = self.clock.now_ns()
        views = overview(self._latest(), self.catalog, now_ns)
        groups: dict[tuple[str, str, str], list[MachineView]] = {}
        for view in views:
            groups.setdefault((view.info.company, view.info.site, view.info.line), []).append(view)
        return self._page(
            request,
            "machines.html",
            now_ns=now_ns,
            groups=sorted(groups.items()),
            summary=Summary.of(views),
            refresh_s=2,
        )

    def _machine(self, request: Request) -> Response:
        now_ns = self.clock.now_ns()
        key = tuple("" if level == "-" else level for level in request.path_params.values())
        views = overview(self._latest(), self.catalog, now_ns)
        view = next((view for view in views if view.info.key == key), None)
        if view is None:
            raise HTTPException(404)
        period = request.query_params.get("period", "10m")
        if period not in PERIODS_S:
            period = "10m"
        zoom = _zoom(request.query_params)
        end_ns = now_ns if zoom is None else zoom[1]
        start_ns = end_ns - PERIODS_S[period] * NS if zoom is None else zoom[0]
        words = self.words[self._language(request)]
        live_only = request.query_params.get("part") == "live"
        charts = [] if live_only else self._charts(view, start_ns, end_ns, words)
        return self._page(
            request,
            "machine.html",
            now_ns=now_ns,
            view=view,
            charts=charts,
            period=period,
            periods=tuple(PERIODS_S),
            zoom=zoom,
            start_ns=start_ns,
            end_ns=end_ns,
            refresh_s=2,
            charts_refresh_s=0 if zoom else REFRESH_S[period],
        )

    def _charts(self, view: MachineView, start_ns: int, end_ns: int, words: Words) -> list[tuple[str, str, Chart]]:
        """Caption, unit and picture of the states and of each tag that can be drawn."""
        gaps = [
            gap
            for gap in self.store.gaps(view.info.company)
            if _is_of(gap, view) and gap.start_ns < end_ns and (gap.end_ns is None or gap.end_ns > start_ns)
        ]
        trends: dict[tuple[Place, str], Trend] = {}
        for place in {tag.place for tag in view.tags if tag.place is not None}:
            fields = [tag.info.name for tag in view.tags if tag.place == place]
            found = self.store.trends(place, fields, start_ns, end_ns, BUCKETS)
            trends.update({(place, field): trend for field, trend in found.items()})
        charts = []
        raw = _raw_state(view)
        if view.states is not None or raw is not None:
            states = self._states(view, raw, start_ns, min(end_ns, self.clock.now_ns()))
            own = [gap for gap in gaps if gap.tag in {EVERY_TAG, raw.info.name if raw else EVERY_TAG}]
            label = words("state_band")
            charts.append((label, "", draw_states(states, own, start_ns, end_ns, words, label)))
        for tag in view.tags:
            if tag.place is None or isinstance(tag.value, str):
                continue
            own = [gap for gap in gaps if gap.tag in {tag.info.name, EVERY_TAG}]
            label = words.label(tag.info.label, tag.info.name)
            trend = trends[tag.place, tag.info.name]
            charts.append((label, tag.info.unit, draw(trend, own, start_ns, end_ns, words, label, tag.info.decimals)))
        return charts

    def _states(self, view: MachineView, raw: TagView | None, start_ns: int, end_ns: int) -> list[Run]:
        """Derived states, and where none was told those of the raw tag."""
        on_change = raw is not None and raw.info.name in view.info.tags and raw.info.period_s is None
        begin_ns = start_ns - (_LOOK_BACK_NS if on_change else int(HOLDS_S * NS))
        told: list[Run] = []
        if view.states is not None:
            told = runs(self.store.points(view.states, CODE, begin_ns, end_ns), begin_ns, end_ns)
        seen = within(told, start_ns, end_ns)
        if raw is None or raw.place is None or not untold(seen, start_ns, end_ns):
            return seen
        values, quality = (
            self.store.points(raw.place, field, begin_ns, end_ns) for field in (raw.info.name, raw.info.name + QUALITY)
        )
        until_ns = min(end_ns, view.seen_ns or end_ns) if on_change else end_ns
        code, span_ns = view.info.state_code, (begin_ns, max(begin_ns, until_ns))
        return within([*told, *raw_runs(values, quality, code, told, span_ns, on_change=on_change)], start_ns, end_ns)

    def _latest(self) -> list[Latest]:
        """The newest of every tag; a state that was told of a time to come gives way to the one of now."""
        now_ns = self.clock.now_ns()
        holds_ns = int(HOLDS_S * NS)
        found = []
        for one in self.store.latest():
            if one.place.measurement == STATE and one.field == CODE and (one.time_ns or 0) > now_ns + holds_ns:
                codes = self.store.points(one.place, CODE, now_ns - holds_ns, now_ns + holds_ns)
                value, time_ns = (codes.value[-1].item(), int(codes.time_ns[-1])) if len(codes.time_ns) else (None, 0)
                found.append(replace(one, value=value, time_ns=time_ns))
            else:
                found.append(one)
        return found

    def _language(self, request: Request) -> str:
        for language in (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
            if language in LANGUAGES:
                return language
        return LANGUAGES[0]

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        language = self._language(request)
        text = self.templates.get_template(template).render(
            t=self.words[language], notices=self.notices, in_language=_in_language(request), **values
        )
        response = HTMLResponse(text, status)
        if request.query_params.get("lang") == language:
            response.set_cookie(_LANGUAGE_COOKIE, language, max_age=_YEAR_S, httponly=True, samesite="lax")
        return response


def _in_language(request: Request) -> Callable[[str], str]:
    """The same page in another language, period and zoom kept."""
    kept = {key: value for key, value in request.query_params.items() if key in {"period", "from", "to"}}
    return lambda language: "?" + urlencode({**kept, "lang": language})


def _zoom(query: Mapping[str, str]) -> tuple[int, int] | None:
    """The span `from`–`to` (ms since 1970 UTC) as ns, when it is one."""
    texts = query.get("from", ""), query.get("to", "")
    if not all(text.isdecimal() and len(text) <= 13 for text in texts):  # noqa: PLR2004 - more is no time
        return None
    start_ms, end_ms = map(int, texts)
    return (start_ms * 1_000_000, end_ms * 1_000_000) if start_ms < end_ms < _LAST_MS else None


def _raw_state(view: MachineView) -> TagView | None:
    """The tag that says the state itself, as far as the store has it."""
    if view.info.state_map is None:
        return None
    return next((tag for tag in view.tags if tag.info.name == view.info.state_tag and tag.place is not None), None)


def _is_of(gap: StoredGap, view: MachineView) -> bool:
    """Whether a gap is the machine's, or one of everything an agent of its site had."""
    place = gap.place
    if gap.tag == EVERY_TAG:
        return (place.company, place.site) == view.info.key[:2]
    return (place.company, place.site, place.machine) == view.info.key


def make_app(store: Store, catalog: Catalog, clock: Clock, notices: Sequence[str] = ()) -> Starlette:
    """The viewer as an ASGI application.

    Args:
        store: where values come from; it is asked in threads.
        catalog: labels, units and state maps.
        clock: what "now" is.
        notices: shown on top of every page, for example that the broker is an embedded one.
    """
    viewer = _Viewer(store, catalog, clock, notices)
    return Starlette(
        routes=[
            Route("/", viewer.machines, name="machines"),
            Route("/machine/{company}/{site}/{machine}", viewer.machine, name="machine"),
            Route("/healthz", viewer.health, name="health"),
            Mount("/static", StaticFiles(directory=_HERE / "static"), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={DependencyError: viewer.trouble, HTTPException: viewer.trouble},
    )
