"""`/safety`: detectors now against their limits, safety alarms, equipment, exposure, calibration, the chained log."""

from __future__ import annotations

from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.derive.calibration import calibrated
from viewer.kpi.period import NAMED
from viewer.lengths import length
from viewer.query.alarm_list import WAITING
from viewer.query.figures import figures_of
from viewer.query.safety import detectors_of, equipment_of
from viewer.query.unit import Unit
from viewer.query.watch import watch_of
from viewer.reports.parts.guards import CALIBRATED, DISCLAIMER
from viewer.routes.asked import CUSTOM, asked, find_unit, unit_text, units_of
from viewer.routes.guarded import (
    CHARTS_S,
    MOST_ROWS,
    REFRESH_S,
    Said,
    calling,
    came_of,
    now_of,
    number_of,
    report_links,
    trends,
)
from viewer.routes.pages import Pages, machine_url
from viewer.safety.concerns import has_safety
from viewer.safety.verdict import Verdict
from viewer.words import local

CODES: Final = ("S-ALM",)
RUNNING: Final = ("P-UTIL",)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/safety?unit=company/site/line/machine&period=today&log=all`."""
    return [pages.route("/safety", _safety, "safety")]


def _safety(pages: Pages, request: Request) -> Response:
    sites = [one for one in pages.sites(request) if has_safety(one)]
    if not sites:
        return pages.render(request, "safety.html", of=None)
    site, unit = find_unit(request.query_params.get("unit", ""), sites) or (sites[0], Unit())
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, unit, now_ns)
    now, standing, alive_ns = now_of(pages, site, now_ns)
    machines = unit.machines(site)
    refs = detectors_of(site, machines)
    gases = {(one.machine, one.tag): one for one in site.gases}
    detectors = [now.watched(ref, site.alarms, gases.get(ref)) for ref in refs]
    equipment = {
        name: [now.watched((name, tag), site.alarms) for tag in tags]
        for name, tags in equipment_of(site, machines, refs).items()
    }
    names = {one.name for one in machines}
    stands = calling(standing, {(one.machine, one.name) for one in site.alarms if one.safety and one.machine in names})
    live_only = request.query_params.get("part") == "live"
    today = local(now_ns).date()
    return pages.render(
        request,
        "safety.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        units=[(one.key, units_of(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        said=Said(site, words),
        disclaimer=DISCLAIMER,
        alive_ns=alive_ns,
        detectors=detectors,
        equipment=equipment,
        counts=Counter(one.verdict for one in detectors),
        verdicts=tuple(Verdict),
        standing=stands,
        waiting=sum(one.state in WAITING for one in stands),
        charts=[] if live_only else trends(pages, detectors, now_ns, words),
        came=None if live_only else came_of(pages, of, request, ccp=False),
        figures=[] if live_only else figures_of(pages.store, site, unit, CODES, of.period),
        running=[]
        if live_only
        else [
            (one, figures_of(pages.store, site, Unit(one.line, one.name), RUNNING, of.period)[0])
            for one in machines
            if one.name in equipment and one.has_state
        ],
        watch=[] if live_only else watch_of(pages.store, site, refs, of.period),
        calibrations=[
            (one, one.calibration, calibrated(one.calibration, today))
            for one in machines
            if one.calibration is not None
        ],
        calibrated=CALIBRATED,
        links=report_links(of, "safety"),
        length=lambda length_ns: length(words, length_ns),
        limit_text=number_of,
        url=machine_url,
        most=MOST_ROWS,
        refresh_s=REFRESH_S,
        charts_s=CHARTS_S,
    )
