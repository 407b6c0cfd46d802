"""All that was stored of a machine, a line or a company in a period, as figures are made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.energy.factors import Factor
from viewer.kpi import words
from viewer.kpi.collection import MINUTE_NS
from viewer.kpi.counted import Made, made, stood, summed
from viewer.kpi.energy import Demand, Used
from viewer.kpi.entered import Entry
from viewer.kpi.oee import Profile
from viewer.kpi.orders import Order
from viewer.kpi.production import Crew, Produced
from viewer.kpi.spans import Spans, Times, failures, times
from viewer.kpi.words import Text

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
        heard: of a machine that tells no states, when its counters were collected, since its last count before the
            period: stretches as if it ran in them; None = not known.
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
    heard: Spans | None = None
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
            return effective(self)
        if code == "P-UPH":
            return [one for one in self.told() if one.counting] or self.counted()
        return self.counted()

    def times(self) -> Times:
        """Time in each state within working time; of a line the sum over its machines."""
        return sum(
            (times_of(one) for one in self.told()), start=times(Spans.of([]), [] if self.told() else self.working)
        )

    def cover(self, of: Sequence[Inputs] | None = None) -> float | None:
        """How much of the states of the whole period is known, percent, of some machines; None where none are told."""
        return self._known([one.spans for one in (self.told() if of is None else of)])

    def counters_cover(self) -> float | None:
        """How much of the whole period was collected of the machines that count, percent; None = not known.

        Of one that tells states, how much of these is known.
        """
        return self._known([one.heard if one.spans is None else one.spans for one in self.counted()])

    def _known(self, told: Sequence[Spans | None]) -> float | None:
        known = [times(spans, [self.period]) for spans in told if spans is not None]
        return sum(known[1:], start=known[0]).cover if known else None

    def placed(self) -> Made:
        """Pieces within working time, while the state was known: see `placed_of`."""
        return self._sum(placed_of)

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
        return summed([stood(times_of(one), pieces(one)) for one in self.counted()])

    def failures(self) -> int:
        """Failures that first stood in working time in the period."""
        return sum(
            failures(one.spans, one.period, [*one.earlier, *one.working])
            for one in self.told()
            if one.spans is not None
        )

    def produced(self) -> Produced | None:
        """Pieces and working time of the period, for a baseline; None where nothing counted, or nobody worked."""
        pieces, worked_ns = self.all_pieces().total, length(self.working)
        return None if pieces is None or not worked_ns else Produced(pieces, worked_ns)


def times_of(one: Inputs) -> Times:
    """Time of one machine in each state within working time; all of it is unknown where it tells none."""
    return times(one.spans or Spans.of([]), one.working)


def placed_of(one: Inputs) -> Made:
    """Pieces of one machine within working time, while its state was known; without states, its counters."""
    known = one.heard if one.spans is None else one.spans
    return made(one.counts.time_ns, one.counts.total, one.counts.good, one.working, known)


def effective(inputs: Inputs) -> Sequence[Inputs]:
    """Machines of which states, pieces and ideal time can be known; where there is none, those that tell states."""
    return [one for one in inputs.told() if one.counting and one.ideal_s is not None] or inputs.told()


def length(spans: Sequence[Span]) -> int:
    """How long disjoint stretches are together, ns."""
    return sum(end_ns - start_ns for start_ns, end_ns in spans)
