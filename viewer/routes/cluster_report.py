"""`/reports/cluster.pdf`: 클러스터 월보 over the companies that whoever asks may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from viewer.book.companies import Companies
from viewer.book.facts import Facts
from viewer.goals.model import Whose
from viewer.kpi.period import written_month
from viewer.kpi.words import Text
from viewer.query.unit import Unit
from viewer.reports.cluster import TITLE, cluster_report
from viewer.reports.drawings import DRAWINGS
from viewer.reports.gather.cluster import members_of
from viewer.reports.groups import GROUPINGS, Grouping
from viewer.reports.model import Report
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo

KIND: Final = "cluster"
_LEAST: Final = 2
"""Companies that a reader sees for there to be anything to compare."""
Answer = Callable[[Callable[[], Report], str, tuple[str, ...]], Response]
"""Makes and draws a report: what makes it, ending, names in the file name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form of `/reports` offers.

    Attributes:
        title: of the report.
        by: chosen way to put companies together.
        ways: all of them.
        group: chosen group; empty = all.
        groups: the known ones.
        query: of the addresses of the report.
    """

    title: Text
    by: str
    ways: tuple[tuple[str, Text], ...]
    group: str
    groups: tuple[Text, ...]
    query: str


def choice(pages: Pages, request: Request, month: str) -> Choice | None:
    """What can be chosen; None for who sees one company only."""
    sites = pages.sites(request)
    if len({one.company for one in sites}) < _LEAST:
        return None
    by, grouping = _by(request)
    groups = tuple(sorted({one for one, _ in _grouped(pages, sites, grouping) if one}))
    asked = request.query_params.get("group", "")
    group = asked if any(one.ko == asked for one in groups) else ""
    ways = tuple((name, one.title) for name, one in GROUPINGS.items())
    return Choice(TITLE, by, ways, group, groups, urlencode({"month": month, "by": by, "group": group}))


def cluster_month(pages: Pages, request: Request, ending: str, answer: Answer) -> Response:
    """The report.

    Raises:
        HTTPException: 404, nothing like that can be made; 503, another one is being made.
    """
    month, group = (request.query_params.get(name, "") for name in ("month", "group"))
    _, grouping = _by(request)
    sites = pages.sites(request)
    found = _grouped(pages, sites, grouping)
    now_ns = pages.clock.now_ns()
    months = {one.key: written_month(one.calendar, month, now_ns) for one in sites}
    begun = {key: span for key, span in months.items() if span is not None and span[0] < span[1]}
    wanted = [(of, one) for of, one in found if one.key in begun and (not group or (of is not None and of.ko == group))]
    if not wanted or ending not in DRAWINGS:
        raise HTTPException(404)
    name = group or pages.words_of(request).text(Text("전체", "All"))

    def make() -> Report:
        members = members_of(
            lambda _: pages.store,
            lambda one: pages.goals.file(Whose.of(one, Unit())),
            wanted,
            lambda one: begun[one.key],
            now_ns,
        )
        lines = request.query_params.get("lines") != "0"
        return cluster_report(name, grouping.title, members, begun[wanted[0][1].key], now_ns, lines=lines)

    return answer(make, ending, (name, month))


def _by(request: Request) -> tuple[str, Grouping]:
    asked = request.query_params.get("by", "")
    by = asked if asked in GROUPINGS else next(iter(GROUPINGS))
    return by, GROUPINGS[by]


def _grouped(pages: Pages, sites: list[SiteInfo], grouping: Grouping) -> list[tuple[Text | None, SiteInfo]]:
    known = Companies(pages.access.book, pages.clock).all()
    return [(grouping.of(known.get(one.company) or Facts(one.company)), one) for one in sites]
