"""What the forms of `/goals` do: propose, measure a baseline, approve, cap, import; and the files to export."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from pipelines.errors import ConfigError
from pipelines.settings import first_fault
from viewer.access.current import require, visit
from viewer.access.forms import Form
from viewer.access.refused import AccessRefused
from viewer.access.roles import Permission
from viewer.goals.baseline import measure
from viewer.goals.exchange import csv_of, take_in, yaml_of
from viewer.goals.model import Baseline, Promise, Whose
from viewer.goals.programme import Programmes
from viewer.kpi.catalog import CATALOG
from viewer.kpi.goal import GROWTH
from viewer.kpi.production import Produced
from viewer.query.unit import Unit
from viewer.reports.goals_file import goals_in
from viewer.reports.programme import Target
from viewer.routes.asked import asked, chosen_days, find_unit
from viewer.routes.goals import drawn, kept_query
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo

_NUMBER_LENGTH: Final = 40
_ID_LENGTH: Final = 18


def routes(pages: Pages) -> list[BaseRoute]:
    """`/goals/propose` and the other forms, `/goals/export.yaml` and `.csv`; each with the page's `unit`."""
    return [
        pages.route("/goals/export.{ending}", _export, "goals_export"),
        pages.route("/goals/{deed}", _deed, "goals_deed", ("POST",)),
    ]


def _deed(pages: Pages, request: Request) -> Response:
    deed = _DEEDS.get(request.path_params["deed"])
    if deed is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    site, unit = _unit(pages, request)
    try:
        done = deed(pages, request, site, unit)
    except AccessRefused as error:
        return drawn(pages, request, pages.words_of(request).refused(error.word, **error.values))
    of = asked(request, site, unit, pages.clock.now_ns(), default="month")
    return RedirectResponse(f"/goals?{kept_query(of, unit)}&done={done}", HTTPStatus.SEE_OTHER)


def _unit(pages: Pages, request: Request) -> tuple[SiteInfo, Unit]:
    """The unit of an address, never another one: what is done to it stays.

    Raises:
        HTTPException: 404, whoever asks sees no such one.
    """
    found = find_unit(request.query_params.get("unit", ""), pages.sites(request))
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


def _propose(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> str:
    del request
    who, form, whose = require(Permission.ENTER), visit().form, Whose.of(site, unit)
    code = _code(form)
    before = pages.goals.newest(whose, code)
    baseline = before.promise.baseline if before else None
    if code == GROWTH and form.get("pieces").strip():
        made = Produced.in_hours(_number(form, "pieces"), _number(form, "hours"))
        baseline = Baseline(0.0, form.get("note"), before=made)
    elif form.get("baseline").strip():
        baseline = Baseline(_number(form, "baseline"), form.get("note"))
    pages.goals.propose(
        whose, _promise(form, code, baseline, dropped=bool(form.get("dropped"))), who.name, visit().note
    )
    return "goal_saved"


def _measure(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> str:
    """What is stored is measured again: a browser's word is not taken for it."""
    who, form = require(Permission.ENTER), visit().form
    now_ns = pages.clock.now_ns()
    code = _code(form)
    period = chosen_days(site, form.get("base_from"), form.get("base_to"), now_ns)
    if period is None:
        raise AccessRefused("goal_days", "no such production days")
    profile = asked(request, site, unit, now_ns).profile
    baseline = measure(pages.store, site, unit, code, period, profile)
    if baseline is None:
        raise AccessRefused("goal_uncollected", "nothing was collected in that period")
    pages.goals.propose(Whose.of(site, unit), _promise(form, code, baseline), who.name, visit().note)
    return "goal_saved"


def _approve(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> str:
    del request
    who, form = require(Permission.CONFIRM), visit().form
    text = form.get("goal")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= _ID_LENGTH else 0
    history = pages.goals.history(Whose.of(site, unit))
    version = next((one for one in history if one.id == number), None)
    if version is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    pages.goals.approve(version, who.name, visit().note)
    return "goal_approved"


def _cap(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> str:
    del request, unit
    who, form = require(Permission.CONFIRM), visit().form
    cap = _number(form, "cap") if form.get("cap") else None
    pages.goals.set_cap(site.company, site.name, cap, form.get("reason"), who.name, visit().note)
    return "goal_cap_saved"


def _import(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> str:
    """A file is proposed like anything else; only who may set a cap brings one along."""
    del request
    who, form, here = require(Permission.ENTER), visit().form, visit()
    ending = ".csv" if form.get("kind") == "csv" else ".yaml"
    try:
        file = goals_in(form.files.get("file", b""), Path(f"goals{ending}"))
    except ConfigError as error:
        raise AccessRefused("goal_file", str(error), why=str(error)) from error
    with pages.access.book.write():
        made = take_in(pages.access.book, pages.goals, Whose.of(site, unit), file, who.name, here.note)
        now = pages.goals.cap(site.company, site.name)
        if file.cap is not None and file.cap != now and who.may(Permission.CONFIRM):
            reason = form.get("reason") or f"goals{ending}"
            pages.goals.set_cap(site.company, site.name, file.cap, reason, who.name, here.note)
            made += 1
    return "goal_imported" if made else "goal_nothing_new"


def _programme(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> str:
    """For those who see every company."""
    del request, site, unit
    who, form = require(Permission.CONFIRM), visit().form
    if who.companies is not None:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    measured = form.get("measure")
    try:
        target = Target(
            name=form.get("name"),
            unit=form.get("target_unit"),
            target=_number(form, "target"),
            actual=_number(form, "actual") if form.get("actual").strip() else None,
            measure=measured or None,
            source=form.get("source"),
            as_of=date.fromisoformat(form.get("as_of")) if form.get("as_of") else None,
        )
    except ValidationError as error:
        raise AccessRefused("goal_file", "no target", why=first_fault(error)) from error
    except ValueError as error:
        raise AccessRefused("goal_days", "no such day") from error
    kept = Programmes(pages.access.book, pages.access.clock)
    kept.put(form.get("programme"), target, who.name, visit().note, dropped=bool(form.get("dropped")))
    return "programme_saved"


_DEEDS: Final[dict[str, Callable[[Pages, Request, SiteInfo, Unit], str]]] = {
    "propose": _propose,
    "measure": _measure,
    "approve": _approve,
    "cap": _cap,
    "import": _import,
    "programme": _programme,
}


def _export(pages: Pages, request: Request) -> Response:
    site, unit = _unit(pages, request)
    ending = request.path_params["ending"]
    if ending not in {"yaml", "csv"}:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    file = pages.goals.file(Whose.of(site, unit))
    text, media = (csv_of(file), "text/csv") if ending == "csv" else (yaml_of(file), "application/yaml")
    name = quote("_".join(filter(None, ("goals", *site.key, unit.line, unit.machine))) + f".{ending}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(text.encode(), media_type=f"{media}; charset=utf-8", headers=headers)


def _code(form: Form) -> str:
    code = form.get("code")
    if code not in CATALOG:
        raise AccessRefused("goal_code", f"{code} is no figure of the catalogue")
    return code


def _promise(form: Form, code: str, baseline: Baseline | None, *, dropped: bool = False) -> Promise:
    return Promise(
        code=code,
        baseline=baseline,
        target=_number(form, "target"),
        weight=_number(form, "weight"),
        dropped=dropped,
        reason=form.get("reason"),
    )


def _number(form: Form, name: str) -> float:
    """A number as people write it: 1,320 is 1320.

    Raises:
        AccessRefused: it is none.
    """
    text = form.get(name).strip().replace(",", "")
    try:
        found = float(text) if len(text) <= _NUMBER_LENGTH else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise AccessRefused("goal_number", f"{name} is no number")
    return found
