"""Figures of a machine, a line or a site: asked of a store, computed by `viewer.kpi` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pipelines.calendar import Span
from viewer.kpi.figure import figure
from viewer.kpi.inputs import Inputs
from viewer.kpi.oee import Profile
from viewer.kpi.production import Produced
from viewer.kpi.result import Result
from viewer.kpi.words import SUMMED, Text
from viewer.query.inputs import inputs_of
from viewer.query.needs import lacking, needs
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

NO_CALENDAR: Final = Text("조업 달력 없음: 24시간을 조업시간으로 봄", "no calendar: all hours count as working time")
WHOLE_LINE: Final = Text("전력량계가 라인 전체를 계량함", "the meter measures the whole line")
BEYOND_HOLIDAYS: Final = Text("공휴일표에 없는 날이 있음", "some days are not in the table of holidays")


def figures_of(
    store: Store,
    site: SiteInfo,
    unit: Unit,
    codes: Sequence[str],
    period: Span,
    *,
    profile: Profile = "iso22400",
    before: Produced | None = None,
) -> list[Result]:
    """Figures by their codes, in this order.

    A figure without a value says what the site's settings lack for it, where that is why. Remarks say what a figure of
    several machines is, and what its working time rests on.

    Args:
        store: where values come from.
        site: of the unit.
        unit: machine, line, or the whole site.
        codes: of `viewer.kpi.catalog.CATALOG`.
        period: start and end, ns since 1970 UTC; the end is not in the future.
        profile: how OEE is split.
        before: what was made in the time of the baseline of P-QTY; None = not known.

    Raises:
        DependencyError: the store cannot be reached.
        KeyError: the catalogue has no such code, or the site no such machine or line.
    """
    inputs = replace(inputs_of(store, site, unit, period, profile=profile, parts=needs(codes)), before=before)
    return [remarked(figure(code, inputs), inputs, site, unit) for code in codes]


def remarked(result: Result, inputs: Inputs, site: SiteInfo, unit: Unit) -> Result:
    """A figure with what the site's settings mean for it."""
    parts = needs([result.code])
    if result.value is None:
        why = lacking(result.code, site, unit, entered=bool(_entries(result.code, inputs)))
        return result if why is None else replace(result, why=why)
    notes = []
    if parts & {"states", "counts"} and not parts & {"cycles", "limits"}:
        if (summed := len(inputs.added_up(result.code))) > 1:
            notes.append(Text(*(text.format(summed) for text in SUMMED)))
        if not site.has_calendar:
            notes.append(NO_CALENDAR)
        elif not site.knows_holidays(inputs.period):
            notes.append(BEYOND_HOLIDAYS)
    if "energy" in parts and unit.machine:
        metered = site.machines[unit.machine].energy
        if metered is not None and metered.line:
            notes.append(WHOLE_LINE)
    return replace(result, notes=(*result.notes, *notes)) if notes else result


def _entries(code: str, inputs: Inputs) -> Sequence[object]:
    """What people entered that a figure is made of."""
    found: dict[str, Sequence[object]] = {
        "P-LT": inputs.orders, "D-OTD": inputs.orders, "D-O2S": inputs.orders, "C-MH": inputs.crews,
        "Q-FDR": inputs.inspections, "Q-CLM": inputs.claims, "C-INV": inputs.stock_krw,
        "C-INV.accuracy": inputs.stock, "S-INJ": inputs.accidents, "S-INJ.near": inputs.near,
    }  # fmt: skip
    return found.get(code, ())
