"""Which lot and product a machine made at some moments: what a tag said, else what people entered of its lots."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from viewer.catalog import MachineInfo
from viewer.entries.read import Context, entries_of
from viewer.overview import is_bad
from viewer.query.pieces import LOOK_BACK_NS
from viewer.site_info import SiteInfo
from viewer.stores.base import QUALITY, Store, Value

_NS: Final = 10**9
_LEAST_NS: Final = 60 * _NS
_POLLS: Final = 3
"""A tag that is polled says nothing of a moment for which it was left out more often than this."""


class Said(NamedTuple):
    """A lot or a product, and whether a person said so."""

    text: str
    manual: bool = False


def lots_and_products(
    store: Store, site: SiteInfo, machine: MachineInfo, times_ns: Sequence[int], *, entries: bool = True
) -> list[tuple[Said | None, Said | None]]:
    """Lot and product of each moment; None = nobody knows.

    Args:
        store: holds them.
        site: of the machine.
        machine: which makes them.
        times_ns: moments, ns since 1970 UTC, oldest first.
        entries: whether to look for what people entered, which reads the entries of months.

    Raises:
        DependencyError: the store cannot be reached.
    """
    if not times_ns:
        return []
    lots, products = (_told(store, site, ref, times_ns) for ref in (machine.lot, machine.product))
    if entries and (None in lots or None in products):
        found = entries_of(store, site.key, (times_ns[0], times_ns[-1] + 1)).contexts
        own = [one for one in found if one.said.start is not None and _made_by(one, machine)]
        own.sort(key=lambda one: (one.kind != "lot", -(one.said.start or 0)))
        entered = [next((one for one in own if _holds(one, at)), None) for at in times_ns]
        by_hand = [(_lot(one), _product(one)) for one in entered]
        lots = [one or other for one, (other, _) in zip(lots, by_hand, strict=True)]
        products = [one or other for one, (_, other) in zip(products, by_hand, strict=True)]
    return list(zip(lots, products, strict=True))


def said(value: Value) -> str:
    """A lot number or a product as it is written: no thousands separators."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _told(store: Store, site: SiteInfo, ref: tuple[str, str] | None, times_ns: Sequence[int]) -> list[Said | None]:
    """What a tag said last at each moment; nothing while it was bad, or was not heard for long."""
    owner = site.machines.get(ref[0]) if ref else None
    tag = owner.tags.get(ref[1]) if owner and ref else None
    if owner is None or tag is None:
        return [None] * len(times_ns)
    place, span = owner.place(), (times_ns[0], times_ns[-1] + 1)
    values: dict[int, Value | None] = {}
    for field in (tag.name + QUALITY, tag.name):  # of the same time the value goes before its quality
        before = store.before(place, field, span[0], span[0] - LOOK_BACK_NS)
        inside = store.points(place, field, *span)
        for points in (before, inside):
            for at, value in zip(points.time_ns.tolist(), points.value.tolist(), strict=True):
                if field == tag.name:
                    values[at] = value
                elif is_bad(int(value)):
                    values[at] = None
    known = sorted(values)
    holds_ns = None if tag.period_s is None else max(_LEAST_NS, round(_POLLS * tag.period_s * _NS))
    found: list[Said | None] = []
    for at in times_ns:
        last = known[which] if (which := bisect_right(known, at) - 1) >= 0 else None
        value = None if last is None or (holds_ns is not None and at - last > holds_ns) else values[last]
        found.append(None if value is None or value == "" else Said(said(value)))
    return found


def _made_by(one: Context, machine: MachineInfo) -> bool:
    """Whether an order or a lot is the machine's, or its line's where no machine was named."""
    return one.machine == machine.name or (not one.machine and bool(one.line) and one.line == machine.line)


def _holds(one: Context, at_ns: int) -> bool:
    start_ns, end_ns = one.said.start, one.said.end
    return start_ns is not None and start_ns <= at_ns and (end_ns is None or at_ns < end_ns)


def _lot(one: Context | None) -> Said | None:
    name = "" if one is None else one.name if one.kind == "lot" else one.said.lot
    return Said(name, manual=True) if name else None


def _product(one: Context | None) -> Said | None:
    return Said(one.said.product, manual=True) if one is not None and one.said.product else None
