"""What the registers of a range most probably hold: the cheapest story that covers all of them. Pure.

The registers are cut into values, each read in some way; the price of a cut is the price of its values (`score`) and of
every change of type or order between neighbours, since a device keeps one order throughout. The best cut is found by
dynamic programming (Viterbi) from both ends, which also prices every other reading at its best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from connectors.modbus.probe.reading import ODD_LAYOUTS, WAYS, Column, Way, Words, read
from connectors.modbus.probe.score import IMPOSSIBLE_BITS, Bits, cost

_KIND_BITS: Final = {
    "uint16": 0.0, "int16": 1.0, "uint32": 1.0, "int32": 1.5, "float32": 0.0, "uint64": 3.0, "int64": 3.0,
    "float64": 2.0, "bcd16": 5.0, "bcd32": 6.0, "text": 12.0,
}  # fmt: skip
"""How rare a type is; paid once for every run of it."""
_ORDER_BITS: Final = {"ABCD": 0.0, "CDAB": 0.5, "DCBA": 2.0, "BADC": 3.0}
_NEW_KIND_BITS: Final = 3.0
_NEW_ORDER_BITS: Final = 12.0
_ODD_LAYOUT_BITS: Final = 3.0
"""A 64-bit layout that neither word order explains."""
_FEW: Final = 4
_DOUBT: Final = 0.5
"""How much a bit of difference counts in the score: below 1, since the prices are estimates."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read one place.

    Attributes:
        way: type and order.
        value: value of every read: float, int or text.
        score: share of the plausibility of all readings of the place, 0-1.
        bits: price of the value alone.
    """

    way: Way
    value: tuple[Any, ...]
    score: float
    bits: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A value in the best cut, and what else it could be.

    Attributes:
        address: first register, as on the wire.
        readings: best first; the first is the one of the best cut.
    """

    address: int
    readings: tuple[Reading, ...]

    @property
    def best(self) -> Reading:
        """The most plausible reading."""
        return self.readings[0]


def _switch() -> Bits:
    """Price of going from one way to another, shape (ways, ways)."""
    out = np.zeros((len(WAYS), len(WAYS)))
    for i, before in enumerate(WAYS):
        for j, after in enumerate(WAYS):
            if before != after:
                out[i, j] = _NEW_KIND_BITS + _begin(after)
                if before.order != after.order:
                    out[i, j] += _NEW_ORDER_BITS
    return out


def _begin(way: Way) -> float:
    odd = _ODD_LAYOUT_BITS if way.layout in ODD_LAYOUTS else 0.0
    return _KIND_BITS[way.kind] + _ORDER_BITS[way.order] + odd


_SWITCH: Final = _switch()
_BEGIN: Final = np.array([_begin(way) for way in WAYS])
_WIDTH: Final = np.array([way.width for way in WAYS])
_WIDTHS: Final = (1, 2, 4)
_CODED: Final = frozenset({"text", "bcd16", "bcd32"})


def explain(words: Words, address: int, agreed: str = "") -> list[Spot]:
    """The best cut of a range without holes.

    Args:
        words: uint16, shape (reads, registers).
        address: of the first register.
        agreed: order that the rest of the device has; empty = nothing is known.
    """
    n = words.shape[1]
    values = [read(words, way) for way in WAYS]
    price = np.full((n, len(WAYS)), np.inf)
    for j, way in enumerate(WAYS):
        if n >= way.width:
            price[: n - way.width + 1, j] = cost(values[j], way)
    begin = _BEGIN + np.array([_NEW_ORDER_BITS * (agreed not in {"", way.order}) for way in WAYS])
    enter, leave = _enter(price, begin), _leave(price)
    total = np.full(price.shape, np.inf)
    for width in _WIDTHS:
        ways = width == _WIDTH
        places = n - width + 1
        if places > 0:
            total[:places, ways] = (enter[:n] + price)[:places, ways] + leave[width : n + 1, ways]
    spots, place, last = [], 0, -1
    while place < n:
        onward = total[0] if last < 0 else _SWITCH[last] + total[place] - enter[place]
        last = int(np.argmin(onward))
        spots.append(Spot(address + place, _ranked(total[place], price[place], values, place, last)))
        place += WAYS[last].width
    return _joined(spots)


def order_of(spots: list[Spot]) -> str:
    """The order that most values of several words have; empty when there are none."""
    votes: dict[str, float] = {}
    for spot in spots:
        best = spot.best
        if best.way.width > 1 and best.way.kind != "text" and any(best.value):
            votes[best.way.order] = votes.get(best.way.order, 0.0) + best.score
    return max(votes, key=lambda order: votes[order]) if votes else ""


def _enter(price: Bits, begin: Bits) -> Bits:
    """Cheapest way to come to a place and to read on there in a given way, shape (n, ways)."""
    n = len(price)
    reach = np.full((n + max(_WIDTHS), len(WAYS)), np.inf)
    enter = np.empty(price.shape)
    for place in range(n):
        enter[place] = begin if place == 0 else (reach[place][:, None] + _SWITCH).min(axis=0)
        for width in _WIDTHS:
            ways = width == _WIDTH
            reach[place + width, ways] = (enter[place] + price[place])[ways]
    return enter


def _leave(price: Bits) -> Bits:
    """Cheapest way from a place to the end when a given way was the last, shape (n + 1, ways)."""
    n = len(price)
    leave = np.full((n + max(_WIDTHS), len(WAYS)), np.inf)
    leave[n] = 0.0
    for place in range(n - 1, 0, -1):
        onward = price[place] + leave[place + _WIDTH, np.arange(len(WAYS))]
        leave[place] = (_SWITCH + onward).min(axis=1)
    return leave[: n + 1]


def _ranked(total: Bits, price: Bits, values: list[Column], place: int, best: int) -> tuple[Reading, ...]:
    """Every possible reading of a place, the one of the best cut first, then the more plausible."""
    least = total[best]
    told: dict[tuple[Any, ...], Reading] = {}
    for j in sorted(np.flatnonzero(np.isfinite(total)).tolist(), key=lambda j: (j != best, total[j])):
        way = WAYS[j]
        value = tuple(_plain(one) for one in values[j][:, place].tolist())
        if price[j] >= IMPOSSIBLE_BITS and way.kind in _CODED:
            continue
        same = (way.kind.removeprefix("u"), way.layout, repr(value))
        told.setdefault(same, Reading(way, value, float(least - total[j]), float(price[j])))
    weights = [2.0 ** min(0.0, _DOUBT * one.score) for one in told.values()]
    readings = [replace(one, score=weight / sum(weights)) for one, weight in zip(told.values(), weights, strict=True)]
    return tuple(readings if any(readings[0].value) else readings[:_FEW])  # of 0 there is little to say


def _plain(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _joined(spots: list[Spot]) -> list[Spot]:
    """Neighbouring registers of text as one text."""
    out: list[Spot] = []
    for spot in spots:
        best = spot.best
        last = out[-1].best if out else best
        if out and best.way.kind == last.way.kind == "text" and best.way.layout == last.way.layout:
            way = replace(last.way, width=last.way.width + 1)
            value = tuple(a.ljust(2 * last.way.width, "\0") + b for a, b in zip(last.value, best.value, strict=True))
            out[-1] = Spot(out[-1].address, (Reading(way, value, max(last.score, best.score), last.bits + best.bits),))
        else:
            out.append(spot)
    return out
