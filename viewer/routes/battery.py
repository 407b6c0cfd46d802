"""`/battery`: grades of the packs tested in a period, tests in progress, and a line for each test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.derive.battery.grading import RULE, GradingRule, load
from pipelines.errors import ConfigError
from viewer.battery.figures import DCIR, DELTA, INSULATION, SOH, rule_text
from viewer.battery.histogram import draw_histogram, kind_class
from viewer.battery.record import BatteryTest
from viewer.battery.summary import AGREE, summary
from viewer.catalog import MachineInfo
from viewer.kpi.period import NAMED, by_day
from viewer.lengths import length
from viewer.query.batteries import known_time, records_of
from viewer.query.cyclers import channels_now
from viewer.query.unit import Unit
from viewer.reports.cell import shown
from viewer.routes.asked import CUSTOM, asked, shown_key, unit_of, unit_text
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo

ROWS: Final = 50
"""Tests on a page."""
REFRESH_S: Final = 10
_MOST_TEXT: Final = 80
FILTERS: Final = ("pack", "model", "grade", "machine")
COLUMNS: Final = (SOH, DCIR, DELTA, INSULATION)


@dataclass(frozen=True, slots=True)
class Ruled:
    """The rule of today of a cycler, or why it cannot be read."""

    machine: MachineInfo
    rule: GradingRule | None
    why: str = ""


def routes(pages: Pages) -> list[BaseRoute]:
    """`/battery?unit=company/site/-/-&period=week&pack=…&model=…&grade=A&machine=…&page=2`."""
    return [pages.route("/battery", _battery, "battery")]


def testing(site: SiteInfo) -> list[MachineInfo]:
    """Machines of a site that test packs."""
    return [one for one in site.machines.values() if one.battery]


def ruled(machine: MachineInfo) -> Ruled:
    """The rule of today of a machine that tests packs."""
    file = machine.battery.rule_file if machine.battery else None
    try:
        return Ruled(machine, load(file or RULE))
    except ConfigError as error:
        return Ruled(machine, None, str(error))


def pack_url(site: SiteInfo, one: BatteryTest) -> str:
    """Path of the page of a pack, with one of its tests."""
    company, name = (quote(level or "-", safe="") for level in site.key)
    return f"/battery/{company}/{name}/pack?{urlencode({'id': one.pack, 'test': one.key})}"


def _battery(pages: Pages, request: Request) -> Response:
    sites = [site for site in pages.sites(request) if testing(site)]
    if not sites:
        return pages.render(request, "battery.html", of=None)
    site, _ = unit_of(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, Unit(), now_ns, "month")
    live_only = request.query_params.get("part") == "live"
    machines = testing(site)
    tests = [] if live_only else [one for machine in machines for one in records_of(pages.store, machine, of.period)]
    times = [] if live_only else [known_time(pages.store, machine, of.period) for machine in machines]
    rules = [ruled(machine) for machine in machines]
    made = summary(tests, {one.machine.name: one.rule for one in rules if one.rule})
    query = {name: request.query_params.get(name, "")[:_MOST_TEXT].strip() for name in FILTERS}
    found = [one for one in sorted(tests, key=lambda one: one.span[0], reverse=True) if _wanted(one, query)]
    last = max(1, -(-len(found) // ROWS))
    page = _page(request.query_params.get("page", "1"), last)
    known, whole = (sum(one[at] for one in times) for at in (0, 1))
    kept = {"unit": unit_text(site, Unit()), "period": of.name, "from": of.first.isoformat(), "to": of.last.isoformat()}
    return pages.render(
        request,
        "battery.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, Unit()),
        units=[(unit_text(one, Unit()), " · ".join(filter(None, shown_key(one, words)))) for one in sites],
        periods=(*NAMED, CUSTOM),
        channels=channels_now(pages.store, machines, pages.catalog, pages.latest(), now_ns),
        rules=rules,
        made=made,
        days=len(list(by_day(site.calendar, of.period))),
        cover=100 * known / whole if whole else None,
        agree=AGREE,
        histogram=draw_histogram(tests, made.grades, _limits(rules), words),
        measured=sum(one.soh_c is not None for one in tests),
        color={grade: kind_class(order, made.grades) for order, grade in enumerate(made.grades)},
        query=query,
        models=sorted({one.model for one in tests if one.model}),
        machines=machines,
        rows=found[(page - 1) * ROWS : page * ROWS],
        found=len(found),
        columns=COLUMNS,
        shown=lambda cell: shown(cell, "en" if words.language == "en" else "ko"),
        rule_text=rule_text,
        page=page,
        last=last,
        to=lambda n: "?" + urlencode({**kept, **{key: value for key, value in query.items() if value}, "page": n}),
        url=lambda one: pack_url(site, one),
        length=lambda length_ns: length(words, length_ns),
        refresh_s=REFRESH_S,
    )


def _wanted(one: BatteryTest, query: dict[str, str]) -> bool:
    if any(
        query[name] and getattr(one, field) != query[name]
        for name, field in (("model", "model"), ("grade", "grade"), ("machine", "name"))
    ):
        return False
    return query["pack"].casefold() in one.pack.casefold()


def _page(text: str, last: int) -> int:
    return min(last, max(1, int(text) if text.isascii() and text.isdecimal() and len(text) < len("10000") else 1))


def _limits(rules: Sequence[Ruled]) -> list[float]:
    return sorted({grade.soh_min for one in rules if one.rule for grade in one.rule.grades if grade.soh_min})
