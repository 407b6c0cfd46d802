"""`/oee/{company}/{site}/{machine}`: effectiveness by both profiles, time by state, and why the machine stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from viewer.catalog import MachineInfo
from viewer.chart import Chart
from viewer.kpi.figure import effectiveness
from viewer.kpi.inputs import Inputs
from viewer.kpi.period import NAMED
from viewer.kpi.result import Result
from viewer.query.alarm_list import LOOK_BACK_NS, Occurrence, alarm_list
from viewer.query.downtime import Downtime, downtime, least_stop_s
from viewer.query.figures import remarked
from viewer.query.inputs import machine_inputs
from viewer.query.needs import needs
from viewer.query.unit import Unit
from viewer.routes.alarm_names import AlarmNames
from viewer.routes.asked import CUSTOM, PROFILES, Asked, asked, find_machine, unit_text
from viewer.routes.machine import STATES_NS
from viewer.routes.pages import Pages, machine_url
from viewer.site_info import SiteInfo
from viewer.states import draw_states
from viewer.words import Words
from viewer.zoom import address

MOST_ROWS: Final = 10
"""Rows of the list of stops; the longest are shown."""
MOST_ALARMS: Final = 3
"""Alarms named beside a stop; how many more there were is said."""
_AROUND_NS: Final = 10 * 60 * 10**9
"""The machine's page shows so much before and after a stop."""
_WIDE: Final = 1500


def routes(pages: Pages) -> list[BaseRoute]:
    """`/oee/{company}/{site}/{machine}?period=today`; "-" stands for a level that is not there."""
    return [pages.route("/oee/{company}/{site}/{machine}", _oee, "oee")]


def _oee(pages: Pages, request: Request) -> Response:
    site, machine = find_machine(request, pages.sites(request))
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    unit = Unit(machine.line, machine.name)
    of = asked(request, site, unit, now_ns)
    inputs = machine_inputs(pages.store, site, machine, of.period, parts=needs(["P-OEE", "P-UTIL", "P-MTBF"]))
    stood = downtime(pages.store, site, machine, of.period)
    return pages.render(
        request,
        "oee.html",
        now_ns=now_ns,
        of=of,
        view=machine,
        unit=unit_text(site, unit),
        periods=(*NAMED, CUSTOM),
        profiles=[(profile, _split(replace(inputs, profile=profile), site, unit)) for profile in PROFILES],
        stood=stood,
        least_stop_s=least_stop_s(site),
        ribbon=_ribbon(stood, of, words),
        longest=_longest(pages, of, machine, stood, now_ns),
        most_alarms=MOST_ALARMS,
        names=AlarmNames(site, words),
    )


def _split(inputs: Inputs, site: SiteInfo, unit: Unit) -> list[Result]:
    return [remarked(one, inputs, site, unit) for one in effectiveness(inputs)]


def _ribbon(stood: Downtime, of: Asked, words: Words) -> Chart | None:
    """The states that the figures are made of; None of a period in which they would be thinner than a line."""
    if of.period[1] - of.period[0] > STATES_NS:
        return None
    found = [(one.start_ns, one.end_ns, one.code) for one in stood.runs]
    return draw_states(found, (), *of.period, words, words("state_band"), _WIDE)


def _longest(pages: Pages, of: Asked, machine: MachineInfo, stood: Downtime, now_ns: int) -> list[dict[str, Any]]:
    """The longest stops of the period, each with the way to its moment and the alarms of its line that were on."""
    longest = sorted(stood.stretches, key=lambda one: (-one.length_ns, one.start_ns))[:MOST_ROWS]
    since_ns = min(of.period[0], now_ns - LOOK_BACK_NS)
    found = alarm_list(pages.store, of.site, (since_ns, now_ns + 1)).occurrences if longest else ()
    own = sorted(
        (one for one in found if one.key[0] == machine.name or one.line == machine.line),
        key=lambda one: (one.key[0] != machine.name, one.raised_ns),
    )
    return [
        {
            "stop": one,
            "url": f"{machine_url(machine.key)}?{address((one.start_ns - _AROUND_NS, one.end_ns + _AROUND_NS))}",
            "alarms": _on(own, one.start_ns, one.end_ns),
        }
        for one in longest
    ]


def _on(came: Sequence[Occurrence], start_ns: int, end_ns: int) -> list[Occurrence]:
    """Alarms whose condition held at some time of a span, each of them once."""
    on = [one for one in came if one.raised_ns < end_ns and (one.ended_ns is None or one.ended_ns > start_ns)]
    return list({one.key: one for one in reversed(on)}.values())[::-1]
