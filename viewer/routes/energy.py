"""`/energy`: electricity by day and hour, demand with its peak, the share of idle time, emission and its factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from pipelines.calendar import Span
from viewer.bars import Bar, draw_bars
from viewer.catalog import MachineInfo
from viewer.chart import Chart
from viewer.kpi.energy import Demand, Used
from viewer.kpi.energy_use import Amounts, amount, by_factor, by_hour_of_day, hourly, idle, is_idle, peak_span
from viewer.kpi.period import NAMED, by_day
from viewer.kpi.result import Result
from viewer.lengths import length
from viewer.query.energy import CARRIER, factors, metered, meters, together
from viewer.query.figures import figures_of
from viewer.query.meters import quarter_demand
from viewer.query.unit import Unit
from viewer.routes.asked import CUSTOM, Asked, asked, shown_key, unit_of, unit_text, units_of
from viewer.routes.pages import Pages, machine_url
from viewer.site_info import SiteInfo
from viewer.words import Words, local, number_text

CODES: Final = ("C-KWH", "E-CO2", "E-CO2.piece", "E-PEAK")
_DAY_NS: Final = 86_400 * 10**9
_QUARTERS_NS: Final = 26 * 3600 * 10**9
"""Longest period of which each reading of a meter is read; beyond, the greatest quarter of each hour is shown."""
_LATELY: Final = 14
_WEEK: Final = 6


@dataclass(frozen=True, slots=True)
class _Row:
    """A part of what was chosen: a line, or a machine with a meter of its own."""

    label: str
    name: str
    unit: str
    whole_line: bool
    use: Amounts
    figures: dict[str, Result]


def routes(pages: Pages) -> list[BaseRoute]:
    """`/energy?unit=company/site/line/machine&period=today`."""
    return [pages.route("/energy", _energy, "energy")]


def _energy(pages: Pages, request: Request) -> Response:
    sites = pages.sites(request)
    if not sites:
        return pages.render(request, "energy.html", of=None)
    site, unit = unit_of(request, sites)
    now_ns, words = pages.clock.now_ns(), pages.words_of(request)
    of = asked(request, site, unit, now_ns)
    found = meters(unit.machines(site))
    read = [metered(pages.store, one, of.period) for one in found]
    used = together([one for one, _ in read]) if read else _nothing()
    hours = hourly(used, of.period)
    single = found[0] if len(found) == 1 else None
    table = factors(found[0].energy.factors_file if found and found[0].energy else None)
    demand = _demand(pages, of, single, read[0][1]) if single else None
    return pages.render(
        request,
        "energy.html",
        now_ns=now_ns,
        of=of,
        unit=unit_text(site, unit),
        units=[(shown_key(one, words), units_of(one, words)) for one in sites],
        periods=(*NAMED, CUSTOM),
        meters=[(one, one.energy) for one in found],
        use=amount(used, of.period),
        hours=len(hours),
        seen_ns=hours[-1].span[1] if hours else None,
        idle=idle(hours, of.site.calendar.working(*of.period)) if site.has_calendar else None,
        figures=figures_of(pages.store, site, unit, CODES, of.period),
        days=_days(pages, of, found, words),
        by_hour=_hours(of, hours, words),
        demand=_demand_chart(demand, of, words) if demand else None,
        peak=peak_span(demand, of.period) if demand else None,
        width=length(words, demand.width_ns) if demand else "",
        meter_url=machine_url((*site.key, single.energy.meter[0])) if single and single.energy else "",
        factors=by_factor(hours, CARRIER, table),
        rows=_rows(pages, of, unit, words),
        kwh=lambda kwh: number_text(float(kwh), 1),
    )


def _nothing() -> Used:
    return Used(CARRIER, np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))


def _demand(pages: Pages, of: Asked, machine: MachineInfo, told: Demand) -> Demand:
    """By the quarter of an hour for hours that the agent told, where the period is short; else as the agent told it."""
    if of.period[1] - of.period[0] > _QUARTERS_NS or not len(told.start_ns):
        return told
    until_ns = min(of.period[1], int(told.start_ns[-1]) + told.width_ns)
    found = quarter_demand(pages.store, of.site, machine, (of.period[0], until_ns))
    return told if found is None or not np.isfinite(found.kw).any() else found


def _days(
    pages: Pages, of: Asked, found: Sequence[MachineInfo], words: Words
) -> tuple[Chart, list[tuple[str, Amounts]], str]:
    """Energy of each production day as a picture and as rows, and what that is; of a short period those before too."""
    calendar, period, name = of.site.calendar, of.period, "energy_by_day"
    if (of.last - of.first).days < _WEEK:
        period = calendar.day_span(of.last - timedelta(days=_LATELY - 1))[0], of.period[1]
        name = "energy_lately"
    used = together([metered(pages.store, one, period)[0] for one in found]) if found else _nothing()
    spans = list(by_day(calendar, period))
    rows = [(day.isoformat(), amount(used, span)) for day, span in spans]
    whole = [calendar.day_span(day) for day, _ in spans]
    bars = [
        Bar(*span, [("amount", one.kwh)], (day, _said(one, words)), one.weak)
        for span, (day, one) in zip(whole, rows, strict=True)
        if one.kwh is not None
    ]
    return draw_bars(bars, whole[0][0], whole[-1][1], words(name)), rows, name


def _hours(of: Asked, hours: Sequence[Amounts], words: Words) -> tuple[str, Chart]:
    """Energy of each hour of one day; of several days the mean of each hour of the day; what that is."""
    calendar = of.site.calendar
    first = calendar.day_span(of.last)
    title, shown = words("energy_by_hour"), hours
    if of.first != of.last:
        title, shown = words("energy_by_hour_of_day"), by_hour_of_day(hours, _DAY_NS, first[0])
    working = calendar.working(*first) if of.site.has_calendar else [first]
    if of.first != of.last:
        working = _usual(of, first[0]) if of.site.has_calendar else working
    bars = [
        Bar(
            *one.span,
            [("amount idle" if is_idle(one.span, working) else "amount", one.kwh)],
            (f"{local(one.span[0]):%H:%M}", _said(one, words)),
            one.weak,
        )
        for one in shown
        if one.kwh is not None
    ]
    return title, draw_bars(bars, *first, title)


def _usual(of: Asked, begin_ns: int) -> list[Span]:
    """Working time of the first day of the period on which somebody works, moved to the day that begins here."""
    day = of.first
    while day <= of.last:
        start_ns, end_ns = of.site.calendar.day_span(day)
        if found := of.site.calendar.working(start_ns, end_ns):
            return [(low - start_ns + begin_ns, high - start_ns + begin_ns) for low, high in found]
        day += timedelta(days=1)
    return []


def _demand_chart(demand: Demand, of: Asked, words: Words) -> Chart:
    top = peak_span(demand, of.period)
    bars = [
        Bar(
            at,
            at + demand.width_ns,
            [("amount most" if top and at == top[0] else "amount", kw)],
            (f"{local(at):%m-%d %H:%M}", f"{number_text(kw, 1)} kW"),
        )
        for at, kw in zip(demand.start_ns.tolist(), demand.kw.tolist(), strict=True)
        if np.isfinite(kw)
    ]
    return draw_bars(bars, *of.period, words("energy_demand"))


def _said(one: Amounts, words: Words) -> str:
    text = f"{number_text(one.kwh or 0.0, 1)} kWh"
    return text + (f" ({words('figure_cover')} {one.cover:.0f} %)" if one.weak else "")


def _rows(pages: Pages, of: Asked, unit: Unit, words: Words) -> list[_Row]:
    """Lines, and below each its machines with meters; of one machine it alone."""
    site: SiteInfo = of.site
    units: list[tuple[str, str, Unit]] = []
    chosen = unit.machines(site)
    lines = [] if unit.machine else dict.fromkeys(one.line for one in chosen if one.line)
    for line in lines:
        units.append((f"{words('kpi_line')} {line}", "", Unit(line)))
        units += [_machine(one, words) for one in chosen if one.line == line and one.energy is not None]
    units += [_machine(one, words) for one in chosen if one.energy is not None and one.line not in lines]
    found = []
    for label, name, own in units:
        of_it = meters(own.machines(site))
        if not of_it:
            continue
        used = together([metered(pages.store, one, of.period)[0] for one in of_it])
        results = {one.code: one for one in figures_of(pages.store, site, own, CODES, of.period)}
        energy = site.machines[name].energy if name else None
        whole = energy is not None and energy.line
        found.append(_Row(label, name, unit_text(site, own), whole, amount(used, of.period), results))
    return found


def _machine(machine: MachineInfo, words: Words) -> tuple[str, str, Unit]:
    return words.label(machine.label, machine.name), machine.name, Unit(machine.line, machine.name)
