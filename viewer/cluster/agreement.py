"""What a supplier shares with one ordering company: level, figures, from when to when, and who agreed. Pure.

Levels are those of the edge (docs/sharing.md); an agreement narrows what the store has and never widens it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Final

from pipelines.share.settings import LEVELS, Level
from viewer.kpi.catalog import CATALOG
from viewer.words import local

SHAREABLE: Final = tuple(
    code
    for code in CATALOG
    if code
    in {
        "P-OEE", "P-UTIL", "P-UPH", "P-LT", "P-MTBF", "P-MTTR", "Q-PDR", "Q-FDR", "C-KWH", "D-OTD", "D-O2S",
        "E-CO2.piece", "DQ-RATE",
    }
)  # fmt: skip
"""Figures that can be shared, in the order of the catalogue: none of money, people, accidents or other customers."""
OF_ORDERS: Final = frozenset({"P-LT", "D-OTD", "D-O2S"})
"""Of these, the ones that are made of the ordering company's own orders alone."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed.

    Attributes:
        level: `none`, `kpi`, `aggregate` or `raw`.
        kpis: codes of the figures, of `SHAREABLE`.
        compared: whether figures that are not shared count in medians over five and more such companies.
        customer: what the supplier calls the ordering company in its orders; empty = not said.
        since: first day on which it holds; nothing of a time before it is seen.
        until: last day; None = until it is withdrawn.
        consent_by: who of the supplier agreed; empty where nothing is shared.
        consent_on: when; None where nothing is shared.
        basis: where that is written, such as the number of a document.
    """

    level: Level
    kpis: tuple[str, ...] = ()
    compared: bool = False
    customer: str = ""
    since: date = date.min
    until: date | None = None
    consent_by: str = ""
    consent_on: date | None = None
    basis: str = ""

    @property
    def gives(self) -> bool:
        """Whether anything is shared at all, so that somebody has to have agreed."""
        return self.level != "none" or self.compared

    def lies_within(self, other: Terms) -> bool:
        """Whether these share nothing that those do not share, so that nobody has to agree anew."""
        return (
            LEVELS.index(self.level) <= LEVELS.index(other.level)
            and set(self.kpis) <= set(other.kpis)
            and self.compared <= other.compared
            and self.customer in {"", other.customer}
            and self.since >= other.since
            and (other.until is None or (self.until is not None and self.until <= other.until))
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """A version of what a supplier and an ordering company agreed on.

    Attributes:
        supplier: company that shares.
        ordering: company that sees.
        version: from 1 on; the newest holds.
        terms: what is agreed.
        made_ns: when it was written down, ns since 1970 UTC.
        made_by: log-in name of who did.
    """

    supplier: str
    ordering: str
    version: int
    terms: Terms
    made_ns: int
    made_by: str

    def state(self, today: date) -> str:
        """`none` = nothing is shared, `later` = not yet, `over` = no longer, `holds`."""
        if not self.terms.gives:
            return "none"
        if today < self.terms.since:
            return "later"
        return "over" if self.terms.until is not None and today > self.terms.until else "holds"

    def level_at(self, now_ns: int) -> Level:
        """What is shared at a moment, ns since 1970 UTC."""
        return self.terms.level if self.state(local(now_ns).date()) == "holds" else "none"

    def compared_at(self, now_ns: int) -> bool:
        """Whether figures that are not shared count in medians at a moment."""
        return self.terms.compared and self.state(local(now_ns).date()) == "holds"


def changes(before: Terms | None, after: Terms) -> str:
    """What is different, for the audit log: field, old and new."""
    pairs = ((one.name, _said(before, one.name), _said(after, one.name)) for one in fields(Terms))
    return "; ".join(f"{name}: {old} → {new}" for name, old, new in pairs if old != new)


def _said(terms: Terms | None, name: str) -> str:
    value = getattr(terms, name) if terms else None
    return " ".join(value) or "-" if isinstance(value, tuple) else "-" if value in {None, "", False} else str(value)
