"""How electricity was used over a period: by day, by hour of the day, and how much of it while nobody worked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.energy.factors import Factor, co2_kg, factor_at
from viewer.kpi.energy import Demand, Used
from viewer.kpi.result import LEAST_COVER, share


@dataclass(frozen=True, slots=True)
class Amounts:
    """Energy of one stretch of time.

    Attributes:
        span: start and end, ns since 1970 UTC.
        kwh: energy; None = nothing was metered.
        cover: how much of it was metered, percent.
    """

    span: Span
    kwh: float | None
    cover: float

    @property
    def weak(self) -> bool:
        """Whether too little was metered for more than a hint (참고치)."""
        return self.cover < LEAST_COVER


@dataclass(frozen=True, slots=True)
class Idle:
    """Electricity while nobody works: 비조업 전력.

    Attributes:
        share: kWh of hours that touch no working time / kWh of all hours x 100, percent; None where hours of one kind
            only were metered, which says nothing of it.
        idle_kw: mean power in those hours; None = none of them was metered.
        busy_kw: mean power in the other ones; None as well.
        hours: metered hours that this is made of.
    """

    share: float | None
    idle_kw: float | None
    busy_kw: float | None
    hours: int


def amount(used: Used, span: Span) -> Amounts:
    """Energy of a stretch of full hours: those that begin in it."""
    inside = used.within(span)
    kwh = float(inside.amount.sum()) if len(inside.amount) else None
    return Amounts(span, kwh, inside.rate(span) or 0.0)


def hourly(used: Used, period: Span) -> list[Amounts]:
    """Energy of each hour of a period that was metered, oldest first."""
    inside = used.within(period)
    columns = (inside.start_ns.tolist(), inside.amount.tolist(), inside.cover.tolist())
    return [Amounts((at, at + used.width_ns), kwh, cover) for at, kwh, cover in zip(*columns, strict=True)]


def by_hour_of_day(hours: Sequence[Amounts], day_ns: int, begin_ns: int) -> list[Amounts]:
    """Mean energy of each hour of the day, over the hours that were metered by 95 % at least.

    Args:
        hours: of several days.
        day_ns: length of a day.
        begin_ns: beginning of any day, ns since 1970 UTC; the result lies in the day that begins here.
    """
    found: dict[int, list[float]] = {}
    for one in hours:
        if one.kwh is not None and not one.weak:
            found.setdefault((one.span[0] - begin_ns) % day_ns, []).append(one.kwh)
    length_ns = hours[0].span[1] - hours[0].span[0] if hours else 0
    return [
        Amounts((begin_ns + at, begin_ns + at + length_ns), float(np.mean(kwh)), 100.0)
        for at, kwh in sorted(found.items())
    ]


def is_idle(span: Span, working: Sequence[Span]) -> bool:
    """Whether a stretch of time touches no working time."""
    return not any(low < span[1] and high > span[0] for low, high in working)


def idle(hours: Sequence[Amounts], working: Sequence[Span]) -> Idle | None:
    """How much was used while nobody worked; None where nothing was metered.

    Args:
        hours: of `hourly`.
        working: working time, disjoint, of `pipelines.calendar.Calendar.working`.
    """
    known = [one for one in hours if one.kwh is not None]
    if not known:
        return None
    total = sum(one.kwh or 0.0 for one in known)
    off = [one for one in known if is_idle(one.span, working)]
    on = [one for one in known if not is_idle(one.span, working)]
    part = share(sum(one.kwh or 0.0 for one in off), total) if off and on and total > 0 else None
    return Idle(part, _mean_kw(off), _mean_kw(on), len(known))


def _mean_kw(hours: Sequence[Amounts]) -> float | None:
    """Energy / metered time."""
    metered_h = sum((one.span[1] - one.span[0]) / 3.6e12 * one.cover / 100 for one in hours)
    return sum(one.kwh or 0.0 for one in hours) / metered_h if metered_h else None


@dataclass(frozen=True, slots=True)
class ByFactor:
    """What was used while one emission factor held.

    Attributes:
        factor: it; None = there was none for that time.
        kwh: energy.
        kg: emission, kgCO2eq; None without a factor.
    """

    factor: Factor | None
    kwh: float
    kg: float | None


def by_factor(hours: Sequence[Amounts], carrier: str, factors: Sequence[Factor]) -> list[ByFactor]:
    """Energy by the emission factor that held when it was used, in the order of time."""
    found: dict[Factor | None, float] = {}
    for one in hours:
        if one.kwh is not None:
            factor = factor_at(factors, carrier, one.span[0])
            found[factor] = found.get(factor, 0.0) + one.kwh
    return [ByFactor(factor, kwh, None if factor is None else co2_kg(kwh, factor)) for factor, kwh in found.items()]


def peak_span(demand: Demand, period: Span) -> Span | None:
    """When the greatest demand of a period was; None where none is known."""
    inside: NDArray[np.bool_] = (demand.start_ns >= period[0]) & (demand.start_ns < period[1]) & np.isfinite(demand.kw)
    if not inside.any():
        return None
    start_ns = int(demand.start_ns[inside][int(demand.kw[inside].argmax())])
    return start_ns, start_ns + demand.width_ns
