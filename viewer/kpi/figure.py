"""Any figure of the catalogue by its code, from all that was stored of a machine, a line or a company in a period.

Pages, reports and interfaces ask here, so that a figure is the same wherever it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from viewer.kpi.capability import Capability, capability
from viewer.kpi.collection import by_pieces
from viewer.kpi.counted import Made, standard_s, stood, summed
from viewer.kpi.energy import (
    Used,
    emission,
    emission_per_piece,
    energy_per_piece,
    metered_hours,
    peak,
    unmetered,
)
from viewer.kpi.entered import (
    accident_rate,
    claim_rate,
    final_defect_rate,
    near_misses,
    stock_accuracy,
    stock_value,
)
from viewer.kpi.failure import between_failures, to_repair
from viewer.kpi.inputs import Inputs, effective, length, placed_of, times_of
from viewer.kpi.oee import Oee, oee, utilisation
from viewer.kpi.orders import lead_time, on_time, order_to_shipment
from viewer.kpi.production import cycle_time, defect_rate, growth, man_hours_per_piece, per_hour
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.safety import alarms, over_limit
from viewer.kpi.spans import times
from viewer.kpi.words import CASES, NO_VALUE, OTHER_PROFILE, WITHOUT, Amount, Text


def effectiveness(inputs: Inputs) -> Oee:
    """OEE with its factors.

    Of a line: Σ standard time of good pieces / Σ planned busy time, over the machines of which states, pieces and ideal
    time can be known; the others are named. A machine that is known not to have run made nothing.
    """
    whole = effective(inputs)
    if not inputs.machines or not whole:
        placed = inputs.placed()
        return oee(inputs.times(), placed, standard_s([(placed, inputs.ideal_s)]), inputs.period, inputs.profile)
    of = [(times_of(one), stood(times_of(one), placed_of(one)), one.ideal_s) for one in whole]
    spent = sum((one for one, _, _ in of[1:]), start=of[0][0])
    standard = standard_s([(placed, ideal_s) for _, placed, ideal_s in of])
    found = oee(spent, summed([placed for _, placed, _ in of]), standard, inputs.period, inputs.profile)
    within = {id(one) for one in whole}
    rest = [one.name for one in inputs.machines if id(one) not in within]
    if not rest:
        return found
    return Oee(*(replace(one, notes=(*one.notes, _without(rest))) for one in found))


def _without(names: Sequence[Text]) -> Text:
    """Which machines are left out."""
    return Text(*(said.format(", ".join(own)) for said, own in zip(WITHOUT, zip(*names, strict=True), strict=True)))


def figure(code: str, inputs: Inputs) -> Result:
    """A figure of the catalogue; the first two factors of OEE have a value in their own profile only.

    Raises:
        KeyError: the catalogue has no such code.
    """
    found = _FIGURES[code](inputs)
    return found if found.code == code else missing(code, found.evidence, OTHER_PROFILE)


def _counted(inputs: Inputs, pieces: Made) -> Evidence:
    """What a figure of counters alone stands on."""
    return Evidence(period=inputs.period, samples=pieces.samples, cover=inputs.counters_cover(), seen_ns=pieces.seen_ns)


def _per_hour(inputs: Inputs) -> Result:
    """Of a line, over the machines that tell states and count, where there are such; the others are named.

    Times of machines are added up, so are working times of those without states: those in which their counters were
    collected. Where that is not known of one of them, all of it counts, and the figure has no collection rate.
    """
    within = inputs.added_up("P-UPH") if inputs.machines else [inputs]
    if not within or any(one.spans is not None for one in within):
        of = replace(inputs, machines=within) if inputs.machines and within else inputs
        found = per_hour(of.times() if of.told() else None, of.placed(), of.working, of.period)
    else:
        spent = [times(one.heard, one.working) for one in within if one.heard is not None]
        known = len(spent) == len(within)
        made = summed([placed_of(one if known else replace(one, heard=None)) for one in within])
        together = sum(spent[1:], start=spent[0]) if known else None
        working = [span for one in within for span in one.working]
        found = per_hour(together, made, working, inputs.period, states=False)
    rest = [one.name for one in inputs.counted() if not any(one is other for other in within)]
    return replace(found, notes=(*found.notes, _without(rest))) if rest else found


def _growth(inputs: Inputs) -> Result:
    pieces = inputs.all_pieces()
    return growth(pieces.total, inputs.before, length(inputs.working), _counted(inputs, pieces))


def _defects(inputs: Inputs) -> tuple[Result, Result]:
    pieces = inputs.all_pieces()
    return defect_rate(pieces, _counted(inputs, pieces))


def _energy(inputs: Inputs) -> Result:
    empty = Used("electricity", np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    used = next((one for one in inputs.uses if one.carrier == "electricity"), empty)
    (metered,), then, left_out = _metered(inputs, [used])
    return energy_per_piece(metered, then, inputs.period, left_out)


def _emission(inputs: Inputs) -> Result:
    return emission(inputs.uses, inputs.factors, inputs.period)


def _emission_per_piece(inputs: Inputs) -> Result:
    uses, then, left_out = _metered(inputs, inputs.uses)
    return emission_per_piece(emission(uses, inputs.factors, inputs.period), then, left_out)


def _metered(inputs: Inputs, uses: Sequence[Used]) -> tuple[list[Used], Made, tuple[Amount, ...]]:
    """What was used and made while all of it was metered, and what was made else."""
    hours, every = metered_hours(uses, inputs.period), inputs.all_pieces()
    then = inputs.pieces_in(hours) if hours else every
    return [one.only(hours) for one in uses], then, unmetered(every, then)


def _over(inputs: Inputs) -> Result:
    gas = inputs.gas
    if inputs.gas_limit is None:
        return missing("S-ALM.over", Evidence(period=inputs.period, samples=0))
    return over_limit(gas.start_ns, gas.mean, gas.cover, inputs.gas_limit, inputs.period)


def _collected(inputs: Inputs) -> Result:
    if inputs.collected is None:
        return missing("DQ-RATE", Evidence(period=inputs.period, samples=0))
    return by_pieces(inputs.collected, inputs.period, inputs.collected_ns)


def _cycle_time(inputs: Inputs) -> Result:
    of, cover = inputs.cycles, inputs.cover([one for one in inputs.told() if one.cycling])
    return cycle_time(of.time_ns, of.duration_s, of.counts, inputs.period, cover)


def _fit(inputs: Inputs) -> Capability:
    cover = inputs.cover([one for one in inputs.told() if one.judged])
    without = (Amount(NO_VALUE, inputs.without_value, CASES),) if inputs.without_value else ()
    evidence = Evidence(period=inputs.period, samples=0, cover=cover, left_out=without, seen_ns=inputs.values_seen_ns)
    return capability(inputs.values, *inputs.limits, evidence)


_FIGURES: Final[dict[str, Callable[[Inputs], Result]]] = {
    "P-UPH": _per_hour,
    "P-UTIL": lambda of: utilisation(of.times(), of.period),
    "P-OEE": lambda of: effectiveness(of).whole,
    "P-OEE.A": lambda of: effectiveness(of).availability,
    "P-OEE.E": lambda of: effectiveness(of).performance,
    "P-OEE.TA": lambda of: effectiveness(of).availability,
    "P-OEE.TP": lambda of: effectiveness(of).performance,
    "P-OEE.Q": lambda of: effectiveness(of).quality,
    "P-LT": lambda of: lead_time(of.orders, of.period),
    "P-CT": _cycle_time,
    "P-QTY": _growth,
    "P-MTBF": lambda of: between_failures(of.times(), of.failures(), of.period),
    "P-MTTR": lambda of: to_repair(of.times(), of.failures(), of.period),
    "Q-PDR": lambda of: _defects(of)[0],
    "Q-PDR.ppm": lambda of: _defects(of)[1],
    "Q-FDR": lambda of: final_defect_rate(of.inspections, of.period),
    "Q-CLM": lambda of: claim_rate(of.claims, of.period),
    "Q-CPK": lambda of: _fit(of).cpk,
    "Q-CPK.Cp": lambda of: _fit(of).cp,
    "Q-CPK.Ppk": lambda of: _fit(of).ppk,
    "Q-CPK.Pp": lambda of: _fit(of).pp,
    "C-MH": lambda of: man_hours_per_piece(of.crews, of.worked_pieces(), of.working, of.period, of.counters_cover()),
    "C-KWH": _energy,
    "C-INV": lambda of: stock_value(of.stock_krw, of.period),
    "C-INV.accuracy": lambda of: stock_accuracy(of.stock, of.period),
    "D-OTD": lambda of: on_time(of.orders, of.period),
    "D-O2S": lambda of: order_to_shipment(of.orders, of.period),
    "S-ALM": lambda of: alarms(of.raised_ns, of.watched, of.period),
    "S-ALM.over": _over,
    "S-INJ": lambda of: accident_rate(of.accidents, of.period),
    "S-INJ.near": lambda of: near_misses(of.near, of.period),
    "E-CO2": _emission,
    "E-CO2.piece": _emission_per_piece,
    "E-PEAK": lambda of: peak(of.demand, of.period),
    "DQ-RATE": _collected,
}
