"""What a page about figures is asked for, by its address: site, machine or line, period, profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, get_args
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.oee import Profile
from viewer.kpi.period import NAMED, days, named, until_now
from viewer.query.unit import Unit
from viewer.routes.last_site import last_site
from viewer.routes.pages import machine_key
from viewer.site_info import SiteInfo
from viewer.words import Words

CUSTOM: Final = "custom"
PROFILES: Final[tuple[Profile, ...]] = get_args(Profile)
_MOST_DAYS: Final = 92
"""Days of a custom period at most: every piece of it is read."""
_LEVELS: Final = 4
_MONTHS: Final = 13


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page about figures is about.

    Attributes:
        site: of the unit.
        unit: machine, line or the whole site.
        name: of the period: one of `viewer.kpi.period.NAMED`, or `custom`.
        period: start and end, not in the future, ns since 1970 UTC.
        first: first production day.
        last: last production day.
        profile: how OEE is split.
        sound: whether the dates of a custom period could be used; else it is today.
    """

    site: SiteInfo
    unit: Unit
    name: str
    period: Span
    first: date
    last: date
    profile: Profile
    sound: bool = True


def unit_text(site: SiteInfo, unit: Unit) -> str:
    """A unit in an address: company/site/line/machine, "-" for a level that is not meant."""
    return "/".join(quote(level, safe="") or "-" for level in (site.company, site.name, unit.line, unit.machine))


def months_to(today: date) -> list[str]:
    """This month and the ones before it that a report can be asked for, newest first."""
    counted = [today.year * 12 + today.month - 1 - back for back in range(_MONTHS)]
    return [f"{one // 12}-{one % 12 + 1:02d}" for one in counted]


def shown_key(site: SiteInfo, words: Words) -> tuple[str, str]:
    """Company and site as people see them."""
    return site.company, words.label(site.label, site.name)


def find_unit(text: str, sites: Sequence[SiteInfo]) -> tuple[SiteInfo, Unit] | None:
    """The unit of such a text, if these sites have it."""
    levels = ["" if level == "-" else unquote(level) for level in text.split("/")]
    if len(levels) != _LEVELS:
        return None
    company, name, line, machine = levels
    site = next((one for one in sites if one.key == (company, name)), None)
    if site is None or (line and line not in site.lines) or (machine and machine not in site.machines):
        return None
    return site, Unit(line, machine)


def unit_of(request: Request, sites: Sequence[SiteInfo]) -> tuple[SiteInfo, Unit]:
    """The unit that is asked for, if these sites have it; else the site that was looked at last, else the first."""
    return find_unit(request.query_params.get("unit", ""), sites) or (last_site(request, sites), Unit())


def find_machine(request: Request, sites: Sequence[SiteInfo]) -> tuple[SiteInfo, MachineInfo]:
    """The machine of the path of a page about one, if these sites have it.

    Raises:
        HTTPException: 404.
    """
    key = machine_key(request)
    site = next((one for one in sites if one.key == key[:2]), None)
    machine = site.machines.get(key[2]) if site else None
    if site is None or machine is None:
        raise HTTPException(404)
    return site, machine


def asked(request: Request, site: SiteInfo, unit: Unit, now_ns: int, default: str = NAMED[0]) -> Asked:
    """Period and profile of a request; what cannot be used is today, and ISO 22400.

    Args:
        request: asks for them.
        site: of the unit.
        unit: machine, line or the whole site.
        now_ns: ns since 1970 UTC.
        default: period of a request that names none.
    """
    query = request.query_params
    name = query.get("period", default)
    profile = next((one for one in PROFILES if one == query.get("profile")), PROFILES[0])
    span, sound = None, True
    if name == CUSTOM:
        span = chosen_days(site, query.get("from", ""), query.get("to", ""), now_ns)
        sound = span is not None
    if span is None:
        name = name if name in NAMED else NAMED[0]
        span = named(site.calendar, name, now_ns)
    first, last = (site.calendar.production_day(one) for one in (span[0], max(span[0], span[1] - 1)))
    return Asked(site, unit, name, span, first, last, profile, sound)


def chosen_days(site: SiteInfo, first: str, last: str, now_ns: int) -> Span | None:
    """Production days as a form has them, up to now; None = they cannot be used."""
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        span = until_now(days(site.calendar, begin, end), now_ns)
    except (ValueError, OverflowError):
        return None
    return span if span[0] < span[1] and (end - begin).days < _MOST_DAYS else None


def units_of(site: SiteInfo, words: Words) -> list[tuple[str, str]]:
    """What can be chosen of a site: its text in an address, and its name."""
    found = [(unit_text(site, Unit()), words("kpi_whole_site"))]
    for line in site.lines:
        found.append((unit_text(site, Unit(line)), f"{words('kpi_line')} {line}"))
        found += [_machine(site, one, words) for one in site.machines if site.machines[one].line == line]
    return found + [_machine(site, one, words) for one in site.machines if not site.machines[one].line]


def _machine(site: SiteInfo, name: str, words: Words) -> tuple[str, str]:
    label = words.label(site.machines[name].label, name)
    return unit_text(site, Unit(site.machines[name].line, name)), f"· {label}" + (f" ({name})" if label != name else "")
