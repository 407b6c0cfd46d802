"""What was measured of what a control chart is asked for: its limits, its points, and capability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.catalog import MachineInfo
from viewer.kpi.capability import capability
from viewer.kpi.control import ENOUGH, Control, control, grouped, limits_of, points_of
from viewer.kpi.result import Evidence, Result
from viewer.kpi.spc import Chart
from viewer.kpi.words import CASES, NO_VALUE, Amount, Text
from viewer.query.charted import CYCLE, Charted, charted
from viewer.routes.spc_asked import FIRST, Wanted
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

ALIKE: Final = 2.0
"""σ over all values by σ of neighbours above which these depend on each other; limits take the contrary for granted."""
PASSED: Final = Text("표본 간격 사이의 사이클", "cycles between the intervals")
NO_LIMITS: Final = (None, None)


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured, and what of it can be charted.

    Attributes:
        values: of the period.
        base: of phase I, which may be the same.
        base_period: from when to when phase I is.
        limits: None = phase I has too few values.
        chart: None = there are no limits, or no points.
        base_marked: points out of control in phase I itself.
        results: capability, in the order of its cards.
    """

    values: Charted
    base: Charted
    base_period: Span
    limits: Chart | None
    chart: Control | None
    base_marked: int
    results: tuple[Result, ...]


def found_of(store: Store, site: SiteInfo, machine: MachineInfo, want: Wanted, period: Span) -> Found:
    """Values, limits, points and capability of a period.

    Args:
        store: holds the values.
        site: of the machine.
        machine: whose they are.
        want: what is charted, and how; it is not nothing.
        period: start and end, ns since 1970 UTC.

    Raises:
        DependencyError: the store cannot be reached.
    """
    assert want.what is not None
    what = want.what
    together = want.size if want.kind == "xbar" else 1
    values = charted(store, site, machine, what, period, want.interval_s, together)
    base, base_period = values, period
    if want.baseline:
        base_period = want.baseline
        base = charted(store, site, machine, what, base_period, want.interval_s, together)
    elif want.base == FIRST and len(values.time_ns):
        first = slice(0, ENOUGH * together)
        base_period = period[0], int(values.time_ns[first][-1]) + 1
        told = charted(store, site, machine, what, base_period, want.interval_s, together)
        base = replace(told, time_ns=values.time_ns[first], value=values.value[first])
    limits = limits_of(base.value, want.kind, want.size)
    points = points_of(values.time_ns, values.value, want.kind, want.size)
    chart, marked = None, 0
    if limits is not None and np.isfinite(points.place).any():
        chart = control(points, limits)
        phase = chart if base is values else control(points_of(base.time_ns, base.value, want.kind, want.size), limits)
        marked = int(phase.marked.sum())
    amounts = (Amount(NO_VALUE, values.without, CASES), Amount(PASSED, values.passed, CASES))
    left_out = tuple(one for one in amounts if one.value)
    evidence = Evidence(period=period, samples=0, cover=values.cover, seen_ns=values.seen_ns, left_out=left_out)
    grouping: NDArray[np.float64] = values.value if want.kind == "imr" else grouped(values.value, want.size)
    fit = capability(grouping, *spec_of(machine, want), evidence)
    return Found(values, base, base_period, limits, chart, marked, (fit.cpk, fit.cp, fit.ppk, fit.pp))


def spec_of(machine: MachineInfo, want: Wanted) -> tuple[float | None, float | None]:
    """Specification limits; those of the value by which the process is judged are all that a site says."""
    quality, what = machine.quality, want.what
    if quality is None or what is None or (what.of, what.field) != (CYCLE, quality.field):
        return NO_LIMITS
    return quality.low, quality.high


def alike(found: Found) -> bool:
    """Whether values that follow each other are much nearer to each other than to the rest."""
    known = found.base.value[np.isfinite(found.base.value)]
    return found.limits is not None and len(known) >= ENOUGH and known.std(ddof=1) > ALIKE * found.limits.sigma


def sure(one: Result) -> bool:
    """Whether a value is of enough samples, and of enough of what there was, to be called good or poor."""
    return one.value is not None and not one.indicative and not one.notes
