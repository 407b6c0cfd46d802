"""`/alarms`: what calls people now, what to do, what called them in a period, and how much was asked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.derive.alarm_load import FLOOD, STALE_NS, flooded
from pipelines.derive.alarm_settings import PRIORITIES
from viewer.access.current import require
from viewer.access.roles import Permission
from viewer.bars import Bar, draw_bars
from viewer.chart import Chart
from viewer.kpi.alarm_load import AIM_FLOOD, AIM_PER_HOUR, AIM_TOP, HOUR_NS, load
from viewer.kpi.period import NAMED, by_day
from viewer.lengths import length
from viewer.query.agents import agents_of, all_alive
from viewer.query.alarm_list import LOOK_BACK_NS, SHELVED, WAITING, AlarmKey, Occurrence, Standing, alarm_list, within
from viewer.query.unit import Unit
from viewer.routes.alarm_names import AlarmNames
from viewer.routes.asked import CUSTOM, Asked, asked, shown_key, unit_of, unit_text, units_of
from viewer.routes.pages import Pages
from viewer.site_info import SiteInfo
from viewer.words import Words, local

MOST_ROWS: Final = 200
"""Rows of the history at once; the newest are shown."""
REFRESH_S: Final = 10
_MOST_NAME: Final = 80
_FEW_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class _Picked:
    """What a reader wants to see of the alarms: an empty text is everything."""

    machines: frozenset[str] | None
    priority: str
    name: str

    def takes(self, key: AlarmKey, priority: str, said: str) -> bool:
        """Whether an alarm is wanted."""
        if self.machines is not None and key[0] not in self.machines:
            return False
        if self.priority and priority != self.priority:
            return False
        return not self.name or any(self.name.casefold() in one.casefold() for one in (*key, said))


def routes(pages: Pages) -> list[BaseRoute]:
    """`/alarms?unit=company/site/line/machine&period=today&priority=urgent&name=…`."""
    return [pages.route("/alarms", _alarms, "alarms")]


def _alarms(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "alarms.html", of=None)
    site, unit = unit_of(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, unit, now_ns)
    names = AlarmNames(site, words)
    picked = _picked(request, site, unit)
    live_only = request.query_params.get("part") == "live"
    since_ns = now_ns - LOOK_BACK_NS if live_only else min(of.period[0], now_ns - LOOK_BACK_NS)
    found = alarm_list(pages.store, site, (since_ns, now_ns + 1))
    standing = [one for one in found.standing if picked.takes(one.key, one.priority, names.label(one.key))]
    order = list(PRIORITIES)
    standing.sort(key=lambda one: (one.state == SHELVED, order.index(one.priority), -one.since_ns))
    came = [one for one in found.occurrences if picked.takes(one.key, one.priority, names.label(one.key, one.message))]
    inside = within(came, of.period)
    deeds = [
        one
        for one in found.deeds
        if of.period[0] <= one.at_ns < of.period[1] and picked.takes(one.key, one.priority, names.label(one.key))
    ]
    watched = [] if live_only else all_alive(pages.store, agents_of(pages.store, site), of.period)
    asked_of = load([(one.raised_ns, one.key) for one in inside], watched, of.period)
    return pages.render(
        request,
        "alarms.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        units=[(shown_key(one, words), units_of(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        priorities=tuple(PRIORITIES),
        picked=picked,
        names=names,
        standing=standing,
        opening=_opening(names, may=require(Permission.VIEW).may(Permission.OPERATE)),
        counts=_counts(standing),
        flood=flooded([one.raised_ns for one in came], now_ns),
        waiting=sum(one.state in WAITING for one in standing),
        inside=list(reversed(inside))[:MOST_ROWS],
        deeds=list(reversed(deeds))[:MOST_ROWS],
        longest=_longest(inside, now_ns),
        load=asked_of,
        aims={"hour": AIM_PER_HOUR, "flood": AIM_FLOOD, "top": AIM_TOP, "most": FLOOD},
        stale=sum(one.active and now_ns - one.since_ns > STALE_NS for one in standing),
        bars=_bars(of, inside, words),
        length=lambda length_ns: length(words, length_ns),
        refresh_s=REFRESH_S,
    )


def _picked(request: Request, site: SiteInfo, unit: Unit) -> _Picked:
    query = request.query_params
    machines = frozenset(one.name for one in unit.machines(site)) if unit.line or unit.machine else None
    priority = query.get("priority", "")
    return _Picked(machines, priority if priority in PRIORITIES else "", query.get("name", "")[:_MOST_NAME].strip())


def _opening(names: AlarmNames, *, may: bool) -> Callable[[Standing], str]:
    """The words that lead to the page of an alarm: what can be done there."""

    def words(one: Standing) -> str:
        if not may or not names.ours(one.key):
            return "alarms_open_life"
        if one.state == SHELVED:
            return "alarms_open_shelved"
        return "alarms_open_safety" if names.safety(one.key) else "alarms_open"

    return words


def _counts(standing: Sequence[Any]) -> dict[str, int]:
    """What calls people now, by priority."""
    counts = Counter(one.priority for one in standing if one.state != SHELVED)
    return {priority: counts[priority] for priority in PRIORITIES}


def _longest(inside: Sequence[Occurrence], now_ns: int) -> list[tuple[Occurrence, int]]:
    """The ten that stood longest, and how long."""
    lengths = [(one, (one.ended_ns or now_ns) - one.raised_ns) for one in inside]
    return sorted(lengths, key=lambda one: -one[1])[:10]


def _bars(of: Asked, inside: Sequence[Occurrence], words: Words) -> tuple[str, Chart]:
    """Alarms of each production day, and of no more than two days of each hour, by priority; what that is."""
    spans = [of.site.calendar.day_span(day) for day, _ in by_day(of.site.calendar, of.period)]
    start_ns, end_ns = spans[0][0], spans[-1][1]
    title, form = words("alarms_per_day"), "%Y-%m-%d"
    if len(spans) <= _FEW_DAYS:
        title, form = words("alarms_by_hour"), "%m-%d %H:%M"
        spans = [(at, at + HOUR_NS) for at in range(start_ns, end_ns, HOUR_NS)]
    bars = []
    for low, high in spans:
        counts = Counter(one.priority for one in inside if low <= one.raised_ns < high)
        parts = [(f"p-{one}", float(counts[one])) for one in reversed(PRIORITIES) if counts[one]]
        bars.append(Bar(low, high, parts, (f"{local(low):{form}}", words("alarms_of_day", n=counts.total()))))
    return title, draw_bars(bars, start_ns, end_ns, title, whole=True)
