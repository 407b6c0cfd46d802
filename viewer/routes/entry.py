"""`/entry`: what was entered of a site, what can be, and the stops that nobody explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.errors import DependencyError
from viewer.access.current import require
from viewer.access.roles import Permission
from viewer.entries.chain import chains, counting, newest
from viewer.entries.desk import EntryDesk
from viewer.entries.kinds import FIELDS, KINDS
from viewer.entries.prefill import OpenStop, open_stops
from viewer.entries.read import written_in
from viewer.entries.site import EntrySite
from viewer.entries.times import written as written_time
from viewer.entries.written import Written
from viewer.overview import NS
from viewer.query.unit import Unit
from viewer.routes.asked import find_unit, shown_key, unit_text
from viewer.routes.last_site import last_site
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import Words, local

SHOWN_NS: Final = 7 * 86_400 * NS
LOOK_BACK_NS: Final = 60 * 86_400 * NS
"""Orders and lots that are under way were entered within this time."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as people see it."""

    written: Written
    kind: str
    where: str
    when: str
    about: str
    entered: str
    state: str
    fix: str
    """Address of the page that corrects it; empty = it cannot be any more."""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/entry?unit=company/site/-/-`."""
    return [pages.route("/entry", _entry, "entry")]


def site_of(pages: Pages, request: Request) -> tuple[EntryDesk, SiteInfo] | str:
    """The desk, and the site that a request is about; or the key of the words that say why there is none.

    Raises:
        HTTPException: 404, it names a site that is not there, or not this reader's.
    """
    sites = pages.sites(request)
    if pages.desk is None or not sites:
        return "entry_off" if pages.desk is None else "entry_no_sites"
    text = request.query_params.get("unit")
    if text is None:
        return pages.desk, last_site(request, sites)
    found = find_unit(text, sites)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return pages.desk, found[0]


def entries_here(pages: Pages, desk: EntryDesk, site: SiteInfo, now_ns: int) -> tuple[list[Written], bool]:
    """Entries of the last 60 days, oldest first, also those on their way; and whether the store answered."""
    since_ns = now_ns - LOOK_BACK_NS
    own = desk.recent(site.key, since_ns)
    try:
        stored, reached = written_in(pages.store, site.key, since_ns), True
    except DependencyError:
        stored, reached = [], False
    both = {one.id: one for one in [*stored, *own]}
    return sorted(both.values(), key=lambda one: one.time_ns), reached


def address(path: str, site: SiteInfo, **more: str) -> str:
    """A page about entries of a site."""
    return f"{path}?{urlencode({'unit': unit_text(site, Unit()), **more})}"


def _entry(pages: Pages, request: Request) -> Response:
    may = require(Permission.VIEW).may(Permission.ENTER)
    found = site_of(pages, request)
    if isinstance(found, str):
        return pages.render(request, "entry.html", site=None, why=found)
    desk, site = found
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    written, reached = entries_here(pages, desk, site, now_ns)
    stops: list[OpenStop] | None = None
    if reached:
        try:
            stops = open_stops(pages.store, site, counting(written), now_ns)
        except DependencyError:
            stops = None
    saved = request.query_params.get("saved", "")
    return pages.render(
        request,
        "entry.html",
        site=site,
        sites=[(unit_text(one, Unit()), " · ".join(shown_key(one, words))) for one in pages.sites(request)],
        unit=unit_text(site, Unit()),
        may=may,
        kinds=[(address("/entry/new", site, kind=kind.name), words.text(kind.label)) for kind in KINDS.values()],
        stops=None if stops is None else [_stop(site, one, now_ns, words) for one in stops],
        rows=rows_of(desk.site(site.key), site, written, now_ns - SHOWN_NS, words),
        file=address("/entry/file", site),
        queued=desk.queued(site.key),
        saved=int(saved) if saved.isascii() and saved.isdecimal() and len(saved) <= 5 else 0,  # noqa: PLR2004 - a count
    )


def _stop(site: SiteInfo, one: OpenStop, now_ns: int, words: Words) -> Mapping[str, str]:
    times = {"start": written_time(one.start_ns)} | ({"end": written_time(one.end_ns)} if one.end_ns else {})
    since = words("entry_since", **{"from": words.clock(one.start_ns, now_ns)})
    return {
        "address": address("/entry/new", site, kind="stop", machine=one.machine.name, **times),
        "machine": words.label(one.machine.label, one.machine.name),
        "state": words.state(one.code),
        "code": str(one.code),
        "when": since if one.end_ns is None else f"{words.clock(one.start_ns, now_ns)}–{local(one.end_ns):%H:%M}",
        "length": words("length_minutes", n=round(one.length_ns / 60e9)),
        "goes_on": words("entry_goes_on") if one.end_ns is None else "",
    }


def rows_of(known: EntrySite, site: SiteInfo, entries: Sequence[Written], since_ns: int, words: Words) -> list[Row]:
    """Entries from a moment on, newest first, each with what became of it."""
    found = []
    for chain in chains(entries):
        last = newest(chain)
        for one in chain:
            if one.time_ns >= since_ns:
                state = "entry_counts" if one is last else "entry_replaced"
                state = "entry_withdrawn" if one.entry.withdrawn else state
                fix = address("/entry/new", site, kind=one.entry.kind, replaces=one.id) if one is last else ""
                found.append(_row(known, one, words(state), fix, words))
    return sorted(found, key=lambda row: -row.written.time_ns)


def _row(known: EntrySite, written: Written, state: str, fix: str, words: Words) -> Row:
    entry, kind = written.entry, KINDS[written.entry.kind]
    where = words.label(known.labels.get(entry.machine, {}), entry.machine) if entry.machine else entry.line
    moments = [words.moment(at_ns).removesuffix(" KST") for at_ns in (entry.start, entry.end) if at_ns is not None]
    number = "" if entry.value is None else words.value(entry.value if entry.value % 1 else int(entry.value))
    of = "" if entry.of is None else f" / {words.value(entry.of if entry.of % 1 else int(entry.of))}"
    unit = f" {words.text(kind.unit)}" if number and kind.unit else ""
    label = known.reasons(entry.kind).get(entry.reason)
    reason = words.label(label.model_dump(), entry.reason) if label else entry.reason
    dates = [
        f"{words.text(FIELDS[name])} {words.moment(at_ns).removesuffix(' KST')}"
        for name in ("confirmed", "due", "shipped")
        if (at_ns := getattr(entry, name)) is not None
    ]
    said = [number + of + unit, reason, entry.product, entry.order, entry.lot, entry.customer, *dates, entry.note]
    return Row(
        written,
        words.text(kind.label),
        where or words("entry_whole"),
        " – ".join(moments),
        " · ".join(one for one in said if one),
        words.moment(written.entered_ns).removesuffix(" KST"),
        state,
        fix,
    )
