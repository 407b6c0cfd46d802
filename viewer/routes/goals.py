"""`/goals`: KPI 관리, what was promised of a unit, by whom, what came of it, and forms to change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access.current import user_or_none
from viewer.access.roles import Permission
from viewer.access.users import ANYBODY
from viewer.goals.baseline import tried
from viewer.goals.model import CAPS, Version, Whose
from viewer.goals.programme import Line as ProgrammeLine
from viewer.goals.programme import Programmes, counted
from viewer.goals.table import Line, lines_of, notes_of, scored
from viewer.kpi import goal as goals
from viewer.kpi.catalog import CATALOG
from viewer.kpi.goal import Score
from viewer.kpi.period import NAMED
from viewer.kpi.result import Result
from viewer.query.figures import figures_of
from viewer.query.unit import Unit
from viewer.reports.cell import Language, achieved_cell, shown
from viewer.reports.parts.summary import AREAS
from viewer.reports.plain import cell_of
from viewer.routes.asked import CUSTOM, PROFILES, Asked, asked, chosen_days, shown_key, unit_of, unit_text, units_of
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import Words

FORMULA: Final = 3
"""Place of the formula among the cells of a line."""
SAID: Final = ("goal_saved", "goal_approved", "goal_cap_saved", "goal_imported", "goal_nothing_new", "programme_saved")
"""What a page says that something was done."""


@dataclass(frozen=True, slots=True)
class Managed:
    """What a unit's goals are, and what came of them in a period.

    Attributes:
        of: site, unit and period.
        whose: the same, as the book has it.
        total: goals with their figures.
        lines: the table.
        history: every version, oldest first.
        cap: of the site, percent; None = no limit.
    """

    of: Asked
    whose: Whose
    total: Score
    lines: list[Line]
    history: list[Version]
    cap: float | None


def routes(pages: Pages) -> list[BaseRoute]:
    """`/goals?unit=company/site/line/machine&period=month&profile=iso22400`."""
    return [pages.route("/goals", _goals, "goals")]


def _goals(pages: Pages, request: Request) -> Response:
    return drawn(pages, request)


def drawn(pages: Pages, request: Request, refused: str = "") -> Response:
    """The page; where something was refused, it says why."""
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "goals.html", of=None, programmes=_programmes(pages), refused=refused, done="")
    words = pages.words_of(request)
    site, unit = unit_of(request, sites)
    found = managed(pages, request, site, unit)
    user = user_or_none() or ANYBODY
    query = request.query_params
    done = query.get("done", "")
    return pages.render(
        request,
        "goals.html",
        HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK,
        refused=refused,
        done=words(done) if done in SAID and not refused else "",
        of=found.of,
        unit=unit_text(site, unit),
        units=[(shown_key(one, words), units_of(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        profiles=PROFILES,
        query=kept_query(found.of, unit),
        table=[_line(one, words) for one in found.lines],
        total=found.total,
        overall=_overall(found.total, words),
        met=sum(goals.is_met(row.achievement) for row in found.total.rows),
        anew=notes_of(found.total),
        formulas=(*goals.IMPROVEMENT.values(), goals.ACHIEVEMENT, goals.OVERALL),
        history=[(one, _is_newest(one, found.history)) for one in reversed(found.history)],
        waiting=[one for one in found.history if _is_newest(one, found.history) and not one.official],
        catalog=CATALOG,
        codes=_codes(site),
        cap=found.cap,
        caps=CAPS,
        edit=_edited(query.get("edit", ""), found.history),
        edit_code=query.get("edit", ""),
        trial=_trial(pages, request, found.of),
        base=(query.get("base_from", ""), query.get("base_to", "")),
        now_ns=pages.clock.now_ns(),
        may_propose=user.may(Permission.ENTER),
        may_approve=user.may(Permission.CONFIRM),
        known=user.id > 0,
        programmes=_programmes(pages),
    )


def managed(pages: Pages, request: Request, site: SiteInfo, unit: Unit) -> Managed:
    """The goals of a unit with their figures of the period that is asked for; the month where none is."""
    of = asked(request, site, unit, pages.clock.now_ns(), default="month")
    whose = Whose.of(site, unit)
    held = pages.goals.held(whose)
    codes = dict.fromkeys([*(one.code for one in held), *site.kpis])
    before = goals.before_of(held)
    found = figures_of(pages.store, site, unit, list(codes), of.period, profile=of.profile, before=before)
    results = {one.code: one for one in found}
    cap = pages.goals.cap(whose.company, whose.site)
    total = scored(held, results, cap)
    own = {one.code for one in held}
    lines = lines_of(total, [results[code] for code in codes if code not in own])
    return Managed(of, whose, total, lines, pages.goals.history(whose), cap)


def kept_query(of: Asked, unit: Unit) -> str:
    """What an address says of unit and period, for forms and links of the page."""
    period = {"period": of.name, "from": of.first.isoformat(), "to": of.last.isoformat(), "profile": of.profile}
    return urlencode({"unit": unit_text(of.site, unit), **period})


def language_of(words: Words) -> Language:
    """The language of a page, as reports know it."""
    return "en" if words.language == "en" else "ko"


def _line(one: Line, words: Words) -> dict[str, object]:
    language = language_of(words)
    cells = [cell_of(cell, language) for cell in one.cells]
    cells[FORMULA]["text"] = words.text(one.result.formula)
    return {"code": one.result.code, "goal": one.goal, "cells": cells, "result": one.result}


def _overall(total: Score, words: Words) -> str:
    return shown(achieved_cell(total.value), language_of(words))


def _is_newest(one: Version, history: Sequence[Version]) -> bool:
    return all(other.version <= one.version for other in history if other.promise.code == one.promise.code)


def _codes(site: SiteInfo) -> list[tuple[str, list[str]]]:
    """Figures to choose from: those of the site first, then each area of the catalogue."""
    found = [("", list(site.kpis))] if site.kpis else []
    for area in AREAS:
        own = [code for code in CATALOG if code.partition("-")[0] == area and code not in site.kpis]
        found += [(area, own)] if own else []
    return found


def _edited(code: str, history: Sequence[Version]) -> Version | None:
    return next((one for one in reversed(history) if one.promise.code == code), None)


def _trial(pages: Pages, request: Request, of: Asked) -> Result | str | None:
    """A baseline to look at: a figure of a period before; a text = why there is none."""
    query = request.query_params
    code = query.get("measure", "")
    if code not in CATALOG:
        return None
    period = chosen_days(of.site, query.get("base_from", ""), query.get("base_to", ""), pages.clock.now_ns())
    if period is None:
        return pages.words_of(request)("kpi_bad_dates")
    return tried(pages.store, of.site, of.unit, code, period, of.profile)


def _programmes(pages: Pages) -> list[tuple[str, list[ProgrammeLine]]] | None:
    """Targets of programmes, for those who see every company; None = for nobody else."""
    user = user_or_none() or ANYBODY
    if user.companies is not None or not user.may(Permission.CONFIRM):
        return None
    kept = Programmes(pages.access.book, pages.access.clock)
    names = kept.names()
    seen = counted(pages.store.latest(), pages.clock.now_ns()) if names else {}
    return [(name, kept.lines(name, seen)) for name in names]
