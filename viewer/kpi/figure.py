"""Any figure of the catalogue by its code, from all that was stored of a machine, a line or a company in a period.

Pages, reports and interfaces ask here, so that a figure is the same wherever it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.energy.factors import Factor
from viewer.kpi import words
from viewer.kpi.capability import Capability, capability
from viewer.kpi.collection import MINUTE_NS, by_pieces
from viewer.kpi.counted import Made, made, standard_s, stood, summed
from viewer.kpi.energy import (
    Demand,
    Used,
    emission,
    emission_per_piece,
    energy_per_piece,
    metered_hours,
    peak,
    unmetered,
)
from viewer.kpi.entered import (
    Entry,
    accident_rate,
    claim_rate,
    final_defect_rate,
    near_misses,
    stock_accuracy,
    stock_value,
)
from viewer.kpi.failure import between_failures, to_repair
from viewer.kpi.oee import Oee, Profile, oee, utilisation
from viewer.kpi.orders import Order, lead_time, on_time, order_to_shipment
from viewer.kpi.production import Crew, Produced, cycle_time, defect_rate, growth, man_hours_per_piece, per_hour
from viewer.kpi.result import Evidence, Result, missing
from viewer.kpi.safety import alarms, over_limit
from viewer.kpi.spans import Spans, Times, failures, times
from viewer.kpi.words import CASES, NO_VALUE, OTHER_PROFILE, WITHOUT, Amount, Text

_OF_STATES: Final = frozenset({"P-UTIL", "P-MTBF", "P-MTTR"})


def _none() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


def _no_number() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Points of measurement `count`: see `viewer.kpi.counted.made`."""

    time_ns: NDArray[np.int64] = field(default_factory=_none)
    total: NDArray[np.int64] | None = None
    good: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycles:
    """Points of measurement `cycle`: see `viewer.kpi.production.cycle_time`."""

    time_ns: NDArray[np.int64] = field(default_factory=_none)
    duration_s: NDArray[np.float64] = field(default_factory=_no_number)
    counts: NDArray[np.int64] = field(default_factory=_none)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """Means of a minute of one tag: beginnings, means, and how much of each is known, percent."""

    start_ns: NDArray[np.int64] = field(default_factory=_none)
    mean: NDArray[np.float64] = field(default_factory=_no_number)
    cover: NDArray[np.float64] = field(default_factory=_no_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that is known of a period. What is left empty was not collected.

    Attributes:
        period: start and end, ns since 1970 UTC.
        working: working time in it, of `pipelines.calendar.Calendar.working`.
        earlier: working time before it, as far back as a failure began that stands at its beginning.
        profile: how OEE is split.
        spans: states; None = the machine tells none.
        counts: totals of the counters.
        ideal_s: ideal time of one piece, seconds.
        before: what was made in the time of the baseline; None = not known.
        cycles: records of cycles.
        values: what was measured of one characteristic, shape (n,) or (subgroups, size).
        without_value: cycles counted that have no value.
        values_seen_ns: time of the newest value, ns since 1970 UTC; None = not known.
        limits: its lower and upper specification limit.
        uses: what was used of each carrier; electricity first.
        demand: means of quarters of an hour.
        factors: table of emission factors.
        orders: orders or lots.
        crews: people at work.
        inspections: final inspections: defects, inspected.
        claims: returns and claims, deliveries.
        stock: stock takes: items that agree, items counted.
        stock_krw: values of the stock.
        accidents: people injured, people employed.
        near: near misses reported.
        raised_ns: when safety alarms were raised.
        watched: when the detectors were heard.
        gas: concentration of a gas by the minute.
        gas_limit: its limit; None = there is none.
        collected: beginning and known part, percent, of each piece of time of what is collected; None = nothing is.
        collected_ns: length of such a piece.
        counting: whether something counts the pieces; of a line, machines that nothing counts are left out of those.
        cycling: whether it records cycles, whose collection is that of its states.
        judged: whether its cycles have a value with specification limits.
        name: what people call it.
        machines: of a line, what is known of its machines: its states, pieces and ideal times are theirs.
    """

    period: Span
    working: Sequence[Span] = ()
    earlier: Sequence[Span] = ()
    profile: Profile = "iso22400"
    spans: Spans | None = None
    counts: Counts = field(default_factory=Counts)
    ideal_s: float | None = None
    before: Produced | None = None
    cycles: Cycles = field(default_factory=Cycles)
    values: NDArray[np.float64] = field(default_factory=_no_number)
    without_value: int = 0
    values_seen_ns: int | None = None
    limits: tuple[float | None, float | None] = (None, None)
    uses: Sequence[Used] = ()
    demand: Demand = field(default_factory=lambda: Demand(_none(), _no_number()))
    factors: Sequence[Factor] = ()
    orders: Sequence[Order] = ()
    crews: Sequence[Crew] = ()
    inspections: Sequence[Entry] = ()
    claims: Sequence[Entry] = ()
    stock: Sequence[Entry] = ()
    stock_krw: Sequence[Entry] = ()
    accidents: Sequence[Entry] = ()
    near: Sequence[Entry] = ()
    raised_ns: NDArray[np.int64] = field(default_factory=_none)
    watched: Sequence[Span] = ()
    gas: Minutes = field(default_factory=Minutes)
    gas_limit: float | None = None
    collected: Sequence[tuple[int, float]] | None = None
    collected_ns: int = MINUTE_NS
    counting: bool = True
    cycling: bool = True
    judged: bool = True
    name: Text = words.NO_NAME
    machines: Sequence[Inputs] = ()

    def told(self) -> Sequence[Inputs]:
        """Machines that tell their states."""
        return [one for one in self.machines or (self,) if one.spans is not None]

    def counted(self) -> Sequence[Inputs]:
        """Machines that count."""
        return [one for one in self.machines or (self,) if one.counting]

    def added_up(self, code: str) -> Sequence[Inputs]:
        """Machines of a line that a figure of times or pieces is the sum of; none of one machine."""
        if not self.machines:
            return []
        if code in _OF_STATES:
            return self.told()
        if code.startswith("P-OEE"):
            return _effective(self)
        if code == "P-UPH":
            return [one for one in self.told() if one.counting] or self.counted()
        return self.counted()

    def times(self) -> Times:
        """Time in each state within working time; of a line the sum over its machines."""
        return sum((_times(one) for one in self.told()), start=times(Spans.of([]), [] if self.told() else self.working))

    def cover(self, of: Sequence[Inputs] | None = None) -> float | None:
        """How much of the states of the whole period is known, percent, of some machines; None where none are told."""
        told = self.told() if of is None else of
        known = [times(one.spans, [one.period]) for one in told if one.spans is not None]
        return sum(known[1:], start=known[0]).cover if known else None

    def placed(self) -> Made:
        """Pieces within working time, while the state was known."""
        return self._sum(_placed)

    def all_pieces(self) -> Made:
        """Pieces of the whole period."""
        return self.pieces_in([self.period])

    def pieces_in(self, windows: Sequence[Span]) -> Made:
        """Pieces within disjoint stretches of the period."""
        return self._sum(lambda one: made(one.counts.time_ns, one.counts.total, one.counts.good, windows))

    def worked_pieces(self) -> Made:
        """Pieces within working time, whatever the state was."""
        return self._sum(lambda one: made(one.counts.time_ns, one.counts.total, one.counts.good, one.working))

    def _sum(self, pieces: Callable[[Inputs], Made]) -> Made:
        """Of a line, a machine that is known not to have run made nothing."""
        if not self.machines:
            return pieces(self)
        return summed([stood(_times(one), pieces(one)) for one in self.counted()])

    def failures(self) -> int:
        """Failures that first stood in working time in the period."""
        return sum(
            failures(one.spans, one.period, [*one.earlier, *one.working])
            for one in self.told()
            if one.spans is not None
        )

    def produced(self) -> Produced | None:
        """Pieces and working time of the period, for a baseline; None where nothing counted, or nobody worked."""
        pieces, worked_ns = self.all_pieces().total, _length(self.working)
        return None if pieces is None or not worked_ns else Produced(pieces, worked_ns)


def _times(one: Inputs) -> Times:
    return times(one.spans or Spans.of([]), one.working)


def _placed(one: Inputs) -> Made:
    return made(one.counts.time_ns, one.counts.total, one.counts.good, one.working, one.spans)


def effectiveness(inputs: Inputs) -> Oee:
    """OEE with its factors.

    Of a line: Σ standard time of good pieces / Σ planned busy time, over the machines of which states, pieces and ideal
    time can be known; the others are named. A machine that is known not to have run made nothing.
    """
    whole = _effective(inputs)
    if not inputs.machines or not whole:
        placed = inputs.placed()
        return oee(inputs.times(), placed, standard_s([(placed, inputs.ideal_s)]), inputs.period, inputs.profile)
    of = [(_times(one), stood(_times(one), _placed(one)), one.ideal_s) for one in whole]
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


def _effective(inputs: Inputs) -> Sequence[Inputs]:
    """Machines of which states, pieces and ideal time can be known; where there is none, those that tell states."""
    return [one for one in inputs.told() if one.counting and one.ideal_s is not None] or inputs.told()


def figure(code: str, inputs: Inputs) -> Result:
    """A figure of the catalogue; the first two factors of OEE have a value in their own profile only.

    Raises:
        KeyError: the catalogue has no such code.
    """
    found = _FIGURES[code](inputs)
    return found if found.code == code else missing(code, found.evidence, OTHER_PROFILE)


def _counted(inputs: Inputs, pieces: Made) -> Evidence:
    """What a figure of counters alone stands on: they were collected while the state was."""
    return Evidence(period=inputs.period, samples=pieces.samples, cover=inputs.cover(), seen_ns=pieces.seen_ns)


def _per_hour(inputs: Inputs) -> Result:
    """Of a line, over the machines that tell states and count, where there are such; the others are named.

    Times of machines are added up, so are working times of those without states.
    """
    if not inputs.machines:
        return per_hour(inputs.times() if inputs.told() else None, inputs.placed(), inputs.working, inputs.period)
    within = inputs.added_up("P-UPH")
    of = replace(inputs, machines=within) if within else inputs
    working = [span for _ in within for span in of.working] or of.working
    found = per_hour(of.times() if of.told() else None, of.placed(), working, of.period)
    rest = [one.name for one in inputs.counted() if not any(one is other for other in within)]
    return replace(found, notes=(*found.notes, _without(rest))) if rest else found


def _growth(inputs: Inputs) -> Result:
    pieces = inputs.all_pieces()
    return growth(pieces.total, inputs.before, _length(inputs.working), _counted(inputs, pieces))


def _length(spans: Sequence[Span]) -> int:
    return sum(end_ns - start_ns for start_ns, end_ns in spans)


def _defects(inputs: Inputs) -> tuple[Result, Result]:
    pieces = inputs.all_pieces()
    return defect_rate(pieces, _counted(inputs, pieces))


def _energy(inputs: Inputs) -> Result:
    empty = Used("electricity", _none(), _no_number(), _no_number())
    used = next((one for one in inputs.uses if one.carrier == "electricity"), empty)
    _, then, left_out = _metered(inputs, [used])
    return energy_per_piece(used, then, inputs.period, left_out)


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
    "C-MH": lambda of: man_hours_per_piece(of.crews, of.worked_pieces(), of.working, of.period, of.cover()),
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
