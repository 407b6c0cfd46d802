"""Which record is sent next: live first, what must be sent again, then the backlog beside it.

Pure but for the journal it reads; time is handed in. A record leaves only when its store confirmed or refused it.
What is unconfirmed is sent again on reconnect, after a long silence, or when later records overtook it by far. One
on its way when sessions ended is suspected of ending them: it is sent last and alone, and in the end not at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.journal.journal import Journal, Stored
from pipelines.journal.segment import Segment
from pipelines.stats import FlowStats
from pipelines.topics import RecordId

WINDOW_BYTES: Final = 8 << 20
"""Bytes sent and not yet confirmed; half of it is kept for live records."""
_SILENCE_S: Final = 30.0
_OVERTAKEN_S: Final = 5.0
_PROBE_S: Final = 2.0
_SUSPECTED: Final = 2
"""Sessions that ended before the broker answered for a record, after which it is sent last and alone."""
_ENDINGS: Final = 3
"""Sessions it ended alone, after which it is not sent any more."""
PACKET_TOO_LARGE: Final = 0x95


@dataclass(slots=True)
class Flight:
    """A record in the window.

    Attributes:
        stored: where it is.
        historical: whether it is sent as backlog.
        sent_s: monotonic time of the last send; 0 = waiting to be sent.
        heard: whether the broker answered for the last send.
        endings: sessions in a row that ended before it did.
        alone: of these, sessions that worked, with this record alone unanswered.
    """

    stored: Stored
    historical: bool
    sent_s: float = 0.0
    heard: bool = False
    endings: int = 0
    alone: int = 0


@dataclass(slots=True)
class _Stretch:
    """Records of one segment that were never sent: first bytes in [start, end)."""

    segment: Segment
    start: int
    end: int


class Outbox:
    """The window over the journal.

    Args:
        journal: open; everything in it from earlier processes is backlog.
        stats: counters.
        is_durable: whether a record is committed; releases wait for it.
    """

    def __init__(self, journal: Journal, stats: FlowStats, is_durable: Callable[[Stored], bool]) -> None:
        self._journal = journal
        self._stats = stats
        self._is_durable = is_durable
        self._flights: dict[RecordId, Flight] = {}
        self._next: deque[RecordId] = deque()
        self._again: deque[RecordId] = deque()
        self._early: dict[RecordId, tuple[Stored, int]] = {}
        self._bytes = 0
        self._connected = False
        self._backlog: deque[_Stretch] = deque()
        self._reading: Iterator[Stored] | None = None
        self._confirm_s: deque[float] = deque(maxlen=512)
        self._last_confirm_s = 0.0
        self._newest_confirmed_s = 0.0
        self.deaf = ""
        self._probe_s = 0.0
        self._suspects: deque[RecordId] = deque()
        self._lone: RecordId | None = None
        self._works = False
        for segment in journal.segments:
            if segment.open_records and segment is not journal.segments[-1]:
                self._backlog.append(_Stretch(segment, 0, segment.size))

    @property
    def in_flight(self) -> int:
        """Records sent or about to be, and not confirmed."""
        return len(self._flights)

    @property
    def idle(self) -> bool:
        """Whether every record is confirmed and released."""
        return not self._flights and not self._backlog and self._reading is None and not self._early

    @property
    def resend_after_s(self) -> float:
        """Silence after which everything unconfirmed is sent again: max(30 s, 4 × p99 of the confirmation time)."""
        times = sorted(self._confirm_s)
        return max(_SILENCE_S, 4 * times[len(times) * 99 // 100]) if times else _SILENCE_S

    def add(self, stored: Stored) -> None:
        """A record was appended."""
        if self._connected and not self.deaf and self._bytes + stored.size <= WINDOW_BYTES:
            self._take(stored, historical=False)
            self._next.append(stored.id)
            return
        last = self._backlog[-1] if self._backlog else None
        if last is not None and last.segment is stored.segment and last.end == stored.offset:
            last.end = stored.offset + stored.size
        else:
            self._backlog.append(_Stretch(stored.segment, stored.offset, stored.offset + stored.size))

    def moved(self, old: Stored, new: Stored) -> None:
        """A record was written again elsewhere."""
        flight = self._flights.get(old.id)
        if flight is not None:
            flight.stored = new
        elif old.id in self._early:
            self._early[old.id] = (new, self._early[old.id][1])
        else:
            self.add(new)
            return
        old.segment.in_flight -= 1
        new.segment.in_flight += 1

    def connected(self) -> None:
        """A broker is there: everything unconfirmed is due."""
        self._connected = True
        self._works = False
        self.deaf = ""
        self._all_again()

    def works(self) -> None:
        """The broker answered for something else in this session: what ends it now is what was sent."""
        self._works = True

    def disconnected(self) -> None:
        """The broker is gone: nothing is sent."""
        if self._connected:
            unheard = self._unheard()
            for flight in unheard:
                flight.endings += 1
                flight.alone += int(len(unheard) == 1 and self._works)
        self._connected = False
        self._lone = None

    @property
    def ending(self) -> list[Stored]:
        """Records that ended a session each time they were sent; the broker does not take them."""
        return [flight.stored for flight in self._flights.values() if flight.alone >= _ENDINGS]

    def next(self, now_s: float) -> Flight | None:
        """The record to send now, marked as sent; None when there is nothing to do."""
        if not self._connected:
            return None
        if self.deaf and now_s - self._probe_s < _PROBE_S:
            return None
        if self._lone is not None:
            lone = self._flights.get(self._lone)
            if lone is not None and lone.sent_s and not lone.heard:
                return None
            self._lone = None
        flight = self._pop(self._next) or self._pop(self._again)
        if flight is None and self._bytes < WINDOW_BYTES // 2:
            flight = self._from_backlog()
        if flight is None and self.deaf:
            self._all_again()
            flight = self._pop(self._again)
        if flight is None and self._suspects:
            flight = self._suspect()
        if flight is not None:
            flight.sent_s = self._probe_s = now_s
            flight.heard = False
            self._stats.published += 1
        return flight

    def heard(self, record: RecordId, code: int, reason: str) -> None:
        """The broker's answer to a publish (MQTT 5 §3.4.2.1): only 0x00 reached somebody; the others are kept.

        0x95, packet too large, is about this record and no other: whoever sent it puts it into quarantine.
        """
        self._works = True
        if (answered := self._flights.get(record)) is not None:
            answered.heard = True
            answered.endings = answered.alone = 0
        if code == PACKET_TOO_LARGE:
            return
        if code == 0:
            if self.deaf:
                self.deaf = ""
                self._all_again(but=record)
            return
        self.deaf = reason
        flight = self._flights.get(record)
        if flight is not None and flight.sent_s:
            flight.sent_s = 0.0
            self._again.append(record)

    def confirm(self, record: RecordId, now_s: float, *, refused_points: int = 0) -> bool:
        """The store has a record, but for `refused_points` that are in quarantine. False when it was not in flight."""
        flight = self._flights.pop(record, None)
        if flight is None:
            return False
        self._bytes -= flight.stored.size
        self._last_confirm_s = now_s
        if flight.sent_s:
            self._confirm_s.append(now_s - flight.sent_s)
            self._newest_confirmed_s = max(self._newest_confirmed_s, flight.sent_s)
        self._early[record] = (flight.stored, refused_points)
        self.settle()
        return True

    def give_up(self, record: RecordId) -> None:
        """A record that was altered on disk: never sent, dropped and told."""
        flight = self._flights.pop(record, None)
        if flight is not None:
            self._bytes -= flight.stored.size
            flight.stored.segment.in_flight -= 1
            self._journal.give_up(flight.stored)

    def settle(self) -> None:
        """Release what is confirmed and durable."""
        for stored, refused in [one for one in self._early.values() if self._is_durable(one[0])]:
            del self._early[stored.id]
            stored.segment.in_flight -= 1
            self._journal.release(stored)
            self._stats.quarantined += refused
            self._stats.stored += stored.points - refused

    def check(self, now_s: float) -> None:
        """Put on the way again what was lost: everything after a long silence, else only what was overtaken."""
        sent = [flight for flight in self._flights.values() if flight.sent_s]
        if not sent:
            return
        oldest = min(flight.sent_s for flight in sent)
        if now_s - max(oldest, self._last_confirm_s) > self.resend_after_s:
            self._all_again()
            return
        limit = max(_OVERTAKEN_S, self.resend_after_s - _SILENCE_S)
        for flight in sent:
            if flight.sent_s < self._newest_confirmed_s and now_s - flight.sent_s > limit:
                flight.sent_s = 0.0
                self._again.append(flight.stored.id)

    def get(self, record: RecordId) -> Stored | None:
        """A record in the window."""
        flight = self._flights.get(record)
        return flight.stored if flight else None

    def _take(self, stored: Stored, *, historical: bool) -> Flight:
        flight = self._flights[stored.id] = Flight(stored, historical)
        self._bytes += stored.size
        stored.segment.in_flight += 1
        return flight

    def _pop(self, queue: deque[RecordId]) -> Flight | None:
        while queue:
            flight = self._flights.get(queue.popleft())
            if flight is not None and not flight.sent_s:
                if flight.endings < _SUSPECTED:
                    return flight
                self._suspects.append(flight.stored.id)
        return None

    def _suspect(self) -> Flight | None:
        """The next suspected record, alone and in a session that works; nothing else is sent until it is answered."""
        while self._works and self._suspects and not self._unheard():
            record = self._suspects.popleft()
            flight = self._flights.get(record)
            if flight is not None and not flight.sent_s:
                self._lone = record
                return flight
        return None

    def _unheard(self) -> list[Flight]:
        return [flight for flight in self._flights.values() if flight.sent_s and not flight.heard]

    def _all_again(self, *, but: RecordId | None = None) -> None:
        waiting = {*self._next, *self._again, *self._suspects}
        for record, flight in self._flights.items():
            if record != but and (flight.sent_s or record not in waiting):
                flight.sent_s = 0.0
                flight.historical = True
                self._again.append(record)

    def _from_backlog(self) -> Flight | None:
        while self._reading is not None or self._backlog:
            if self._reading is None:
                stretch = self._backlog.popleft()
                if stretch.segment.deleted:
                    continue
                self._reading = self._journal.walk(stretch.segment, stretch.start, stretch.end)
            stored = next(self._reading, None)
            if stored is None:
                self._reading = None
            elif not stored.segment.deleted and stored.id not in self._flights:
                if stored.payload_at[1]:
                    return self._take(stored, historical=True)
                self._journal.release(stored)
        return None
