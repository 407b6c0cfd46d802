"""`/safety`: detectors now against their limits, safety alarms, equipment, exposure, calibration, the chained log."""

from __future__ import annotations

from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.derive.calibration import calibrated
from viewer.query.alarm_list import WAITING
from viewer.query.figures import figures_of
from viewer.query.safety import detectors_of, equipment_of
from viewer.query.unit import Unit
from viewer.query.watch import watch_of
from viewer.reports.parts.guards import CALIBRATED, DISCLAIMER
from viewer.routes.guarded import calling, came_of, guarded, number_of, report_links, trends
from viewer.routes.pages import Pages
from viewer.safety.concerns import has_safety
from viewer.safety.verdict import Verdict
from viewer.words import local

CODES: Final = ("S-ALM",)
RUNNING: Final = ("P-UTIL",)


def routes(pages: Pages) -> list[BaseRoute]:
    """`/safety?unit=company/site/line/machine&period=today&log=all`."""
    return [pages.route("/safety", _safety, "safety")]


def _safety(pages: Pages, request: Request) -> Response:
    seen = guarded(pages, request, has_safety)
    if seen is None:
        return pages.render(request, "safety.html", of=None)
    of, site, now = seen.of, seen.of.site, seen.now
    machines = of.unit.machines(site)
    refs = detectors_of(site, machines)
    gases = {(one.machine, one.tag): one for one in site.gases}
    detectors = [now.watched(ref, site.alarms, gases.get(ref)) for ref in refs]
    equipment = {
        name: [now.watched((name, tag), site.alarms) for tag in tags]
        for name, tags in equipment_of(site, machines, refs).items()
    }
    names = {one.name for one in machines}
    keys = {(one.machine, one.name) for one in site.alarms if one.safety and one.machine in names}
    standing = calling(seen.standing, keys)
    today = local(seen.now_ns).date()
    live = {
        **seen.shared,
        "disclaimer": DISCLAIMER,
        "detectors": detectors,
        "equipment": equipment,
        "counts": Counter(one.verdict for one in detectors),
        "verdicts": tuple(Verdict),
        "standing": standing,
        "waiting": sum(one.state in WAITING for one in standing),
        "calibrations": [
            (one, one.calibration, calibrated(one.calibration, today))
            for one in machines
            if one.calibration is not None
        ],
        "calibrated": CALIBRATED,
        "links": report_links(of, "safety"),
        "limit_text": number_of,
    }
    if seen.live_only:
        return pages.render(request, "safety.html", **live, charts=[], came=None)
    figures = figures_of(pages.store, site, of.unit, CODES, of.period)
    return pages.render(
        request,
        "safety.html",
        **live,
        charts=trends(pages, detectors, seen.now_ns, pages.words_of(request)),
        came=came_of(pages, of, request, ccp=False),
        figures=figures,
        watched=any(one.value is not None for one in figures),
        running=[
            (one, figures_of(pages.store, site, Unit(one.line, one.name), RUNNING, of.period)[0])
            for one in machines
            if one.name in equipment and one.has_state
        ],
        watch=watch_of(pages.store, site, refs, of.period),
    )
