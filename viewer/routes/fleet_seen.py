"""What the pages about all companies have in common: rows that whoever asks may see, made once, and filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from viewer.access.current import companies, user_or_none
from viewer.access.roles import Permission
from viewer.access.scope import sees
from viewer.access.users import ANYBODY
from viewer.book.companies import Companies
from viewer.book.facts import LEVELS, SIZES, Facts
from viewer.figure_text import achieved
from viewer.fleet.board import Board
from viewer.fleet.compare import LEAST, Row, group, standings
from viewer.fleet.risk import reasons, risk
from viewer.goals.programme import Line, Programmes, counted_of
from viewer.kpi.freshness import Freshness
from viewer.routes.company import company_url
from viewer.routes.pages import Pages
from viewer.words import local

ROWS: Final = 50
"""Companies on a page."""
REFRESH_S: Final = 30
MOST_TEXT: Final = 80
MOST_PAGE: Final = 10_000
FILTERS: Final = ("town", "division", "size", "level", "cluster", "coordinator")
VIEWS: Final = (("/fleet", "list"), ("/fleet/kpi", "kpi"), ("/fleet/regions", "regions"),
                ("/fleet/compare", "compare"), ("/fleet/coordinators", "checks"))  # fmt: skip
CODES: Final = {"size": ("facts_size", SIZES), "level": ("facts_level", LEVELS)}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scope sees of a board, made once for all who have that scope.

    Attributes:
        board: of which it is made.
        stamp: of the facts.
        rows: those first that need somebody.
        counted: companies that are `connected` and `active`.
        shared: values of the template that no filter changes.
    """

    board: Board
    stamp: tuple[object, ...]
    rows: list[Row]
    counted: dict[str, int]
    shared: dict[str, Any]


class Views:
    """Keeps what was made of the newest board."""

    def __init__(self) -> None:
        self._seen: dict[frozenset[str] | None, Seen] = {}

    def of(self, pages: Pages) -> Seen:
        """What whoever asks sees of the board now."""
        board, allowed = pages.fleet.board(), companies()
        kept = Companies(pages.access.book, pages.clock)
        stamp, found = kept.stamp(), self._seen.get(allowed)
        if found is None or found.board is not board or found.stamp != stamp:
            found = _seen(board, allowed, kept.all(), stamp)
            self._seen = {key: one for key, one in self._seen.items() if one.board is board} | {allowed: found}
        return found


def _seen(board: Board, allowed: frozenset[str] | None, known: dict[str, Facts], stamp: tuple[object, ...]) -> Seen:
    today = local(board.at_ns).date()
    rows = []
    for company, line in board.lines.items():
        if company and sees(allowed, company):
            facts = known.get(company) or Facts(company)
            rows.append(Row(line, facts, risk(line, facts, today), reasons(line, facts, today)))
    rows.sort(key=lambda one: (-one.risk.total, one.line.company))
    details = [one.line.detail for one in rows if one.line.detail]
    overall = [one.overall for one in rows if one.overall is not None]
    counted = counted_of([one.line.heard_ns for one in rows if one.line.heard_ns is not None], board.at_ns)
    fresh = Counter(one.line.freshness for one in rows)
    shared = {
        "now_ns": board.at_ns,
        "all": group("", rows) if rows else None,
        "fresh": fresh,
        "linked": fresh[Freshness.OK] + fresh[Freshness.DELAYED],
        "machines": (sum(one.line.connected for one in rows), sum(one.line.machines for one in rows)),
        "waiting": sum(one.waiting for one in details),
        "urgent_today": sum(one.urgent_today for one in details),
        "asked": len(details),
        "counted": counted,
        "achieved": achieved,
        "overall": median(overall) if overall else None,
        "indicative": sum(one.line.promised.indicative for one in rows if one.line.promised),
        "standing": standings(rows, lambda one: one.division, lambda one: one.overall),
        "levels": _levels(rows),
        "choices": {name: sorted({getattr(one.facts, name) for one in rows} - {""}) for name in FILTERS},
        "codes": CODES,
        "least": LEAST,
        "kinds": tuple(Freshness),
        "views": VIEWS,
        "url": company_url,
        "refresh_s": REFRESH_S,
    }
    return Seen(board, stamp, rows, counted, shared)


def _levels(rows: Sequence[Row]) -> list[tuple[str, int, float]]:
    """수준 분포: each level with its companies and their share of those whose level is known, percent."""
    counts = Counter(one.facts.level for one in rows if one.facts.level)
    whole = counts.total()
    return [(level, counts[level], counts[level] / whole * 100) for level in LEVELS if counts[level]]


def query_of(request: Request) -> dict[str, str]:
    """Filters and search of a request."""
    said = {name: request.query_params.get(name, "")[:MOST_TEXT].strip() for name in (*FILTERS, "fresh", "q")}
    return said | {"fresh": said["fresh"] if said["fresh"] in set(Freshness) else ""}


def wanted(one: Row, query: dict[str, str]) -> bool:
    """Whether filters and search let a company through."""
    if any(query[name] and getattr(one.facts, name) != query[name] for name in FILTERS):
        return False
    if query["fresh"] and one.line.freshness != query["fresh"]:
        return False
    text = query["q"].casefold()
    return not text or any(
        text in said.casefold() for said in (one.line.company, one.facts.supplier, one.facts.project, one.facts.town)
    )


def paged(request: Request, query: dict[str, str], count: int) -> dict[str, Any]:
    """Which page of so many rows is asked for: `page`, `last`, `part` of the rows, and where another page is."""
    last = max(1, -(-count // ROWS))
    text = request.query_params.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < len(str(MOST_PAGE)) else 1
    page = min(last, max(1, number))
    kept = {key: value for key, value in query.items() if value}
    return {
        "page": page,
        "last": last,
        "part": slice((page - 1) * ROWS, page * ROWS),
        "to": lambda other: "?" + urlencode({**kept, "page": other}),
    }


def programmes_of(pages: Pages, counted: dict[str, int]) -> list[Line]:
    """Targets of the newest programme with what came of them, such as 260 / 160, for those who see every company."""
    user = user_or_none() or ANYBODY
    if user.companies is not None or not user.may(Permission.CONFIRM):
        return []
    kept = Programmes(pages.access.book, pages.access.clock)
    names = kept.names()
    return kept.lines(names[-1], counted) if names else []
