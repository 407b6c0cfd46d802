"""Records that may be what ends sessions: a broker that hangs up on one does not say on which.

One on its way when sessions ended is suspected: it is sent last and alone, in a session that works, and in the end not
at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from pipelines.delivery.flight import Flight
from pipelines.journal.stored import Stored
from pipelines.topics import RecordId

_SUSPECTED: Final = 2
"""Sessions that ended before the broker answered for a record, after which it is sent last and alone."""
_ENDINGS: Final = 3
"""Sessions it ended alone, after which it is not sent any more."""

Flights = Mapping[RecordId, Flight]


class Suspicion:
    """Who is suspected, and whose turn it is.

    Args:
        flights: the window.

    Attributes:
        works: whether the broker answered for something in this session: what ends it now is what was sent.
    """

    def __init__(self, flights: Flights) -> None:
        self.works = False
        self._flights = flights
        self._waiting: deque[RecordId] = deque()
        self._lone: RecordId | None = None
        self._largest_heard = 0

    @property
    def waiting(self) -> Iterable[RecordId]:
        """Records that wait for their turn."""
        return self._waiting

    @property
    def ending(self) -> list[Stored]:
        """Records that ended a session each time they were sent; the broker does not take them."""
        return [flight.stored for flight in self._flights.values() if flight.alone >= _ENDINGS]

    @property
    def may_be_size(self) -> bool:
        """Whether something on its way is larger than all the broker answered for: it may be what ends sessions."""
        return any(flight.stored.size > self._largest_heard for flight in self._unheard())

    def heard(self, flight: Flight, *, taken: bool) -> None:
        """The broker answered for a record, and took it or did not."""
        flight.endings = flight.alone = 0
        if taken:
            self._largest_heard = max(self._largest_heard, flight.stored.size)

    def ended(self) -> None:
        """A session ended."""
        unheard = self._unheard()
        for flight in unheard:
            flight.endings += 1
            flight.alone += int(len(unheard) == 1 and self.works)
        self._lone = None

    def puts_off(self, flight: Flight) -> bool:
        """Whether it has to wait for its turn."""
        if flight.endings < _SUSPECTED:
            return False
        self._waiting.append(flight.stored.id)
        return True

    @property
    def keeps_silence(self) -> bool:
        """Whether a suspect is on its way: nothing else is sent until it is answered."""
        lone = self._flights.get(self._lone) if self._lone is not None else None
        if lone is not None and lone.sent_s and not lone.heard_s:
            return True
        self._lone = None
        return False

    def next(self) -> Flight | None:
        """The next suspect, alone and in a session that works."""
        while self.works and self._waiting and not self._unheard():
            record = self._waiting.popleft()
            flight = self._flights.get(record)
            if flight is not None and not flight.sent_s:
                self._lone = record
                return flight
        return None

    def _unheard(self) -> list[Flight]:
        return [flight for flight in self._flights.values() if flight.sent_s and not flight.heard_s]
