"""What an ordering company sees of one supplier now: everything that its pages show comes through here.

A preview for the supplier is the same sight, drawn by the same page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Final

from pipelines.calendar import Span
from pipelines.share.settings import LEVELS, Level
from viewer.access.shared import Share, SharedStore
from viewer.catalog import Catalog, MachineInfo
from viewer.cluster.agreement import SHAREABLE, Agreement
from viewer.cluster.figures import computed, over, told
from viewer.cluster.kept import Allowance, Kept
from viewer.cluster.orders import OwnOrder, counted, own_orders
from viewer.entries.read import entries_of
from viewer.fleet.board import Fleet
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.result import Result
from viewer.site_info import SiteInfo
from viewer.stores.base import Store
from viewer.words import KST

_DAY_NS: Final = 86_400 * 10**9
BACK_NS: Final = 31 * _DAY_NS
AHEAD_NS: Final = 92 * _DAY_NS
"""Orders are shown that concern the time from so long ago until so far ahead."""
DELIVERY: Final = "D-OTD"
"""Whoever shares this figure shares how many of the ordering company's own orders stand how."""


@dataclass(frozen=True, slots=True)
class Around:
    """What sights are made of.

    Attributes:
        store: everything.
        catalog: everything that site files say.
        fleet: freshness of all companies.
        kept: figures that were computed a moment ago.
        allowance: of the page that is being drawn.
        now_ns: ns since 1970 UTC.
    """

    store: Store
    catalog: Catalog
    fleet: Fleet
    kept: Kept
    allowance: Allowance
    now_ns: int


@dataclass(frozen=True, slots=True)
class SiteSight:
    """One site of a supplier.

    Attributes:
        name: of the site.
        period: of the figures.
        figures: by code; only what is shared.
        orders: how many of the ordering company's own orders stand how; None = not shared.
        ready: whether the figures were computed already.
        label: what people see in place of the name, by language.
    """

    name: str
    period: Span
    figures: Mapping[str, Result] = field(default_factory=dict)
    orders: Mapping[str, int] | None = None
    ready: bool = True
    label: Mapping[str, str] = field(default_factory=dict)


class Sight:
    """What an agreement lets through now.

    Args:
        around: what it is made of.
        agreement: between the two; its newest version.

    Attributes:
        agreement: as given.
        level: that holds now; `none` before, after and without an agreement.
        store: readings and minutes, as far as the level goes.
    """

    def __init__(self, around: Around, agreement: Agreement) -> None:
        self._around = around
        self.agreement = agreement
        self.level: Level = agreement.level_at(around.now_ns)
        self.codes = agreement.terms.kpis if self.level != "none" else ()
        midnight = datetime.combine(agreement.terms.since, time(), KST)
        self.since_ns = int(midnight.timestamp()) * 10**9
        share = Share(agreement.supplier, self.level, self.since_ns)
        self.store = SharedStore(around.store, share, around.now_ns)

    @property
    def seen_ns(self) -> int | None:
        """When the newest usable reading came, ns since 1970 UTC; None = not since the agreement, or not shared.

        Raises:
            DependencyError: the store cannot be reached.
        """
        line = self._around.fleet.board().lines.get(self.agreement.supplier) if self.level != "none" else None
        return line.seen_ns if line and line.seen_ns is not None and line.seen_ns >= self.since_ns else None

    @property
    def freshness(self) -> Freshness:
        """By that.

        Raises:
            DependencyError: the store cannot be reached.
        """
        return freshness_of(self.seen_ns, self._around.now_ns)

    def sites(self, period: str) -> list[SiteSight]:
        """Figures of each site, of a period of `viewer.cluster.figures.PERIODS`.

        Raises:
            DependencyError: the store cannot be reached.
        """
        if self.level == "none":
            return []
        found = []
        for site in self._sites():
            span = self._span(site, period)
            whole = self._computed(site, span)
            shown = {one.code: told(one, self.level) for one in whole or () if one.code in self.codes}
            found.append(SiteSight(site.name, span, shown, self._counts(site), whole is not None, site.label))
        return found

    def unseen(self, period: str) -> dict[str, list[float | None]] | None:
        """Values of figures that are not told, of each site, where the supplier agreed that they count in medians.

        None = not all are computed yet.

        Raises:
            DependencyError: the store cannot be reached.
        """
        found: dict[str, list[float | None]] = {}
        if self.agreement.compared_at(self._around.now_ns):
            for site in self._sites():
                whole = self._computed(site, self._span(site, period))
                if whole is None:
                    return None
                for one in whole:
                    if one.code not in self.codes:
                        found.setdefault(one.code, []).append(one.value)
        return found

    def orders(self) -> list[tuple[str, OwnOrder]]:
        """Site and order, of the ordering company's own orders; nothing below `aggregate`.

        Raises:
            DependencyError: the store cannot be reached.
        """
        if not self._gives("aggregate") or DELIVERY not in self.codes:
            return []
        return [(site.name, one) for site in self._sites() for one in self._own_orders(site)]

    def machines(self) -> list[MachineInfo]:
        """Machines of the supplier; nothing below `aggregate`."""
        return [one for site in self._sites() for one in site.machines.values()] if self._gives("aggregate") else []

    def machine(self, site: str, name: str) -> MachineInfo | None:
        """One of them; None = there is none, or it is not shared."""
        return next((one for one in self.machines() if (one.site, one.name) == (site, name)), None)

    def _gives(self, level: Level) -> bool:
        return LEVELS.index(self.level) >= LEVELS.index(level)

    def _sites(self) -> list[SiteInfo]:
        sites = sorted(self._around.catalog.sites.items())
        return [one for key, one in sites if key[0] == self.agreement.supplier]

    def _span(self, site: SiteInfo, period: str) -> Span:
        """Whole production days, from the first day of the agreement on."""
        start_ns, end_ns = over(site.calendar, period, self._around.now_ns)
        return max(start_ns, site.calendar.day_span(self.agreement.terms.since)[0]), end_ns

    def _computed(self, site: SiteInfo, span: Span) -> Sequence[Result] | None:
        """Every figure that can be shared, so that one answer serves the page and the medians."""
        around, customer = self._around, self.agreement.terms.customer
        codes = SHAREABLE if self.agreement.terms.compared else self.codes
        key = (site.key, tuple(codes), span, customer)
        make = lambda: computed(around.store, site, codes, span, customer)  # noqa: E731
        return around.kept.get(key, around.now_ns, make, around.allowance)

    def _counts(self, site: SiteInfo) -> Mapping[str, int] | None:
        if DELIVERY not in self.codes or not self.agreement.terms.customer:
            return None
        return counted(self._own_orders(site))

    def _own_orders(self, site: SiteInfo) -> list[OwnOrder]:
        around = self._around
        span = (max(around.now_ns - BACK_NS, self.since_ns), around.now_ns + AHEAD_NS)
        contexts = entries_of(around.store, site.key, span).contexts
        return own_orders(contexts, self.agreement.terms.customer, around.now_ns)
