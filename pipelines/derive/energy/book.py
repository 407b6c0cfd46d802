"""One machine's energy by hour and by lot, with the pieces made in it.

Energy comes as spans, which are cut at full hours and where the lot changes; pieces count where they were made. An hour
or lot is told once its energy is known to its end, or some time after its end when the meter says nothing; what comes
for it later tells it again, whole. Full hours of UTC are full hours of Korea.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pipelines.derive.counter import within
from pipelines.derive.energy.span import HOUR_NS, Span

QUARTER_NS: Final = HOUR_NS // 4
_PATIENCE_NS: Final = 120 * 10**9
"""Longest wait for the meter after the end of an hour or a lot."""
_MOST: Final = 72
"""Hours, and lots, that are kept open for a meter that is silent; the oldest are given up beyond."""
_MOST_CLOSED: Final = 2
_WHOLE: Final = 0.95
"""Part of a quarter of an hour that must be known for its mean to count as demand."""


@dataclass(slots=True)
class Account:
    """Energy and pieces of an hour or a lot.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: its end; None = it goes on.
        lot: the lot, in force from its beginning; of an hour empty.
        product: what was made, as far as it is known.
        kwh: energy; None where the meter said nothing.
        known_ns: time with a known power.
        pieces: made in it; None where nothing counts them.
        quarters: energy and known time of each quarter of an hour; of a lot empty.
        fresh: whether there is something that was not told.
    """

    start_ns: int
    end_ns: int | None
    lot: str = ""
    product: str = ""
    kwh: float | None = None
    known_ns: int = 0
    pieces: int | None = None
    quarters: list[tuple[float, int]] = field(default_factory=list)
    fresh: bool = False

    @property
    def demand_kw(self) -> float | None:
        """Greatest mean power of a quarter of an hour by the clock; None while none is known as good as whole."""
        means = [kwh * HOUR_NS / known for kwh, known in self.quarters if known >= _WHOLE * QUARTER_NS]
        return max(means, default=None)

    def add(self, span: Span) -> None:
        """Take in the energy of a span, as far as it lies within."""
        end_ns = span.end_ns if self.end_ns is None else self.end_ns
        if min(end_ns, span.end_ns) <= max(self.start_ns, span.start_ns):
            return
        self.kwh = (self.kwh or 0.0) + span.kwh(self.start_ns, end_ns)
        self.known_ns += span.known_ns(self.start_ns, end_ns)
        for index, (kwh, known) in enumerate(self.quarters):
            start_ns = self.start_ns + index * QUARTER_NS
            quarter = start_ns, start_ns + QUARTER_NS
            self.quarters[index] = kwh + span.kwh(*quarter), known + span.known_ns(*quarter)
        self.fresh = True


@dataclass(slots=True)
class Book:
    """The accounts of one machine.

    Attributes:
        hours: open ones by their beginning, oldest first.
        lots: the same; the last one is in force. Time without a lot is a lot without a name.
        closed: the hours that were closed last: a clock that is set back, or forward and back, opens them again.
        read_ns: end of the energy that is in the accounts.
    """

    hours: list[Account] = field(default_factory=list)
    lots: list[Account] = field(default_factory=list)
    closed: list[Account] = field(default_factory=list)
    read_ns: int = 0

    def energy(self, span: Span) -> list[Account]:
        """Take in a span; the accounts that are complete by it."""
        self.read_ns = max(self.read_ns, span.end_ns)
        first_ns = max(span.start_ns, span.end_ns - _MOST * HOUR_NS)  # older hours would be given up at once
        for start_ns in range(first_ns - first_ns % HOUR_NS, span.end_ns, HOUR_NS):
            self._hour(start_ns).add(span)
        for one in self.lots:
            one.add(span)
        return self._complete()

    def made(self, time_ns: int, pieces: int) -> None:
        """Pieces were made until now; those of an hour that is closed count as made just behind it."""
        time_ns = max(time_ns, self.read_ns - self.read_ns % HOUR_NS)
        where = [self._hour(time_ns - time_ns % HOUR_NS), *[one for one in self.lots if one.start_ns <= time_ns][-1:]]
        for one in where:
            one.pieces = within((one.pieces or 0) + pieces)
            one.fresh = one.fresh or pieces > 0

    def lot(self, time_ns: int, lot: str) -> None:
        """From now on this lot is made; empty = none."""
        if self.lots:
            last = self.lots[-1]
            if last.lot == lot or time_ns <= last.start_ns:
                return
            last.end_ns = time_ns
            last.fresh = True
        self.lots.append(Account(time_ns, None, lot))
        del self.lots[:-_MOST]

    def product(self, product: str) -> None:
        """What the lot in force makes."""
        if self.lots:
            self.lots[-1].product = product

    def due(self, now_ns: int) -> list[Account]:
        """Accounts whose end is so long ago that they are told as they are; they stay open."""
        late = [
            one
            for one in [*self.hours, *self.lots]
            if one.fresh and one.end_ns is not None and one.end_ns + _PATIENCE_NS <= now_ns
        ]
        return _told(late)

    def moved(self, by_ns: int) -> list[Account]:
        """The clock was set: lots that are over, and hours that are to come again, are told as they are.

        The lot in force is as old as before.
        """
        self.read_ns += by_ns
        over = [one for one in self.lots if one.end_ns is not None]
        self.lots = [one for one in self.lots if one.end_ns is None]
        for one in self.lots:
            one.start_ns += by_ns
        ahead = [one for one in self.hours if one.start_ns > self.read_ns]
        self._close(ahead)
        return _told([one for one in [*ahead, *over] if one.fresh])

    def _hour(self, start_ns: int) -> Account:
        for one in reversed(self.hours):
            if one.start_ns == start_ns:
                return one
        again = [one for one in self.closed if one.start_ns == start_ns]
        self.closed = [one for one in self.closed if one.start_ns != start_ns]
        made = again[0] if again else Account(start_ns, start_ns + HOUR_NS, quarters=[(0.0, 0)] * 4)
        self.hours = sorted([*self.hours, made], key=lambda one: one.start_ns)[-_MOST:]
        return made

    def _complete(self) -> list[Account]:
        """Those whose energy is known to their end; they are closed."""
        ended = [one for one in [*self.hours, *self.lots] if one.end_ns is not None and one.end_ns <= self.read_ns]
        self._close([one for one in self.hours if one in ended])
        self.lots = [one for one in self.lots if one not in ended]
        return _told([one for one in ended if one.fresh])

    def _close(self, hours: list[Account]) -> None:
        self.hours = [one for one in self.hours if one not in hours]
        self.closed = [*self.closed, *hours][-_MOST_CLOSED:]

    def state(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Book:
        """The inverse of `state`."""
        hours, lots, closed = ([_restored(one) for one in state[key]] for key in ("hours", "lots", "closed"))
        return cls(hours, lots, closed, state["read_ns"])


def _restored(state: dict[str, Any]) -> Account:
    return Account(**{**state, "quarters": [(kwh, known) for kwh, known in state["quarters"]]})


def _told(accounts: list[Account]) -> list[Account]:
    for one in accounts:
        one.fresh = False
    return accounts
