"""`/fleet`: 전체 현황, every company that whoever asks may see, those first that need somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.access.current import companies
from viewer.access.scope import sees
from viewer.book.companies import Companies
from viewer.book.facts import LEVELS, SIZES, Facts
from viewer.fleet.board import Board
from viewer.fleet.compare import LEAST, Row, compared, group
from viewer.fleet.risk import reasons, risk
from viewer.kpi.freshness import Freshness
from viewer.routes.company import company_url
from viewer.routes.pages import Pages
from viewer.words import local

ROWS: Final = 50
"""Companies on a page."""
REFRESH_S: Final = 30
MOST_ACT: Final = 20
MOST_TEXT: Final = 80
FILTERS: Final = ("town", "division", "size", "level", "cluster", "coordinator")


def routes(pages: Pages) -> list[BaseRoute]:
    """`/fleet?town=…&division=25&size=small&level=basic&cluster=…&coordinator=…&q=…&page=2`."""
    return [pages.route("/fleet", partial(_fleet, _Views()), "fleet")]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a scope sees of a board, made once for all who have that scope.

    Attributes:
        board: of which it is made.
        stamp: of the facts.
        rows: those first that need somebody.
        shared: values of the template that no filter changes.
    """

    board: Board
    stamp: tuple[object, ...]
    rows: list[Row]
    shared: dict[str, Any]


class _Views:
    """Keeps what was made of the newest board."""

    def __init__(self) -> None:
        self._seen: dict[frozenset[str] | None, _Seen] = {}

    def of(self, pages: Pages) -> _Seen:
        """What whoever asks sees of the board now."""
        board, allowed = pages.fleet.board(), companies()
        kept = Companies(pages.access.book, pages.clock)
        stamp, found = kept.stamp(), self._seen.get(allowed)
        if found is None or found.board is not board or found.stamp != stamp:
            found = _seen(board, allowed, kept.all(), stamp)
            self._seen = {key: one for key, one in self._seen.items() if one.board is board} | {allowed: found}
        return found


def _seen(board: Board, allowed: frozenset[str] | None, known: dict[str, Facts], stamp: tuple[object, ...]) -> _Seen:
    today = local(board.at_ns).date()
    rows = []
    for company, line in board.lines.items():
        if company and sees(allowed, company):
            facts = known.get(company) or Facts(company)
            rows.append(Row(line, facts, risk(line, facts, today), reasons(line, facts, today)))
    rows.sort(key=lambda one: (-one.risk.total, one.line.company))
    shared = {
        "now_ns": board.at_ns,
        "all": group("", rows) if rows else None,
        "fresh": Counter(one.line.freshness for one in rows),
        "machines": (sum(one.line.connected for one in rows), sum(one.line.machines for one in rows)),
        "waiting": sum(one.line.detail.waiting for one in rows if one.line.detail),
        "asked": sum(one.line.detail is not None for one in rows),
        "towns": compared(rows, lambda one: one.town),
        "trades": compared(rows, lambda one: one.division),
        "choices": _choices(rows),
    }
    return _Seen(board, stamp, rows, shared)


def _fleet(views: _Views, pages: Pages, request: Request) -> Response:
    seen = views.of(pages)
    rows = seen.rows
    query = {name: request.query_params.get(name, "")[:MOST_TEXT].strip() for name in (*FILTERS, "q")}
    found = [one for one in rows if _wanted(one, query)]
    last = max(1, -(-len(found) // ROWS))
    text = request.query_params.get("page", "1")
    page = min(last, max(1, int(text) if text.isascii() and text.isdecimal() and len(text) < len("10000") else 1))
    return pages.render(
        request,
        "fleet.html",
        **seen.shared,
        kinds=tuple(Freshness),
        found=len(found),
        rows=found[(page - 1) * ROWS : page * ROWS],
        act=[one for one in found if one.reasons][:MOST_ACT],
        acting=sum(bool(one.reasons) for one in found),
        least=LEAST,
        query=query,
        codes={"size": ("facts_size", SIZES), "level": ("facts_level", LEVELS)},
        page=page,
        last=last,
        to=lambda number: "?" + urlencode({**{key: value for key, value in query.items() if value}, "page": number}),
        url=company_url,
        refresh_s=REFRESH_S,
    )


def _wanted(one: Row, query: dict[str, str]) -> bool:
    if any(query[name] and getattr(one.facts, name) != query[name] for name in FILTERS):
        return False
    text = query["q"].casefold()
    return not text or any(
        text in said.casefold() for said in (one.line.company, one.facts.supplier, one.facts.project)
    )


def _choices(rows: Sequence[Row]) -> dict[str, list[str]]:
    """What can be chosen: only what some company has."""
    return {name: sorted({getattr(one.facts, name) for one in rows} - {""}) for name in FILTERS}
