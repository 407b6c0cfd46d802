"""`/fleet/…`: KPI goals, regions with a map, comparison and coordinators, of companies that whoever asks may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.book.facts import Facts
from viewer.catalog import Catalog
from viewer.figure_text import achieved
from viewer.fleet.checks import CHECKS, charges
from viewer.fleet.compare import LEAST, Box, Group, Row, boxes, compared, group
from viewer.fleet.promised import Kept
from viewer.fleet.tiles import PROVINCES, Drawn, Tile, draw_box, draw_tiles, town_of
from viewer.kpi import goal as goals
from viewer.kpi.goal import Row as GoalRow
from viewer.reports.cell import said
from viewer.reports.parts.summary import goal_cells, measured, rate_cell
from viewer.reports.plain import cell_of
from viewer.routes.fleet_seen import Views, paged, query_of, wanted
from viewer.routes.goals import language_of
from viewer.routes.pages import Pages
from viewer.words import Words

MEASURES: Final[dict[str, Callable[[Row], float | None]]] = {
    "rate": lambda one: one.rate,
    "overall": lambda one: one.overall,
    "risk": lambda one: float(one.risk.total),
}
"""What companies are compared by."""
MAPPED: Final = ("fresh", "rate", "overall")
GROUPS: Final[dict[str, Callable[[Facts], str]]] = {
    "division": lambda one: one.division,
    "size": lambda one: one.size,
    "level": lambda one: one.level,
    "cluster": lambda one: one.cluster,
}
_GOOD: Final = {"fresh": 90.0, "rate": 95.0, "overall": 100.0}
_FAIR: Final = {"fresh": 70.0, "rate": 80.0, "overall": 50.0}


def routes(pages: Pages, views: Views) -> list[BaseRoute]:
    """`/fleet/kpi`, `/fleet/regions?show=rate`, `/fleet/compare?show=overall`, `/fleet/coordinators`."""
    return [
        pages.route("/fleet/kpi", _view(views, _kpi), "fleet_kpi"),
        pages.route("/fleet/regions", _view(views, _regions), "fleet_regions"),
        pages.route("/fleet/compare", _view(views, _compare), "fleet_compare"),
        pages.route("/fleet/coordinators", _view(views, _coordinators), "fleet_coordinators"),
    ]


def _view(views: Views, draw: Callable[[Views, Pages, Request], Response]) -> Callable[[Pages, Request], Response]:
    """A page that is one of those about all companies in the menu."""

    def drawn(pages: Pages, request: Request) -> Response:
        request.scope["shown"] = "/fleet"
        return draw(views, pages, request)

    return drawn


def _kpi(views: Views, pages: Pages, request: Request) -> Response:
    seen, query, words = views.of(pages), query_of(request), pages.words_of(request)
    found = [
        (one, kept, row)
        for one in seen.rows
        if one.line.promised and wanted(one, query)
        for kept in one.line.promised.units
        for row in kept.total.rows
    ]
    at = paged(request, query, len(found))
    return pages.render(
        request,
        "fleet_kpi.html",
        **seen.shared,
        **at,
        found=len(found),
        rows=[_goal(one, kept, row, words, pages.catalog) for one, kept, row in found[at["part"]]],
        formulas=(*goals.IMPROVEMENT.values(), goals.ACHIEVEMENT, goals.OVERALL),
        query=query,
    )


def _goal(one: Row, kept: Kept, row: GoalRow, words: Words, catalog: Catalog) -> dict[str, Any]:
    """A line of the table, in the same words as KPI 관리 says it."""
    cells = (*goal_cells(row, 1, kept.total.cap), said(measured(row.actual)), rate_cell(row.actual))
    whose = kept.whose
    known = catalog.sites.get((whose.company, whose.site))
    site = words.label(known.label, whose.site) if known else whose.site
    levels = "/".join(quote(level, safe="") or "-" for level in (whose.company, whose.site, whose.line, whose.machine))
    return {
        "company": one.line.company,
        "unit": " · ".join(filter(None, (site, whose.line, whose.machine))),
        "whose": levels,
        "query": urlencode({"unit": levels, "period": "month"}),
        "cells": [cell_of(cell, language_of(words)) for cell in cells],
        "goal": row.goal,
        "result": row.actual,
    }


def _regions(views: Views, pages: Pages, request: Request) -> Response:
    seen, words = views.of(pages), pages.words_of(request)
    show = _chosen(request, MAPPED)
    groups, hidden, nowhere = compared(seen.rows, lambda one: one.town)
    tiles = _tiles(seen.rows, show, words)
    label = words("fleet_map_label", what=words(f"fleet_by_{show}"))
    named = {one: words.choice("fleet_provinces", one) for one in PROVINCES}
    maps = [(name, draw_tiles(one, tiles, f"{name} {label}", _companies_of)) for one, name in named.items()]
    return pages.render(request, "fleet_regions.html", **seen.shared, towns=(groups, hidden, nowhere), maps=maps,
                        shows=MAPPED, show=show)  # fmt: skip


def _companies_of(town: str) -> str:
    """The list of a town's companies, however its name was written."""
    return "/fleet?" + urlencode({"q": town[:-1]})


def _tiles(rows: Sequence[Row], show: str, words: Words) -> dict[str, Tile]:
    """A tile for each town that has companies; of fewer than five it says nothing but that."""
    found: dict[str, list[Row]] = {}
    for one in rows:
        if town := town_of(one.facts.town):
            found.setdefault(town, []).append(one)
    tiles = {}
    for town, own in found.items():
        if len(own) < LEAST:
            tiles[town] = Tile("few", f"n<{LEAST}", "")
            continue
        value = _of(group(town, own, LEAST), show)
        text = words("no_data") if value is None else achieved(value) if show == "overall" else f"{value:.1f} %"
        tiles[town] = Tile(_kind(value, show), text, f"n={len(own)}")
    return tiles


def _kind(value: float | None, show: str) -> str:
    if value is None:
        return "few"
    value = round(value, 9)  # a 종합달성도 of 100 % that weights round off is 100 %
    return "good" if value >= _GOOD[show] else "fair" if value >= _FAIR[show] else "poor"


def _of(one: Group, show: str) -> float | None:
    return {"fresh": one.fresh / one.count * 100, "rate": one.rate, "overall": one.overall}[show]


def _compare(views: Views, pages: Pages, request: Request) -> Response:
    seen, show = views.of(pages), _chosen(request, tuple(MEASURES))
    parts = [(name, *boxes(seen.rows, by, MEASURES[show])) for name, by in GROUPS.items()]
    every = [one.high for _, found, _ in parts for one in found] + [one.low for _, found, _ in parts for one in found]
    low, high = min(0.0, *every, 0.0), max(100.0, *every, 0.0)
    return pages.render(
        request,
        "fleet_compare.html",
        **seen.shared,
        shows=tuple(MEASURES),
        show=show,
        scale=(low, high),
        parts=[
            (name, [(one, draw_box(_drawn(one, low, high))) for one in found], hidden) for name, found, hidden in parts
        ],
        unit="" if show == "risk" else " %",
    )


def _drawn(one: Box, low: float, high: float) -> Drawn:
    numbers = (one.low, one.first, one.middle, one.third, one.high)
    return Drawn(" ".join(f"{number:.1f}" for number in numbers), [(number - low) / (high - low) for number in numbers])


def _coordinators(views: Views, pages: Pages, request: Request) -> Response:
    seen = views.of(pages)
    return pages.render(request, "fleet_checks.html", **seen.shared, checks=CHECKS, charges=charges(seen.rows))


def _chosen(request: Request, names: Sequence[str]) -> str:
    return next((one for one in names if one == request.query_params.get("show")), names[0])
