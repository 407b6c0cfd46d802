"""Which record is sent next: live first, and beside it the backlog in the order of the journal.

Pure but for the journal it reads; time is handed in. A record leaves only when its store confirmed or refused it.
What is unconfirmed is sent again on reconnect; within a session only once the broker answered for it, after a long
silence or when later records overtook it by far: until then it is on a slow wire, and sending it again would only fill
that. Where the broker kept what came while nobody listened, all but what is live waits until that is heard.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Final

from pipelines.delivery.backlog import Backlog
from pipelines.delivery.drain import Drain
from pipelines.delivery.flight import Flight
from pipelines.delivery.later import Later
from pipelines.delivery.patience import Patience
from pipelines.delivery.suspicion import Suspicion
from pipelines.journal.journal import Journal, Stored
from pipelines.journal.segment import Segment
from pipelines.stats import FlowStats
from pipelines.topics import RecordId

WINDOW_BYTES: Final = 8 << 20
"""Bytes on their way and not yet confirmed; half of it is kept for live records. Less under a small cap of the journal:
segments with something on its way are not dropped there."""
_PART_OF_CAP: Final = 8
_MOST_RECORDS: Final = 512
"""Records in the window, half of it for live ones: each costs the MQTT client some 6 KiB, however small it is."""
_PROBE_S: Final = (0.2, 2.0)
"""First and longest wait between two records that ask whether somebody takes them by now."""
PACKET_TOO_LARGE: Final = 0x95


_Place = tuple[int, int, RecordId]
"""Sequence of the segment, offset, identity: what is sent again goes in the order of the journal."""


class Outbox:
    """The window over the journal.

    Args:
        journal: open; everything in it from earlier processes is backlog.
        stats: counters.
        is_durable: whether a record is committed; releases wait for it.
        drain_points_per_s: limit of the drain rate; 0 = as fast as the store takes it beside what is live.

    Attributes:
        drain: the backlog's share of the way.
        suspicion: of records that may be what ends sessions.
        deaf: why the broker delivers to nobody; empty when it does.
        parked: records that stay in the journal since nobody takes them.
        waits: whether the past is still to be heard, so that only what is live is sent.
    """

    def __init__(
        self, journal: Journal, stats: FlowStats, is_durable: Callable[[Stored], bool], drain_points_per_s: int = 0
    ) -> None:
        self._window = min(WINDOW_BYTES, journal.settings.max_bytes // _PART_OF_CAP)
        self._most = 2 * self._window  # with what was on its way in earlier sessions and waits to be sent again
        self.drain = Drain(self._window // 2, drain_points_per_s)
        self.deaf = ""
        self._journal = journal
        self._stats = stats
        self._is_durable = is_durable
        self._flights: dict[RecordId, Flight] = {}
        self._next: deque[RecordId] = deque()
        self._again: list[_Place] = []
        self._early: dict[RecordId, tuple[Stored, int, int]] = {}
        self.parked: dict[RecordId, Stored] = {}
        self._bytes = self._live_bytes = self._backlog_bytes = 0
        self._connected = self.waits = False
        self._backlog = Backlog(journal)
        self._patience = Patience()
        self._last_confirm_s = 0.0
        self._newest_confirmed_s = 0.0
        self._probe_s = 0.0
        self._probe_wait_s = 0.0
        self.suspicion = Suspicion(self._flights)

    @property
    def in_flight(self) -> int:
        """Records sent or about to be, and not confirmed."""
        return len(self._flights)

    @property
    def idle(self) -> bool:
        """Whether every record is confirmed and released, but for what waits for its time."""
        return not (self._flights or self._backlog or self._early or self.parked)

    @property
    def oldest_ns(self) -> int | None:
        """Time of the oldest point that is not confirmed, ns since 1970 UTC; None when there is none."""
        here = [*(flight.stored for flight in self._flights.values()), *self.parked.values()]
        times = [stored.span_ns[0] for stored in here]
        if (waiting := self._backlog.oldest_ns) is not None:
            times.append(waiting)
        return min(times, default=None)

    def found(self, segment: Segment) -> None:
        """A segment of an earlier process that the start had no time to read."""
        self._backlog.found(segment)

    def add(self, stored: Stored) -> None:
        """A record was appended."""
        on_way = self._live_bytes + self._backlog_bytes + stored.size
        if self._connected and not self.deaf and on_way <= self._window and self._has_room(_MOST_RECORDS):
            self._take(stored, historical=False)
            self._next.append(stored.id)
            return
        self._backlog.add(stored)

    def moved(self, old: Stored, new: Stored) -> None:
        """A record was written again elsewhere."""
        flight = self._flights.get(old.id)
        if flight is not None:
            flight.stored = new
        elif old.id in self._early:
            self._early[old.id] = (new, *self._early[old.id][1:])
        else:
            self.parked.pop(old.id, None)
            self.add(new)
            return
        old.segment.in_flight -= 1
        new.segment.in_flight += 1

    def connected(self, *, waits: bool = False) -> None:
        """A broker is there: everything unconfirmed is due; what of it `waits` until `caught_up`."""
        self._connected = True
        self.waits = waits
        self.suspicion.works = False
        self.deaf = ""
        self._next.clear()
        self._all_again()

    def caught_up(self) -> None:
        """What was confirmed while nobody listened is heard."""
        self.waits = False
        self._backlog.caught_up()

    def disconnected(self) -> None:
        """The broker is gone: nothing is sent."""
        if self._connected:
            self.suspicion.ended()
        self._connected = False

    @property
    def may_be_size(self) -> bool:
        """Whether something sent in this session is larger than all the broker answered for; see `Suspicion`."""
        return self._connected and self.suspicion.may_be_size

    def next(self, now_s: float) -> Flight | None:
        """The record to send now, marked as sent; None when there is nothing to do."""
        if not self._may_send(now_s):
            return None
        flight = self._live()
        if flight is None and not self.waits:
            flight = self._past(now_s)
        if flight is not None:
            if self.deaf:
                self._probe_wait_s = min(2 * self._probe_wait_s, _PROBE_S[1])
            flight.sent_s = self._probe_s = now_s
            flight.heard_s = 0.0
            self._stats.published += 1
            if flight.historical:
                self._backlog_bytes += flight.stored.size
                self.drain.sent(flight.stored.points)
        return flight

    def _past(self, now_s: float) -> Flight | None:
        """What is sent again, or was never sent; what may end sessions comes last."""
        flight = self._historical() if self.drain.allows(self._backlog_bytes, now_s) else None
        if flight is None and self.deaf:
            self._all_again()
            flight = self._historical()
        return flight or self.suspicion.next()

    def _may_send(self, now_s: float) -> bool:
        """Whether there is a broker, it takes records or may be asked again, and no suspect has to be alone."""
        asked = self.deaf and now_s - self._probe_s < self._probe_wait_s
        return self._connected and not asked and not self.suspicion.keeps_silence

    def heard(self, record: RecordId, code: int, reason: str, now_s: float) -> None:
        """The broker's answer to a publish (MQTT 5 §3.4.2.1): only 0x00 reached somebody; the others are kept.

        0x95, packet too large, is about this record and no other: whoever sent it puts it into quarantine.
        """
        self.suspicion.works = True
        if (answered := self._flights.get(record)) is not None:
            answered.heard_s = now_s
            self.suspicion.heard(answered, taken=code != PACKET_TOO_LARGE)
        if code == PACKET_TOO_LARGE:
            return
        if code == 0:
            if self.deaf:
                self.deaf = ""
                self._all_again(but=record)
            return
        if not self.deaf:
            self._probe_wait_s = _PROBE_S[0]
        self.deaf = reason
        if answered is not None and answered.sent_s:
            self._due(answered)

    def confirm(self, record: RecordId, now_s: float, *, refused_points: int = 0, expired_points: int = 0) -> bool:
        """The store has a record, but for what is in quarantine or too old. False when nobody waited for it.

        Raises:
            OSError: its segment cannot be read now.
        """
        flight = self._flights.get(record) or self._of_the_past(record)
        if flight is None:
            return False
        del self._flights[record]
        self._last_confirm_s = now_s
        if flight.sent_s:
            self._patience.learn(now_s - flight.sent_s)
            self._newest_confirmed_s = max(self._newest_confirmed_s, flight.sent_s)
            if flight.historical:
                self.drain.confirmed(flight.stored.size, flight.stored.points, flight.sent_s, now_s)
        self._land(flight)
        self._early[record] = (flight.stored, refused_points, expired_points)
        self.settle()
        return True

    def claim(self, record: RecordId) -> Stored | None:
        """A record in the window, or one that an earlier process sent: it is in the window then, and due.

        Raises:
            OSError: its segment cannot be read now.
        """
        flight = self._flights.get(record)
        if flight is None and self._has_room(_MOST_RECORDS) and (flight := self._of_the_past(record)) is not None:
            self._due(flight)
        return flight.stored if flight else None

    def give_up(self, record: RecordId) -> None:
        """A record that was altered on disk: never sent, dropped and told."""
        if flight := self._flights.get(record):
            self._leave(flight)
            self._journal.give_up(flight.stored)

    def park(self, record: RecordId) -> None:
        """Keep a record in the journal that can neither be stored nor kept elsewhere; it is in nobody's way."""
        if flight := self._flights.get(record):
            self._leave(flight)
            self.parked[record] = flight.stored

    def unpark(self) -> None:
        """Try again what was parked."""
        for stored in [one for one in self.parked.values() if not one.segment.deleted]:
            self._due(self._take(stored, historical=True))
        self.parked.clear()

    def settle(self) -> None:
        """Release what is confirmed and durable."""
        for stored, refused, expired in [one for one in self._early.values() if self._is_durable(one[0])]:
            del self._early[stored.id]
            stored.segment.in_flight -= 1
            self._journal.release(stored)
            self._stats.quarantined += refused
            self._stats.expired += expired
            self._stats.stored += stored.points - refused - expired

    def check(self, now_s: float) -> None:
        """Put on the way again what was lost: everything after a long silence, else only what was overtaken."""
        heard = [flight for flight in self._flights.values() if flight.sent_s and flight.heard_s]
        if not heard:
            return
        oldest = min(flight.heard_s for flight in heard)
        if now_s - max(oldest, self._last_confirm_s) > self._patience.silence_s:
            for flight in heard:
                self._due(flight)
                self._defer(flight)
            return
        limit_s = self._patience.overtaken_s
        for flight in heard:
            if flight.sent_s < self._newest_confirmed_s and now_s - flight.heard_s > limit_s:
                self._due(flight)

    def get(self, record: RecordId) -> Stored | None:
        """A record in the window."""
        flight = self._flights.get(record)
        return flight.stored if flight else None

    def _take(self, stored: Stored, *, historical: bool) -> Flight:
        flight = self._flights[stored.id] = Flight(stored, historical)
        self._bytes += stored.size
        self._live_bytes += 0 if historical else stored.size
        stored.segment.in_flight += 1
        return flight

    @property
    def later(self) -> Later:
        """Records stamped while the clock was ahead."""
        return self._backlog.later

    @later.setter
    def later(self, later: Later) -> None:
        self._backlog.later = later

    def _of_the_past(self, record: RecordId) -> Flight | None:
        """A record that an earlier process sent, in the window from now on."""
        stored = None if record in self.parked else self._backlog.find(record)
        return self._take(stored, historical=True) if stored else None

    def _leave(self, flight: Flight) -> None:
        """It goes out of the window without having been stored."""
        del self._flights[flight.stored.id]
        self._land(flight)
        flight.stored.segment.in_flight -= 1

    def _has_room(self, most_records: int) -> bool:
        return self._bytes <= self._most and len(self._flights) < most_records

    def _land(self, flight: Flight) -> None:
        """It is in the window no longer."""
        self._stop(flight)
        self._defer(flight)
        self._bytes -= flight.stored.size

    def _defer(self, flight: Flight) -> None:
        """It is live no longer."""
        if not flight.historical:
            self._live_bytes -= flight.stored.size
        flight.historical = True

    def _stop(self, flight: Flight) -> None:
        if flight.sent_s and flight.historical:
            self._backlog_bytes -= flight.stored.size
        flight.sent_s = 0.0

    def _due(self, flight: Flight) -> None:
        """It is to be sent again."""
        self._stop(flight)
        stored = flight.stored
        heapq.heappush(self._again, (stored.segment.sequence, stored.offset, stored.id))

    def _put_off(self, flight: Flight) -> bool:
        """Whether it waits for its time."""
        if waits := self.later.takes(flight.stored):
            self._leave(flight)
        return waits

    def _live(self) -> Flight | None:
        while self._next:
            flight = self._flights.get(self._next.popleft())
            if flight is not None and not flight.sent_s and not self._put_off(flight):
                return flight
        return None

    def _historical(self) -> Flight | None:
        """What is to be sent again or was never sent, whichever is older in the journal."""
        while self._again:
            sequence, offset, record = self._again[0]
            flight = self._flights.get(record)
            head = self._backlog.peek() if self._has_room(_MOST_RECORDS // 2) else None
            if flight is None or flight.sent_s:
                heapq.heappop(self._again)
            elif head is not None and (head.segment.sequence, head.offset) < (sequence, offset):
                break
            else:
                heapq.heappop(self._again)
                if not self._put_off(flight) and not self.suspicion.puts_off(flight):
                    return flight
        while self._has_room(_MOST_RECORDS // 2) and (stored := self._backlog.take()) is not None:
            if stored.id not in self._flights and stored.id not in self.parked:
                return self._take(stored, historical=True)
        return None

    def _all_again(self, *, but: RecordId | None = None) -> None:
        waiting = {*self._next, *self.suspicion.waiting}
        for record, flight in self._flights.items():
            if record != but and record not in waiting:
                self._stop(flight)
                self._defer(flight)
        again = [flight for record, flight in self._flights.items() if not flight.sent_s and record not in waiting]
        self._again = [(one.stored.segment.sequence, one.stored.offset, one.stored.id) for one in again]
        heapq.heapify(self._again)
