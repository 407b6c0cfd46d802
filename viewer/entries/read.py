"""Entries out of a store, as `viewer.kpi` takes them. Of each chain of corrections the newest counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from pipelines.calendar import Span
from viewer.entries.chain import counting
from viewer.entries.check import FAR_DAYS, SHORT_DAYS
from viewer.entries.kinds import CONTEXT, ENTRY
from viewer.entries.model import Entry
from viewer.entries.site import SiteKey
from viewer.entries.written import Written, written_of
from viewer.kpi import entered as kpi
from viewer.kpi.orders import Order
from viewer.kpi.production import Crew
from viewer.stores.base import Store

_DAY_NS: Final = 86_400 * 10**9
AHEAD_NS: Final = {ENTRY: 2 * SHORT_DAYS * _DAY_NS, CONTEXT: 2 * FAR_DAYS * _DAY_NS}
"""What concerns a period was entered no longer than this before it: so far ahead it may lie, and so long it may take. A
stop that goes on for longer, and was not entered again, is not found."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Context:
    """An order or a lot, of everything that was entered of it; moments in ns since 1970 UTC, None = not entered.

    Attributes:
        kind: `order` or `lot`.
        name: its number.
        line: where the lot was made; empty = not said.
        machine: the same.
        said: its fields, the newest word of each.
    """

    kind: str
    name: str
    line: str
    machine: str
    said: Entry

    @property
    def times(self) -> Order:
        """As `viewer.kpi.orders` takes it."""
        said = self.said
        return Order(
            confirmed_ns=said.confirmed,
            started_ns=said.start,
            completed_ns=said.end,
            due_ns=said.due,
            shipped_ns=said.shipped,
        )


@dataclass(frozen=True, slots=True)
class Entered:
    """What was entered of a site, a line or a machine, and concerns a period.

    Attributes:
        stops: reasons of stops, for `viewer.entries.stops.explained`.
        defects: pieces that were found to be bad.
        crews: people at work.
        contexts: orders and lots.
        inspections: final inspections: rejected, inspected.
        claims: returns and claims, deliveries.
        stock: stock takes: items that agree, items counted.
        stock_krw: values of the stock.
        accidents: people injured, people employed.
        near: near misses.
    """

    stops: tuple[Written, ...] = ()
    defects: tuple[Written, ...] = ()
    crews: tuple[Crew, ...] = ()
    contexts: tuple[Context, ...] = ()
    inspections: tuple[kpi.Entry, ...] = ()
    claims: tuple[kpi.Entry, ...] = ()
    stock: tuple[kpi.Entry, ...] = ()
    stock_krw: tuple[kpi.Entry, ...] = ()
    accidents: tuple[kpi.Entry, ...] = ()
    near: tuple[kpi.Entry, ...] = ()

    @property
    def orders(self) -> tuple[Order, ...]:
        """Orders; where none was entered, lots."""
        orders = tuple(one.times for one in self.contexts if one.kind == "order")
        return orders or tuple(one.times for one in self.contexts if one.kind == "lot")


def entries_of(store: Store, site: SiteKey, period: Span, line: str = "", machine: str = "") -> Entered:
    """What was entered of a site and concerns a period.

    Args:
        store: where it is asked for.
        site: company and site.
        period: start and end, ns since 1970 UTC.
        line: what was said of this line and its machines alone; empty = of the whole site.
        machine: what was said of this machine alone.

    Raises:
        DependencyError: the store cannot be reached.
    """
    found = [one for kind, ahead_ns in AHEAD_NS.items() for one in _records(store, kind, site, period[0] - ahead_ns)]
    return entered(counting(found), period, line, machine)


def written_in(store: Store, site: SiteKey, since_ns: int) -> list[Written]:
    """Every entry of a site that was entered at or after a moment, whether it counts or not, oldest first.

    Raises:
        DependencyError: the store cannot be reached.
    """
    found = [one for measurement in AHEAD_NS for one in _records(store, measurement, site, since_ns)]
    return sorted(found, key=lambda one: one.time_ns)


def _records(store: Store, measurement: str, site: SiteKey, since_ns: int) -> Iterator[Written]:
    for one in store.records(measurement, *site, since_ns):
        try:
            yield written_of(one.tags, one.time_ns, one.fields)
        except ValueError as error:
            log.warning("entry_not_understood", site="/".join(site), time_ns=one.time_ns, reason=str(error))


def entered(counts: Iterable[Written], period: Span, line: str = "", machine: str = "") -> Entered:
    """See `entries_of`; pure.

    Args:
        counts: what counts of one site, oldest first.
        period: start and end, ns since 1970 UTC.
        line: of these alone; empty = all.
        machine: of this alone; empty = all.
    """
    own = [one for one in counts if _is_of(one.entry, line, machine)]
    here = {kind: [one for one in own if one.entry.kind == kind and _concerns(one.entry, period)] for kind in _KINDS}
    crews = [(one.entry.start, one.entry.end, one.entry.value) for one in here["crew"]]
    return Entered(
        tuple(here["stop"]),
        tuple(here["defect"]),
        tuple(Crew(*one) for one in crews if None not in one),  # type: ignore[arg-type] # none of them is None
        tuple(one for one in contexts(own) if _context_concerns(one.said, period)),
        *(_numbers(here[kind]) for kind in _KINDS[3:]),
    )


_KINDS: Final = ("stop", "defect", "crew", "inspection", "claim", "stock", "stock_value", "accident", "near_miss")


def contexts(counts: Iterable[Written]) -> list[Context]:
    """Orders and lots: what is said of one in several entries is put together, of each field the newest word."""
    found: dict[tuple[str, str, str, str], Entry] = {}
    for one in counts:
        entry = one.entry
        if entry.kind not in {"order", "lot"}:
            continue
        key = (entry.kind, getattr(entry, entry.kind), entry.line or "", entry.machine or "")
        before = found.get(key)
        said = {name: value for name in Entry.model_fields if (value := getattr(entry, name)) not in {None, ""}}
        found[key] = before.model_copy(update=said) if before else entry
    return [Context(*key, said) for key, said in found.items()]


def _is_of(entry: Entry, line: str, machine: str) -> bool:
    return (not machine or entry.machine == machine) and (not line or entry.line == line)


def _concerns(entry: Entry, period: Span) -> bool:
    """Whether it happened in a period; what has an end, or goes on, concerns all the time until then."""
    if entry.start is None or entry.start >= period[1]:
        return False
    lasts = entry.kind == "stop" and entry.end is None
    return lasts or entry.start >= period[0] or (entry.end is not None and entry.end > period[0])


def _context_concerns(entry: Entry, period: Span) -> bool:
    """Whether any of its moments lies in a period, or it was under way."""
    moments = (entry.confirmed, entry.start, entry.end, entry.due, entry.shipped)
    if any(at_ns is not None and period[0] <= at_ns < period[1] for at_ns in moments):
        return True
    begun = entry.start is not None and entry.start < period[0]
    return begun and (entry.end is None or entry.end >= period[1])


def _numbers(found: Sequence[Written]) -> tuple[kpi.Entry, ...]:
    entries = [one.entry for one in found]
    return tuple(
        kpi.Entry(one.start, one.value, one.of or 0.0)
        for one in entries
        if one.start is not None and one.value is not None
    )
