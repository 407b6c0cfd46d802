"""What `/safety` and `/ccp` have in common: what is asked, words for alarms and values, what came in a period."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from pipelines.derive.alarm_settings import PRIORITIES
from viewer.chart import BUCKETS, Chart, Level, draw
from viewer.kpi.period import NAMED
from viewer.lengths import length
from viewer.overview import alive_sites, overview
from viewer.query.alarm_list import LOOK_BACK_NS, SUPPRESSED, WAITING, AlarmKey, Standing, alarm_list
from viewer.query.event_log import log_of
from viewer.query.safety import Now, Watched
from viewer.query.unit import Unit
from viewer.reports.episodes import Episode, Responses, episodes, responses
from viewer.reports.gather.alarms import alarms_of
from viewer.reports.gather.scopes import name_of
from viewer.reports.subject import AlarmEvent
from viewer.routes.alarm_names import AlarmNames
from viewer.routes.asked import CUSTOM, Asked, asked, shown_key, unit_of, unit_text, units_of
from viewer.routes.pages import Pages, machine_url
from viewer.safety.log import Checked, Logged
from viewer.site_info import AlarmInfo, SiteInfo
from viewer.words import Words, number_text

REFRESH_S: Final = 10
CHARTS_S: Final = 60
TREND_NS: Final = 8 * 3600 * 10**9
"""Trends show so much before now: the window of an 8-hour mean."""
MOST_ROWS: Final = 100
"""Alarms and entries of the log that are listed, the newest first."""
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Came:
    """What the alarms of a page did in a period.

    Attributes:
        found: alarms that came, newest first.
        responses: how soon somebody took note of them.
        log: entries of the chained log in the period, newest first.
        checked: whether the log is whole.
        all_of_it: whether all of it was looked at.
    """

    found: list[Episode]
    responses: Responses
    log: list[Logged]
    checked: Checked
    all_of_it: bool


def now_of(pages: Pages, site: SiteInfo, now_ns: int) -> tuple[Now, list[Standing], int | None]:
    """How a site stands now, its alarms that are not normal, and the newest heartbeat of its agents while all live."""
    latest = pages.latest()
    views = overview(latest, pages.catalog, now_ns)
    standing = list(alarm_list(pages.store, site, (now_ns - LOOK_BACK_NS, now_ns + 1)).standing)
    alive_ns = alive_sites(latest, now_ns).get(site.key)
    return Now(pages.store, site, views, standing, alive_ns, now_ns), standing, alive_ns


@dataclass(frozen=True, slots=True)
class Guarded:
    """What such a page is about.

    Attributes:
        of: the unit and the period that were asked for.
        now_ns: ns since 1970 UTC.
        now: how the site stands.
        standing: its alarms that are not normal.
        live_only: whether nothing but what is live was asked for.
        shared: what every such page shows.
    """

    of: Asked
    now_ns: int
    now: Now
    standing: list[Standing]
    live_only: bool
    shared: Mapping[str, Any]


def guarded(pages: Pages, request: Request, concerned: Callable[[SiteInfo], bool]) -> Guarded | None:
    """What a page is asked for, of the sites that it concerns; None = it concerns none that this user sees."""
    sites = [one for one in pages.sites(request) if concerned(one)]
    if not sites:
        return None
    site, unit = unit_of(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, unit, now_ns)
    now, standing, alive_ns = now_of(pages, site, now_ns)
    shared = {
        "of": of,
        "now_ns": now_ns,
        "unit": unit_text(site, unit),
        "units": [(shown_key(one, words), units_of(one, words)) for one in sites],
        "periods": (*NAMED, CUSTOM),
        "names": GuardNames(site, words),
        "alive_ns": alive_ns,
        "length": lambda length_ns: length(words, length_ns),
        "url": machine_url,
        "most": MOST_ROWS,
        "refresh_s": REFRESH_S,
        "charts_s": CHARTS_S,
    }
    return Guarded(of, now_ns, now, standing, request.query_params.get("part") == "live", shared)


def came_of(pages: Pages, of: Asked, request: Request, *, ccp: bool) -> Came:
    """What came in the period of a page: the same as the month's report says."""
    events = [
        one for machine in of.unit.machines(of.site) for one in alarms_of(pages.store, of.site, machine, of.period)
    ]
    found = episodes(one for one in events if (one.ccp if ccp else one.safety))
    all_of_it = request.query_params.get("log") == ALL
    log, verdict = log_of(pages.store, of.site, of.period, all_of_it=all_of_it)
    return Came(found[::-1], responses(found), log[::-1], verdict, all_of_it)


def report_links(of: Asked, kind: str) -> Mapping[str, str]:
    """Addresses of a month's report, by what they give."""
    query = urlencode({"unit": unit_text(of.site, Unit()), "month": f"{of.last:%Y-%m}"})
    return {ending: f"/reports/{kind}.{ending}?{query}" for ending in ("html", "xlsx", "pdf")}


def calling(standing: Sequence[Standing], keys: Collection[AlarmKey]) -> list[Standing]:
    """Those of some alarms that stand or wait for a person, the most pressing first, then the newest."""
    found = [
        one for one in standing if one.key in keys and (one.active or one.state in WAITING) and one.state != SUPPRESSED
    ]
    order = list(PRIORITIES)
    return sorted(found, key=lambda one: (order.index(one.priority), -one.since_ns))


class GuardNames(AlarmNames):
    """How machines, alarms and limits of a site are called, also those of reports."""

    def __init__(self, site: SiteInfo, words: Words) -> None:
        super().__init__(site, words)
        self._called = {name_of(one): one.name for one in site.machines.values()}

    def event(self, one: AlarmEvent) -> str:
        """Name of an alarm of the reports, which know machines by what they are called."""
        return self.label((self._called.get(one.machine, ""), one.name), one.message)

    def bound(self, alarm: AlarmInfo, unit: str) -> str:
        """When an alarm comes, in the unit of its tag; of a contact, whether it is on or off."""
        bounds = ((">", alarm.above), ("<", alarm.below))
        found = next((f"{sign} {number_of(value)} {unit}".strip() for sign, value in bounds if value is not None), "")
        what, _, delay = alarm.limit.partition(", ")
        for word, shown in (("= true", "on"), ("= false", "off")):
            if not found and what.endswith(word):
                found = f"= {self._words(shown)}"
        return ", ".join(filter(None, (found or what, delay)))


def number_of(value: float) -> str:
    """A limit: as few digits as it has."""
    return number_text(
        int(value) if float(value).is_integer() else value, None if value == int(value) else _digits(value)
    )


def _digits(value: float) -> int:
    return len(f"{value:.6f}".rstrip("0").partition(".")[2])


def trends(pages: Pages, shown: Sequence[Watched], now_ns: int, words: Words) -> list[tuple[str, str, Chart]]:
    """Caption, unit and picture of the last eight hours of each value that is a number, with its limits."""
    start_ns, found = now_ns - TREND_NS, []
    shown = [one for one in shown if not isinstance(one.tag.value, (bool, str))]
    gaps = pages.store.gaps(shown[0].machine.company, start_ns - LOOK_BACK_NS) if shown else []
    gaps = [gap for gap in gaps if gap.end_ns is None or gap.end_ns > start_ns]
    for one in shown:
        name = one.tag.info.name
        trend = pages.store.trend(one.machine.place(), name, start_ns, now_ns, BUCKETS)
        caption = f"{words.label(one.machine.label, one.machine.name)} · {words.label(one.tag.info.label, name)}"
        own = [gap for gap in gaps if gap.place.machine == one.machine.name and gap.tag == name]
        drawn = draw(trend, own, start_ns, now_ns, words, caption, one.tag.info.decimals, levels_of(one, words))
        found.append((caption, one.tag.info.unit, drawn))
    return found


def levels_of(one: Watched, words: Words) -> list[Level]:
    """Limits of its alarms and of its means; those that are the same are one line."""
    found: dict[float, list[tuple[str, str]]] = {}
    for alarm in one.alarms:
        for value in (alarm.above, alarm.below):
            if value is not None:
                found.setdefault(value, []).append((words(f"priority_{alarm.priority}"), f"l-{alarm.priority}"))
    if one.gas:
        for name, limit in (("STEL", one.gas.stel), ("TWA", one.gas.twa)):
            if limit is not None:
                found.setdefault(limit, []).append((name, "l-limit"))
    return [
        Level(value, f"{number_of(value)} {' · '.join(text for text, _ in said)}", said[0][1])
        for value, said in sorted(found.items())
    ]
