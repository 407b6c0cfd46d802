"""What people entered, beside what was measured: figures that need it, and reasons of stops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from pipelines.calendar import Span
from pipelines.settings import Labels
from viewer.catalog import MachineInfo
from viewer.entries.read import entries_of
from viewer.entries.settings import STOP_REASONS
from viewer.entries.stops import explained
from viewer.entries.written import Written
from viewer.kpi.inputs import Inputs
from viewer.query.states import StateRun
from viewer.query.unit import Unit
from viewer.site_info import SiteInfo
from viewer.stores.base import Store


def with_entries(inputs: Inputs, store: Store, site: SiteInfo, unit: Unit) -> Inputs:
    """What is known of a unit, with what people entered of it in the same period.

    Raises:
        DependencyError: the store cannot be reached.
    """
    found = entries_of(store, site.key, inputs.period, unit.line, unit.machine)
    return replace(
        inputs,
        orders=found.orders,
        crews=found.crews,
        inspections=found.inspections,
        claims=found.claims,
        stock=found.stock,
        stock_krw=found.stock_krw,
        accidents=found.accidents,
        near=found.near,
    )


def stops_of(store: Store, site: SiteInfo, machine: MachineInfo, period: Span) -> tuple[Written, ...]:
    """Reasons that people gave for stops of a machine in a period.

    Raises:
        DependencyError: the store cannot be reached.
    """
    return entries_of(store, site.key, period, "", machine.name).stops


def with_reasons(found: Sequence[StateRun], stops: Iterable[Written], site: SiteInfo) -> list[StateRun]:
    """States with the reasons that people gave, in their words; they go before the machine's own. Pure."""
    said = list(stops)
    if not said:
        return list(found)
    listed = site.entry.stop_reasons if site.entry else STOP_REASONS
    pieces = explained([(one.start_ns, one.end_ns, one.code) for one in found], said)
    cut: list[StateRun] = []
    at = 0
    for run in found:
        while at < len(pieces) and pieces[at].end_ns <= run.start_ns:
            at += 1
        for one in takewhile(lambda piece, end_ns=run.end_ns: piece.start_ns < end_ns, islice(pieces, at, None)):  # type: ignore[misc]
            reason = _words(one.reason, listed.get(one.reason)) if one.reason else run.reason
            cut.append(StateRun(max(one.start_ns, run.start_ns), min(one.end_ns, run.end_ns), run.code, reason))
    return cut


def _words(code: str, label: Labels | None) -> str:
    """A reason as people see it, Korean first, marked as entered by hand."""
    words = " ".join(text for text in (label.ko, label.en) if text) if label else ""
    return f"{words or code} (수기)"
