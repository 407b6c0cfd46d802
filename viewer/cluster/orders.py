"""Orders of one ordering company at a supplier: how many are late, under way, shipped, and which. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from viewer.cluster.figures import is_of
from viewer.entries.read import Context

STATES: Final = ("late", "made", "under_way", "waiting", "shipped_late", "shipped")
"""Of an order, those first that somebody asks about."""


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order as the company that placed it sees it; moments in ns since 1970 UTC, None = not entered.

    Attributes:
        number: of the order.
        product: as the supplier calls it.
        pieces: how many.
        due_ns: when it is to be delivered by.
        started_ns: when work on it was begun.
        completed_ns: when it was made.
        shipped_ns: when it was shipped.
        state: one of `STATES`.
    """

    number: str
    product: str
    pieces: float | None
    due_ns: int | None
    started_ns: int | None
    completed_ns: int | None
    shipped_ns: int | None
    state: str


def own_orders(contexts: Iterable[Context], customer: str, now_ns: int) -> list[OwnOrder]:
    """Orders of a customer, those that are late first, then by when they are due.

    Args:
        contexts: orders and lots of the supplier.
        customer: as the supplier calls it.
        now_ns: ns since 1970 UTC.
    """
    found = [_order(one, now_ns) for one in contexts if is_of(one, customer)]
    return sorted(found, key=lambda one: (STATES.index(one.state), one.due_ns is None, one.due_ns or 0, one.number))


def counted(orders: Sequence[OwnOrder]) -> dict[str, int]:
    """How many there are of each state."""
    return {state: sum(one.state == state for one in orders) for state in STATES}


def _order(context: Context, now_ns: int) -> OwnOrder:
    said = context.said
    return OwnOrder(
        context.name, said.product, said.value, said.due, said.start, said.end, said.shipped, _state(context, now_ns)
    )


def _state(context: Context, now_ns: int) -> str:
    said = context.said
    if said.shipped is not None and said.shipped <= now_ns:
        return "shipped_late" if said.due is not None and said.shipped > said.due else "shipped"
    if said.due is not None and said.due < now_ns:
        return "late"
    if said.end is not None and said.end <= now_ns:
        return "made"
    return "under_way" if said.start is not None and said.start <= now_ns else "waiting"
