"""A machine's energy, pieces and lots to points of measurement `energy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipelines.derive.counter import Total
from pipelines.derive.energy.book import Account, Book
from pipelines.derive.energy.factors import Factor, co2_kg, factor_at
from pipelines.derive.energy.span import HOUR_NS, Meter, Power
from pipelines.derive.packed import pack, unpack
from pipelines.derive.rule import Derived, Ref, Value
from pipelines.derive.settle import Reading, Settle
from pipelines.derive.usable import number, whole
from pipelines.point import BAD, SEVERITY_MASK

_AWAY_NS: Final = 60 * 10**9
"""After a restart that took longer, a power reported by exception is not taken for still in force."""
_HELD_NS: Final = 120 * 10**9
"""A power that says nothing for so long behind a full hour has not changed until then."""
_CARRIER: Final = "electricity"
COUNTS: Final = ("total", "good", "ng")


class EnergyRule:
    """Energy of one machine.

    Readings wait a little for each other (`Settle`). At equal times pieces count first, then energy, then a new lot: a
    piece belongs to the lot in which it was begun.

    Args:
        machine: whose energy it is.
        tags: tag of each role: `total`, `good`, `ng`, `meter`, `lot`, `product`.
        meter: of what the tag `meter` says.
        factors: emission factors.
        moduli: number of states of the counters of which it is known.
    """

    def __init__(
        self,
        machine: str,
        tags: Mapping[str, Ref],
        meter: Power | Meter,
        factors: Sequence[Factor],
        moduli: Mapping[Ref, int] | None = None,
    ) -> None:
        self.name = f"energy/{machine}"
        self.reads = frozenset(tags.values())
        self._machine = machine
        self._roles = {ref: [role for role, one in tags.items() if one == ref] for ref in self.reads}
        self._meter = meter
        self._factors = factors
        known = moduli or {}
        self._counters = {
            role: Total((known[ref],)) if ref in known else Total()
            for role, ref in tags.items()
            if (role in {"total", "ng"} and "good" not in tags) or role == "good"
        }
        self._settle = Settle()
        self._book = Book()
        self._heard_ns = 0
        self._lost = self._restored = False
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """See `Rule`."""
        for role in self._roles[ref]:
            for one in self._settle.take(Reading(time_ns, _ORDER[role], value, status)):
                self._settled(one)

    def tick(self, now_ns: int) -> None:
        """See `Rule`: what a power that does not change comes to by the hour, and hours that are over."""
        if self._restored and isinstance(self._meter, Power) and now_ns - self._heard_ns > _AWAY_NS:
            self._meter.last = None
        self._restored = False
        for one in self._settle.until(now_ns):
            self._settled(one)
        hour_ns = now_ns - _HELD_NS
        hour_ns -= hour_ns % HOUR_NS
        if isinstance(self._meter, Power) and (span := self._meter.until(hour_ns)):
            self._tell(self._book.energy(span))
        # Readings may be behind ticks, by much in a simulation that runs fast; a meter that is gone has none to come.
        self._tell(self._book.due(now_ns if self._lost else self._heard_ns))

    def moved(self, by_ns: int) -> None:
        """See `Rule`."""
        self._settle.moved(by_ns)
        self._meter.moved(by_ns)
        self._heard_ns += by_ns
        self._tell(self._book.moved(by_ns))

    def lines(self) -> Sequence[Derived]:
        """See `Rule`."""
        points, self._points = self._points, []
        return points

    def state(self) -> bytes:
        """See `Rule`."""
        meter, counters = self._meter, self._counters
        return pack(
            {
                "meter": [meter.last, *([meter.read_ns, meter.said_ns] if isinstance(meter, Power) else [])],
                "counters": {role: [one.raw, one.total] for role, one in counters.items()},
                "settle": self._settle.state(),
                "book": self._book.state(),
                "heard": [self._heard_ns, self._lost],
            }
        )

    def restore(self, state: bytes) -> None:
        """See `Rule`; a counter that was not there begins."""
        known: dict[str, Any] = unpack(state)
        try:
            last, *more = known["meter"]
            self._meter.last = (last[0], last[1]) if last else None
            if isinstance(self._meter, Power):
                self._meter.read_ns, self._meter.said_ns = more
            for role, one in self._counters.items():
                one.raw, one.total = known["counters"].get(role, (None, 0))
            self._settle = Settle.restored(known["settle"])
            self._book = Book.restored(known["book"])
            self._heard_ns, self._lost = known["heard"]
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            msg = f"not the state of {self.name}: {error!r}"
            raise ValueError(msg) from error
        self._restored = True

    def _settled(self, one: Reading) -> None:
        role = one.role[1:]
        self._heard_ns = max(self._heard_ns, one.time_ns)
        if role == "meter":
            self._lost = one.status & SEVERITY_MASK == BAD
            said = number(one.value, one.status)
            if span := self._meter.take(one.time_ns, said, one.status if said is not None else BAD):
                self._tell(self._book.energy(span))
        elif one.status & SEVERITY_MASK == BAD:
            return
        elif role in COUNTS:
            self._made(role, one)
        elif role == "lot":
            self._book.lot(one.time_ns, _text(one.value))
        else:
            self._book.product(_text(one.value))

    def _made(self, role: str, one: Reading) -> None:
        counter = self._counters.get(role)
        raw = whole(one.value, one.status)
        if counter is None or raw is None:
            return
        first, before = counter.raw is None, counter.total
        counter.take(raw, None)
        pieces = 0 if first else counter.total - before
        self._book.made(one.time_ns, -pieces if role == "ng" else pieces)

    def _tell(self, accounts: Sequence[Account]) -> None:
        self._points += [self._point(one) for one in accounts if one.quarters or one.lot]

    def _point(self, one: Account) -> Derived:
        per, length_ns = ("hour", HOUR_NS) if one.quarters else ("lot", (one.end_ns or 0) - one.start_ns)
        fields: dict[str, Value] = {"cover": min(100.0, round(100 * one.known_ns / length_ns, 3))}
        if one.lot:
            fields["lot"], fields["end"] = one.lot, one.end_ns or 0
            if one.product:
                fields["product"] = one.product
        if one.pieces is not None:
            fields["pieces"] = one.pieces
        if one.demand_kw is not None:
            fields["demand_kw"] = _short(one.demand_kw)
        if one.kwh is not None:
            fields["kwh"] = _short(one.kwh)
            if one.pieces is not None and one.pieces > 0:
                fields["kwh_per_piece"] = _short(one.kwh / one.pieces)
            if (factor := factor_at(self._factors, _CARRIER, one.start_ns)) is not None:
                fields["co2_kg"], fields["factor"] = _short(co2_kg(one.kwh, factor)), factor.value
                if not factor.verified:
                    fields["factor_verified"] = False
        return Derived("energy", self._machine, one.start_ns, fields, (("per", per),))


_ORDER: Final = {
    "total": "1total",
    "good": "1good",
    "ng": "1ng",
    "meter": "2meter",
    "lot": "3lot",
    "product": "4product",
}
"""Roles as they are taken at equal times."""


def _text(value: Value) -> str:
    text = str(value).strip()
    return "" if text in {"0", "0.0", "False"} else text


def _short(value: float) -> float:
    """Without digits that are none."""
    return float(f"{value:.9g}")
