"""Figures of a company and its machines, of the whole period and of each production day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from pipelines.calendar import Calendar, Span
from viewer.catalog import MachineInfo
from viewer.kpi.catalog import CATALOG
from viewer.kpi.figure import figure
from viewer.kpi.inputs import Inputs
from viewer.kpi.oee import Profile
from viewer.kpi.period import by_day
from viewer.kpi.production import Produced
from viewer.kpi.result import Result
from viewer.kpi.words import Text, called
from viewer.query.downtime import STOPS, Downtime, said, stood
from viewer.query.entered import stops_of, with_reasons
from viewer.query.figures import remarked
from viewer.query.inputs import inputs_of, worked_before
from viewer.query.states import StateRun, state_runs
from viewer.query.unit import Unit
from viewer.reports.subject import Scope, Stop
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

WHOLE = Text("전체", "All")


def name_of(machine: MachineInfo) -> Text:
    """As people call it."""
    return called(machine.label, machine.name)


def whole(store: Store, site: SiteInfo, period: Span, profile: Profile, before: Produced | None = None) -> Scope:
    """The site, with its production days; its growth is against what was made `before`."""
    inputs = replace(inputs_of(store, site, Unit(), period, profile=profile), before=before)
    days = []
    for day, span in by_day(site.calendar, period):
        of = within(inputs, span, site.calendar)
        if len(inputs.values):  # measured values bear no times: those of the day are asked for
            of = replace(of, values=inputs_of(store, site, Unit(), span, profile=profile, parts={"limits"}).values)
        days.append((day, _figures(of, site, Unit())))
    return _scope(WHOLE, inputs, site, Unit(), tuple(days))


def of_machine(
    store: Store, site: SiteInfo, machine: MachineInfo, period: Span, profile: Profile
) -> tuple[Scope, tuple[Stop, ...]]:
    """A machine, and each stretch in which it stood within working time, with the reason that people gave."""
    unit = Unit(machine=machine.name)
    inputs = inputs_of(store, site, unit, period, profile=profile)
    runs: list[StateRun] = []
    if machine.has_state:
        runs = with_reasons(state_runs(store, machine, period), stops_of(store, site, machine, period), site)
    found = stood(runs, inputs.working) if machine.has_state else None
    scope = replace(_scope(name_of(machine), inputs, site, unit, (), found), has=_has(machine))
    return scope, tuple(_stops(name_of(machine), runs, inputs.working, period))


def _has(machine: MachineInfo) -> frozenset[str]:
    known = {"state": machine.has_state, "count": machine.counts, "energy": machine.energy is not None}
    return frozenset(name for name, there in known.items() if there)


def within(inputs: Inputs, period: Span, calendar: Calendar) -> Inputs:
    """The same of a part of its period, but for measured values, which bear no times: parts add up to the whole."""
    working = calendar.working(*period)
    machines = [
        replace(one, period=period, working=working, earlier=worked_before(one.spans, calendar, period))
        for one in inputs.machines
    ]
    return replace(inputs, period=period, working=working, machines=machines)


def _figures(inputs: Inputs, site: SiteInfo, unit: Unit) -> dict[str, Result]:
    return {code: remarked(figure(code, inputs), inputs, site, unit) for code in CATALOG}


def _scope(
    name: Text,
    inputs: Inputs,
    site: SiteInfo,
    unit: Unit,
    days: tuple[tuple[date, Mapping[str, Result]], ...],
    found: Downtime | None = None,
) -> Scope:
    used = [one.within(inputs.period) for one in inputs.uses]
    amounts = [float(one.amount.sum()) for one in used if len(one.amount)]
    pieces = inputs.all_pieces()
    return Scope(
        name=name,
        figures=_figures(inputs, site, unit),
        days=days,
        times=inputs.times() if inputs.told() else None,
        kwh=sum(amounts) if amounts else None,
        pieces=(pieces.total, pieces.bad),
        stood=found,
    )


def _stops(machine: Text, runs: Sequence[StateRun], working: Sequence[Span], period: Span) -> list[Stop]:
    found = []
    for run in runs:
        length_ns = sum(max(0, min(run.end_ns, high) - max(run.start_ns, low)) for low, high in working)
        if run.code in STOPS and length_ns:
            span = max(run.start_ns, period[0]), min(run.end_ns, period[1])
            found.append(Stop(machine=machine, code=run.code, span=span, length_ns=length_ns, reason=said(run.reason)))
    return found
