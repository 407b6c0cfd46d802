"""`/quality`: whether what other pages show can be believed: how much came, what is missing and why, how agents are."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.period import NAMED
from viewer.lengths import length
from viewer.query.agents import agent_health, agents_of
from viewer.query.missing import by_cause, holes, silences
from viewer.query.quality import MachineQuality, TagQuality, machines_quality, rate_of, tags_quality
from viewer.query.unit import Unit
from viewer.ribbon import ribbon
from viewer.routes.asked import CUSTOM, Asked, asked, shown_key, unit_of, unit_text, units_of
from viewer.routes.pages import Pages
from viewer.words import Words

LONGEST: Final = 10
"""Holes that are shown, the longest first."""
_WORST: Final = 3
"""StatusCodes of a tag that are named."""
_MS: Final = 1_000_000


def routes(pages: Pages) -> list[BaseRoute]:
    """`/quality?unit=company/site/line/machine&period=today`."""
    return [pages.route("/quality", _quality, "quality")]


def _quality(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "quality.html", of=None)
    site, unit = unit_of(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, unit, now_ns)
    latest = pages.latest()
    chosen = unit.machines(site)
    machines = machines_quality(pages.store, pages.catalog, chosen, of.period, latest, now_ns)
    missing = holes(pages.store, site, chosen, of.period)
    open_holes = [one for one in missing if not one.filled]
    fresh = [one.view.freshness for one in machines]
    return pages.render(
        request,
        "quality.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        units=[(shown_key(one, words), units_of(one, words)) for one in sites],
        unit_of=lambda machine: unit_text(site, Unit(machine.line, machine.name)),
        periods=(*NAMED, CUSTOM),
        rate=rate_of([one.collected for one in machines if one.collected], of.period),
        machines=[(one, _ribbon(one, of, words)) for one in machines],
        tags=_tags(pages, machines[0], of, words) if unit.machine else None,
        fresh={one: fresh.count(one) for one in Freshness},
        causes=by_cause(missing, of.period),
        longest=sorted(open_holes, key=lambda one: -one.length_ns(of.period))[:LONGEST],
        silent=[
            hole
            for one in machines
            if one.collected
            for hole in silences(one.view.info.name, one.collected, open_holes, of.period, now_ns)
        ],
        holes=len(open_holes),
        filled=len(missing) - len(open_holes),
        agents=[agent_health(pages.store, one, of.period) for one in agents_of(pages.store, site)],
        freshness_of=freshness_of,
        label=lambda machine: _label(of, machine, words),
        moment=lambda hole: "?from={}&to={}".format(*_around(hole.inside(of.period))),
        cause=lambda cause: words.choice("causes", cause),
        length=lambda length_ns: length(words, int(length_ns)),
    )


def _ribbon(one: MachineQuality, of: Asked, words: Words) -> Markup:
    if one.collected is None:
        return Markup()
    name = words.label(one.view.info.label, one.view.info.name)
    known = one.collected.parts.mean(axis=0)
    return ribbon(known, one.collected.start_ns, one.collected.width_ns, of.period, f"{words('figure_cover')}: {name}")


def _tags(
    pages: Pages, machine: MachineQuality, of: Asked, words: Words
) -> list[tuple[TagQuality, Markup, list[tuple[str, float]]]]:
    """Tags of one machine with their ribbons, and what is wrong with them in words."""
    if machine.collected is None:
        return []
    found = []
    came = machine.collected
    for one in tags_quality(pages.store, machine, of.period, pages.latest(), pages.clock.now_ns()):
        label = f"{words('figure_cover')}: {words.label(one.view.info.label, one.view.info.name)}"
        drawn = ribbon(one.known, came.start_ns, came.width_ns, of.period, label)
        said = [(words.quality(status), share) for status, share in list(one.shares.by_status.items())[:_WORST]]
        found.append((one, drawn, said))
    return found


def _label(of: Asked, machine: str, words: Words) -> str:
    known = of.site.machines.get(machine)
    return words.label(known.label, machine) if known else machine


def _around(span: tuple[int, int]) -> tuple[int, int]:
    """A span with as much before and after it, a minute at least, ms since 1970 UTC."""
    more = max(60 * 10**9, span[1] - span[0])
    return (span[0] - more) // _MS, (span[1] + more) // _MS
