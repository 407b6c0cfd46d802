"""All that is known of a machine, a line or a site in a period, as `viewer.kpi` takes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from pipelines.calendar import Calendar, Span
from pipelines.derive.energy.span import HOUR_NS
from pipelines.derive.signals import RUN
from viewer.catalog import MachineInfo
from viewer.kpi.catalog import CATALOG
from viewer.kpi.inputs import Inputs
from viewer.kpi.oee import Profile
from viewer.kpi.spans import Spans, standing_since
from viewer.kpi.words import called
from viewer.query import alarms, energy
from viewer.query.collected import Pieces, collected, heard
from viewer.query.entered import with_entries
from viewer.query.needs import Part, needs
from viewer.query.pieces import counts, cycles, measured
from viewer.query.states import spans
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

EVERYTHING = needs(CATALOG)


def inputs_of(
    store: Store,
    site: SiteInfo,
    unit: Unit,
    period: Span,
    *,
    profile: Profile = "iso22400",
    parts: Collection[Part] = EVERYTHING,
) -> Inputs:
    """What is known of a machine, a line or a site, and what people entered; see `machine_inputs`, `line_inputs`."""
    machines = unit.machines(site)
    if unit.machine:
        found = machine_inputs(store, site, machines[0], period, profile=profile, parts=parts)
    else:
        found = line_inputs(store, site, machines, period, profile=profile, parts=parts)
    return with_entries(found, store, site, unit) if "entries" in parts else found


def machine_inputs(
    store: Store,
    site: SiteInfo,
    machine: MachineInfo,
    period: Span,
    *,
    profile: Profile = "iso22400",
    parts: Collection[Part] = EVERYTHING,
) -> Inputs:
    """What is known of one machine.

    Args:
        store: where it is asked for.
        site: the machine's.
        machine: which.
        period: start and end, ns since 1970 UTC; the end is not in the future.
        profile: how OEE is split.
        parts: what is asked for, of `viewer.query.needs.needs`; the rest is left empty, which is 미수집.

    Raises:
        DependencyError: the store cannot be reached.
    """
    of = _states_and_counts(store, site, machine, period, profile, parts)
    return _with(of, store, site, [machine], parts)


def line_inputs(
    store: Store,
    site: SiteInfo,
    machines: Sequence[MachineInfo],
    period: Span,
    *,
    profile: Profile = "iso22400",
    parts: Collection[Part] = EVERYTHING,
) -> Inputs:
    """What is known of several machines: states, pieces and ideal times stay each machine's own, and are added up.

    Energy is that of the line's own meter, where it has one, else that of its machines' meters; collection is of all
    machines; peak demand is known of a line with one meter only, since peaks of several cannot be added, and cycles of
    one with one machine that records them, since times of different cycles have no common mean.

    Args:
        store: where it is asked for.
        site: theirs.
        machines: of the line, or of the site.
        period: start and end, ns since 1970 UTC; the end is not in the future.
        profile: how OEE is split.
        parts: as of `machine_inputs`.

    Raises:
        DependencyError: the store cannot be reached.
    """
    whole = Inputs(
        period=period,
        working=site.calendar.working(*period),
        profile=profile,
        machines=[
            _states_and_counts(store, site, one, period, profile, parts)
            for one in machines
            if one.has_state or one.counts
        ],
        counting=any(one.counts for one in machines),
    )
    return _with(whole, store, site, machines, parts)


def _states_and_counts(
    store: Store, site: SiteInfo, machine: MachineInfo, period: Span, profile: Profile, parts: Collection[Part]
) -> Inputs:
    inputs = Inputs(
        period=period,
        working=site.calendar.working(*period),
        profile=profile,
        ideal_s=machine.ideal_s,
        counting=machine.counts,
        cycling=machine.cycles,
        judged=machine.quality is not None,
        name=called(machine.label, machine.name),
    )
    since_ns, silent = None, False
    if machine.counts and "counts" in parts:
        counted = counts(store, machine, period)
        inputs = replace(inputs, counts=counted)
        since_ns = int(counted.time_ns[0]) if len(counted.time_ns) else None
        silent = not (counted.time_ns[1:] >= period[0]).any()
    if "states" in parts or silent:  # one that stood made nothing, which no counter says
        told = spans(store, machine, period, since_ns)
        inputs = replace(inputs, spans=told, earlier=worked_before(told, site.calendar, period))
    if "states" in parts and machine.counts and not machine.has_state and not silent:
        inputs = replace(inputs, heard=_heard(store, site, machine, period, since_ns))
    return inputs


def _heard(store: Store, site: SiteInfo, machine: MachineInfo, period: Span, since_ns: int | None) -> Spans | None:
    """When the counters of a machine were collected, by the pieces of time that `Pieces` has, as stretches of running.

    None where something was counted and no reading is there, as in a store that is told less: then it is not known.
    """
    found = heard(Pieces(store, site.key, period), site, machine.counters)
    if not found:
        return None
    if since_ns is not None and since_ns < period[0]:
        before = since_ns // HOUR_NS * HOUR_NS, period[0]
        found = [*heard(Pieces(store, site.key, before), site, machine.counters), *found]
    return Spans.of((start_ns, end_ns, RUN) for start_ns, end_ns in found)


def worked_before(told: Spans | None, calendar: Calendar, period: Span) -> Sequence[Span]:
    """Working time before a period, as far back as a failure began that stands at its beginning."""
    since_ns = period[0] if told is None else standing_since(told, period[0])
    return calendar.working(since_ns, period[0]) if since_ns < period[0] else ()


def _with(
    inputs: Inputs, store: Store, site: SiteInfo, machines: Sequence[MachineInfo], parts: Collection[Part]
) -> Inputs:
    """The same with what is known of all these machines together."""
    period, pieces = inputs.period, Pieces(store, site.key, inputs.period)
    cycling = [one for one in machines if one.cycles]
    if "cycles" in parts and len(cycling) == 1:  # a mean over machines would change with how much each of them ran
        inputs = replace(inputs, cycles=cycles(store, cycling[0], period))
    judged = [(one, one.quality) for one in machines if one.quality is not None]
    if "limits" in parts and len(judged) == 1:
        ((machine, quality),) = judged
        found = measured(store, machine, quality.field, period)
        inputs = replace(
            inputs,
            values=found.value,
            without_value=found.without,
            values_seen_ns=found.seen_ns,
            limits=(quality.low, quality.high),
        )
    if "energy" in parts:
        inputs = _energy(inputs, store, machines)
    names = {one.name for one in machines}
    if "alarms" in parts:
        safety = [one for one in site.alarms if one.safety and one.machine in names]
        times = [alarms.raised(store, one, safety, period) for one in machines]
        inputs = replace(
            inputs,
            raised_ns=np.sort(np.concatenate([np.empty(0, dtype=np.int64), *times])),
            watched=alarms.watched(pieces, site, safety),
        )
    detectors = [one for one in site.gases if one.machine in names]
    if "gas" in parts and len(detectors) == 1 and detectors[0].machine in site.machines:
        minutes = alarms.gas(store, site.machines[detectors[0].machine], detectors[0], period)
        inputs = replace(inputs, gas=minutes, gas_limit=detectors[0].limit)
    if "collected" in parts:
        inputs = _collected(inputs, pieces, machines)
    return inputs


def _energy(inputs: Inputs, store: Store, machines: Sequence[MachineInfo]) -> Inputs:
    meters = energy.meters(machines)
    if not meters:
        return inputs
    found = [energy.metered(store, one, inputs.period) for one in meters]
    inputs = replace(
        inputs,
        uses=[energy.together([used for used, _ in found])],
        factors=energy.factors(meters[0].energy.factors_file if meters[0].energy else None),
    )
    return replace(inputs, demand=found[0][1]) if len(found) == 1 else inputs


def _collected(inputs: Inputs, pieces: Pieces, machines: Sequence[MachineInfo]) -> Inputs:
    """The mean over all tags of all machines."""
    found = [collected(pieces, one) for one in machines if one.tags]
    if not found:
        return inputs
    together = replace(found[0], parts=np.concatenate([one.parts for one in found]))
    return replace(inputs, collected=together.mean(), collected_ns=together.width_ns)
