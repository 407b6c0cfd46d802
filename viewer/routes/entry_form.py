"""`/entry/new`: one entry, or the correction of one. It works without a script, and with gloves on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from pipelines.errors import DependencyError, JournalError
from viewer.access.current import require, user_or_none, visit
from viewer.access.roles import Permission
from viewer.entries.chain import chains, counting
from viewer.entries.desk import EntryDesk
from viewer.entries.faults import EntryRefused, Fault
from viewer.entries.kinds import FIELDS, KINDS, Kind, label_of
from viewer.entries.model import Entry, fresh_id
from viewer.entries.prefill import running, shift_now
from viewer.entries.read import contexts
from viewer.entries.times import written as written_time
from viewer.entries.written import Written
from viewer.overview import NS
from viewer.routes.entry import address, entries_here, rows_of, site_of
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import Words

AUTHOR: Final = "author"
_YEAR_S: Final = 31_536_000
_MOMENTS: Final = {"start", "end", "confirmed", "due", "shipped"}
_NUMBERS: Final = {"value", "of"}
_MINUTE_NS: Final = 60 * NS
_MOST: Final = 200
"""Characters of what an address says that are put into a form."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form.

    Attributes:
        name: of the entry's field.
        label: what people call it.
        kind: `choice`, `select`, `moment`, `number` or `text`.
        value: what stands in it.
        needed: whether an entry without it is refused.
        unit: behind it.
        options: value and label of what can be chosen.
        known: what is likely, for a field that is written freely.
        faults: what is wrong with it.
    """

    name: str
    label: str
    kind: str
    value: str
    needed: bool
    unit: str = ""
    options: Sequence[tuple[str, str]] = ()
    known: Sequence[str] = ()
    faults: Sequence[str] = field(default_factory=tuple)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/entry/new?unit=company/site/-/-&kind=stop`."""
    return [pages.route("/entry/new", _form, "entry_form", ("GET", "POST"))]


def author_of(request: Request) -> tuple[str, bool]:
    """Who enters: the user who is logged in, else the name that was typed last; and whether it may be typed."""
    user = user_or_none()
    if user is not None and user.id:
        return user.name, False
    return unquote(request.cookies.get(AUTHOR, ""))[:40], True


def remember(answer: Response, author: str) -> Response:
    """The name stands in the next form of this browser."""
    answer.set_cookie(AUTHOR, quote(author), max_age=_YEAR_S, httponly=True, samesite="strict")
    return answer


def _form(pages: Pages, request: Request) -> Response:
    require(Permission.ENTER)
    found = site_of(pages, request)
    kind = KINDS.get(request.query_params.get("kind", ""))
    if isinstance(found, str) or kind is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    desk, site = found
    if request.method == "POST":
        return _save(pages, request, desk, site, kind)
    now_ns = pages.clock.now_ns()
    written, reached = entries_here(pages, desk, site, now_ns)
    replaces = request.query_params.get("replaces", "")
    before = next((one for one in written if one.id == replaces), None)
    if replaces and before is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if before is not None:
        said = _said(before.entry)
    else:
        asked = {name: text[:_MOST] for name, text in request.query_params.items() if name in kind.fields}
        said = _guess(pages, site, kind, written, asked.get("machine", ""), now_ns, reached=reached) | asked
    author, _ = author_of(request)
    said |= {"id": fresh_id(), "replaces": replaces, AUTHOR: author}
    return _draw(pages, request, desk, site, kind, said, written)


def _save(pages: Pages, request: Request, desk: EntryDesk, site: SiteInfo, kind: Kind) -> Response:
    form = visit().form
    author, typed = author_of(request)
    author = form.get(AUTHOR) if typed else author
    names = ("id", "replaces", "withdrawn", *kind.fields)
    said = {name: form.get(name) for name in names} | {AUTHOR: author, "kind": kind.name}
    try:
        (one,) = desk.save_now(site.key, [desk.check(site.key, said)], "web")
    except EntryRefused as error:
        status, faults, why = HTTPStatus.UNPROCESSABLE_ENTITY, error.faults, ""
    except JournalError as error:
        status, faults, why = HTTPStatus.SERVICE_UNAVAILABLE, (), error.reason
    else:
        visit().note("entry", f"{site.company}/{site.name}", f"{kind.name} {one.id}")
        answer = RedirectResponse(address("/entry", site, saved="1"), HTTPStatus.SEE_OTHER)
        return remember(answer, author) if typed else answer
    written, _ = entries_here(pages, desk, site, pages.clock.now_ns())
    return _draw(pages, request, desk, site, kind, said, written, faults, why, status)


def _draw(
    pages: Pages,
    request: Request,
    desk: EntryDesk,
    site: SiteInfo,
    kind: Kind,
    said: Mapping[str, str],
    written: Sequence[Written],
    faults: Sequence[Fault] = (),
    why: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    words = pages.words_of(request)
    replaces = said.get("replaces", "")
    history = next((chain for chain in chains(written) if any(one.id == replaces for one in chain)), [])
    others = {name: (text if name in {"id", "replaces"} else "") for name, text in said.items()}
    in_form = {*kind.fields, AUTHOR}
    return pages.render(
        request,
        "entry_form.html",
        status,
        kind=words.text(kind.label),
        here=address("/entry/new", site, kind=kind.name),
        back=address("/entry", site),
        site=site,
        id=others.get("id", ""),
        replaces=replaces,
        fields=[_field(desk, site, kind, name, said, written, faults, words) for name in kind.fields],
        author=said.get(AUTHOR, ""),
        author_label=words.text(FIELDS[AUTHOR]),
        typed=author_of(request)[1],
        author_faults=[one.text(words.language) for one in faults if one.where == AUTHOR],
        others=[one.line(words.language) for one in faults if one.where not in in_form],
        refused=bool(faults),
        why=why,
        history=rows_of(desk.site(site.key), site, history, 0, words) if replaces else [],
    )


def _field(
    desk: EntryDesk,
    site: SiteInfo,
    kind: Kind,
    name: str,
    said: Mapping[str, str],
    written: Sequence[Written],
    faults: Sequence[Fault],
    words: Words,
) -> Field:
    needed, form, unit = name in kind.needs, "text", ""
    options: list[tuple[str, str]] = []
    known: list[str] = []
    listed = desk.site(site.key).reasons(kind.name)
    if name == "machine":
        form = "choice" if needed else "select"
        able = [one for one in site.machines.values() if one.has_state] if needed else []
        options = [(one.name, words.label(one.label, one.name)) for one in able or site.machines.values()]
    elif name == "line":
        form, options = "select", [(one, one) for one in site.lines]
    elif name == "reason" and listed:
        form = "choice"
        options = [] if needed else [("", words("entry_none_of_these"))]
        options += [(code, words.label(label.model_dump(), code)) for code, label in listed.items()]
    elif name in _MOMENTS:
        form = "moment"
    elif name in _NUMBERS:
        form, unit = "number", words.text(kind.unit) if kind.unit else ""
    elif name != "note":
        told = [str(getattr(one.entry, name)) for one in reversed(written)]
        known = [one for one in dict.fromkeys(told) if one][:50]
    wrong = [one.text(words.language) for one in faults if one.where == name]
    label = words.text(label_of(kind, name))
    return Field(name, label, form, said.get(name, ""), needed, unit, options, known, wrong)


def _guess(
    pages: Pages, site: SiteInfo, kind: Kind, written: Sequence[Written], machine: str, now_ns: int, *, reached: bool
) -> dict[str, str]:
    """What can be known before anybody said it."""
    minute = written_time(now_ns // _MINUTE_NS * _MINUTE_NS)
    found = {"start": minute} if "start" in kind.needs else {}
    if kind.name == "crew" and (shift := shift_now(site.calendar, now_ns)) is not None:
        found |= {"start": written_time(shift[0]), "end": written_time(shift[1])}
    if kind.name == "order":
        found |= {"confirmed": minute}
    elif kind.name != "lot" and {"product", "order", "lot"} & {*kind.fields}:
        latest = []
        if reached and machine in site.machines:
            try:
                latest = pages.store.latest(site.machines[machine].place())
            except DependencyError:
                latest = []
        now = running(latest, contexts(counting(written)), machine, now_ns)
        found |= {name: text for name, text in now.items() if name in kind.fields}
    return found


def _said(entry: Entry) -> dict[str, str]:
    """An entry as a form has it."""
    found: dict[str, str] = {}
    for name in KINDS[entry.kind].fields:
        value = getattr(entry, name)
        if name in _MOMENTS:
            found[name] = "" if value is None else written_time(value)
        elif name in _NUMBERS:
            found[name] = "" if value is None else f"{value:.15g}"
        else:
            found[name] = value or ""
    return found
