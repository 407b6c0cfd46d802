"""Energy per piece, peak demand, emission: C-KWH, E-PEAK, E-CO2, from the hours that agents derive of meters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import KST_NS, Span
from pipelines.derive.energy.factors import Factor, co2_kg, factor_at
from pipelines.derive.energy.span import HOUR_NS
from pipelines.derive.energy.span import Span as PowerSpan
from viewer.kpi import words
from viewer.kpi.counted import Made
from viewer.kpi.result import Evidence, Result, missing, ratio, share
from viewer.kpi.words import Amount, Text

QUARTER_NS: Final = HOUR_NS // 4
_WHOLE: Final = 0.95
"""Part of a quarter of an hour that must be known for its mean to count as demand."""
_DAY_NS: Final = 24 * HOUR_NS


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of one carrier, in pieces of time that are not divided: a piece belongs where it begins.

    Attributes:
        carrier: as in the table of emission factors: `electricity`, `lng` …
        start_ns: beginnings, ascending, int64, shape (n,), ns since 1970 UTC.
        amount: kWh, Nm³, kg or litres, float64, shape (n,); NaN = not metered.
        cover: how much of the piece was metered, percent, float64, shape (n,).
        width_ns: length of a piece.
        whole: of several meters together, whether each of them metered the piece, bool, shape (n,); None = it is one,
            or all of them did.
    """

    carrier: str
    start_ns: NDArray[np.int64]
    amount: NDArray[np.float64]
    cover: NDArray[np.float64]
    width_ns: int = HOUR_NS
    whole: NDArray[np.bool_] | None = None

    def within(self, period: Span) -> Used:
        """The metered pieces that begin in a period."""
        return self._of((self.start_ns >= period[0]) & (self.start_ns < period[1]) & np.isfinite(self.amount))

    def only(self, times: Sequence[Span]) -> Used:
        """The pieces of such times."""
        return self._of(np.isin(self.start_ns, [start for start, _ in times]))

    def metered(self, period: Span) -> list[int]:
        """Beginnings of the pieces of a period that every meter metered, ns since 1970 UTC."""
        inside = self.within(period)
        starts: list[int] = (inside.start_ns if inside.whole is None else inside.start_ns[inside.whole]).tolist()
        return starts

    def _of(self, keep: NDArray[np.bool_]) -> Used:
        whole = None if self.whole is None else self.whole[keep]
        return Used(self.carrier, self.start_ns[keep], self.amount[keep], self.cover[keep], self.width_ns, whole)

    def rate(self, period: Span) -> float | None:
        """Collection rate over a period, percent."""
        return share(float(self.cover.sum()) / 100 * self.width_ns, period[1] - period[0])


def metered_hours(uses: Sequence[Used], period: Span) -> list[Span]:
    """Times of a period in which each meter of these was read, ns since 1970 UTC: products are counted in no others."""
    known = [set(one.metered(period)) for one in uses]
    starts = sorted(set.intersection(*known)) if known else []
    width_ns = min((one.width_ns for one in uses), default=HOUR_NS)
    return [(start, min(start + width_ns, period[1])) for start in starts]


def unmetered(all_made: Made, made_then: Made) -> tuple[Amount, ...]:
    """The good pieces of times whose energy is not known: they are left out."""
    if all_made.good is None or made_then.good is None or all_made.good == made_then.good:
        return ()
    said = Text("에너지를 모르는 시간의 양품", "good pieces of hours whose energy is not known")
    return (Amount(said, all_made.good - made_then.good, words.PIECES),)


def energy_per_piece(electricity: Used, made: Made, period: Span, left_out: tuple[Amount, ...] = ()) -> Result:
    """C-KWH, 전력 원단위: energy / good pieces, both of the hours whose energy is known.

    Args:
        electricity: hours of the machine or the line, metered by all of its meters.
        made: pieces of those hours (`metered_hours`), placed or not.
        period: start and end, full hours, ns since 1970 UTC.
        left_out: see `unmetered`.
    """
    used = electricity.within(period)
    kwh = float(used.amount.sum()) if len(used.amount) else None
    evidence = _evidence([used], period, left_out)
    return ratio(
        "C-KWH",
        Amount(Text("전력사용량", "energy"), kwh, words.KWH),
        _good(made),
        evidence,
        nothing=words.NO_PIECES,
    )


def emission(uses: Sequence[Used], factors: Sequence[Factor], period: Span) -> Result:
    """E-CO2, 온실가스 배출량, tCO2eq: Σ amount x factor of the Korean day on which it was used.

    What was used before the first factor of its carrier is left out, and says how much it was: the figure is partial.

    Args:
        uses: one for each meter and carrier.
        factors: dated table.
        period: start and end, ns since 1970 UTC.
    """
    known = [one.within(period) for one in uses]
    total_kg, by_factor, without = 0.0, dict[Factor, float](), dict[str, float]()
    for used in known:
        days, index = np.unique((used.start_ns + KST_NS) // _DAY_NS, return_inverse=True)
        amounts = np.bincount(index, weights=used.amount, minlength=len(days))
        for day, amount in zip(days.tolist(), amounts.tolist(), strict=True):
            factor = factor_at(factors, used.carrier, day * _DAY_NS - KST_NS)
            if factor is None:
                without[used.carrier] = without.get(used.carrier, 0.0) + amount
            else:
                total_kg += co2_kg(amount, factor)
                by_factor[factor] = by_factor.get(factor, 0.0) + amount
    left_out = tuple(
        Amount(Text(f"배출계수 없는 사용량: {carrier}", f"used without a factor: {carrier}"), amount, words.NO_UNIT)
        for carrier, amount in without.items()
    )
    evidence = _evidence(known, period, left_out)
    if not by_factor:
        return missing("E-CO2", evidence)
    parts = [one for factor, amount in by_factor.items() for one in _of_factor(factor, amount)]
    notes = () if all(factor.verified for factor in by_factor) else (words.UNVERIFIED,)
    return Result("E-CO2", total_kg / 1000, evidence, tuple(parts), notes=notes, partial=bool(without))


def emission_per_piece(total: Result, made: Made, left_out: tuple[Amount, ...] = ()) -> Result:
    """E-CO2.piece, 온실가스 원단위, kg/EA: emission / good pieces, both of the hours in which every meter is known."""
    kg = None if total.value is None else total.value * 1000
    top = Amount(Text("온실가스 배출량", "emission"), kg, words.KG)
    evidence = replace(total.evidence, left_out=(*total.evidence.left_out, *left_out))
    found = ratio("E-CO2.piece", top, _good(made), evidence, nothing=words.NO_PIECES, notes=total.notes)
    return replace(found, partial=total.partial)


@dataclass(frozen=True, slots=True)
class Demand:
    """Mean power over quarters of an hour by the clock, as the utility measures it (최대수요전력).

    Attributes:
        start_ns: beginnings, ascending, int64, shape (n,), ns since 1970 UTC.
        kw: mean power, float64, shape (n,); of an hour the greatest of its quarters; NaN = not metered by 95 %.
        width_ns: a quarter of an hour, or an hour.
        cover: how much of each was metered, percent, float64, shape (n,); None = 95 % at least where `kw` is known.
    """

    start_ns: NDArray[np.int64]
    kw: NDArray[np.float64]
    width_ns: int = QUARTER_NS
    cover: NDArray[np.float64] | None = None


def quarters(spans: Sequence[PowerSpan], period: Span) -> Demand:
    """Demand by the spans of a meter, for whole quarters of an hour that touch a period.

    Args:
        spans: of `pipelines.derive.energy.span`.
        period: start and end, ns since 1970 UTC.
    """
    first, last = period[0] // QUARTER_NS, -(-period[1] // QUARTER_NS)
    kwh, known_ns = np.zeros(last - first), np.zeros(last - first)
    for span in spans:
        low, high = max(first, span.start_ns // QUARTER_NS), min(last, -(-span.end_ns // QUARTER_NS))
        for quarter in range(low, high):
            of = quarter * QUARTER_NS, (quarter + 1) * QUARTER_NS
            kwh[quarter - first] += span.kwh(*of)
            known_ns[quarter - first] += span.known_ns(*of)
    whole = known_ns >= _WHOLE * QUARTER_NS
    kw = np.divide(kwh * HOUR_NS, known_ns, out=np.full(len(kwh), np.nan), where=whole)
    return Demand(np.arange(first, last, dtype=np.int64) * QUARTER_NS, kw)


def peak(demand: Demand, period: Span) -> Result:
    """E-PEAK, 최대수요전력, kW: greatest mean of a quarter of an hour that is metered by 95 % at least."""
    known = (demand.start_ns >= period[0]) & (demand.start_ns < period[1]) & np.isfinite(demand.kw)
    count = int(known.sum())
    metered = float(count if demand.cover is None else demand.cover[known].sum() / 100)
    evidence = Evidence(
        period=period,
        samples=count,
        cover=share(metered * demand.width_ns, period[1] - period[0]),
        seen_ns=int(demand.start_ns[known].max()) + demand.width_ns if count else None,
    )
    return Result("E-PEAK", float(demand.kw[known].max()), evidence) if count else missing("E-PEAK", evidence)


def _evidence(uses: Sequence[Used], period: Span, left_out: tuple[Amount, ...] = ()) -> Evidence:
    """Of all meters together: the least collected of them says how much was collected."""
    rates = [rate for one in uses if (rate := one.rate(period)) is not None]
    ends = [int(one.start_ns[-1]) + one.width_ns for one in uses if len(one.start_ns)]
    samples = sum(len(one.start_ns) for one in uses)
    return Evidence(
        period=period,
        samples=samples,
        cover=min(rates, default=None),
        left_out=left_out,
        seen_ns=max(ends, default=None),
    )


def _of_factor(factor: Factor, amount: float) -> tuple[Amount, Amount]:
    unit = factor.unit.partition("/")[2].replace("MWh", "kWh")
    return (
        Amount(Text(f"사용량: {factor.carrier}", f"used: {factor.carrier}"), amount, Text(unit, unit)),
        Amount(
            Text(f"배출계수 ({factor.scope})", f"factor ({factor.source})"),
            factor.value,
            Text(factor.unit, factor.unit),
        ),
    )


def _good(made: Made) -> Amount:
    return Amount(Text("양품수량", "good pieces"), made.good, words.PIECES)
