"""Records that were never sent, in the order of the journal; read from disk as they are wanted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.delivery.later import Later
from pipelines.journal.journal import Journal, Stored
from pipelines.journal.segment import Segment
from pipelines.topics import RecordId


@dataclass(slots=True)
class _Stretch:
    """Records of one segment: first bytes in [start, end)."""

    segment: Segment
    start: int
    end: int


class Backlog:
    """What waits on disk for its turn.

    Args:
        journal: open; everything in it from earlier processes is backlog.

    Attributes:
        later: what of it was stamped while the clock was ahead.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[_Stretch] = deque()
        self._reading: Iterator[Stored] | None = None
        self._head: Stored | None = None
        self._stretch: _Stretch
        self._found: tuple[Segment, dict[int, Stored]] | None = None
        self.later = Later()
        for segment in journal.segments[:-1]:
            if segment.open_records:
                self._waiting.append(_Stretch(segment, 0, segment.size))

    def __bool__(self) -> bool:
        return self._head is not None or self._reading is not None or bool(self._waiting)

    def add(self, stored: Stored) -> None:
        """A record that is newer than all that wait here."""
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.segment is stored.segment and last.end == stored.offset:
            last.end = stored.offset + stored.size
        else:
            self._waiting.append(_Stretch(stored.segment, stored.offset, stored.offset + stored.size))

    def found(self, segment: Segment) -> None:
        """A segment that the start had no time to read; it takes its place among those that wait."""
        stretches = [*self._waiting, _Stretch(segment, 0, segment.size)]
        self._waiting = deque(sorted(stretches, key=lambda one: (one.segment.sequence, one.start)))

    def peek(self) -> Stored | None:
        """The oldest record that waits; None when there is none.

        Raises:
            OSError: it cannot be read now.
        """
        self._waiting += [_Stretch(held.segment, held.start, held.end) for held in self.later.due()]
        while self._head is None or self._head.segment.deleted or self._head.id.counter in self._head.segment.done:
            self._head = None
            if self._reading is None:
                if not self._waiting:
                    return None
                self._stretch = stretch = self._waiting.popleft()
                if not stretch.segment.deleted:
                    self._reading = self._journal.walk(stretch.segment, stretch.start, stretch.end)
                continue
            try:
                stored = next(self._reading, None)
            except OSError:  # nothing was read of it yet
                self._reading = None
                self._waiting.appendleft(self._stretch)
                raise
            if stored is None:
                self._reading = None
            elif stored.payload_at[1]:
                self._head = None if self.later.takes(stored) else stored
            elif not stored.segment.deleted:
                self._journal.release(stored)
        return self._head

    def take(self) -> Stored | None:
        """The oldest record that waits; it waits no longer.

        Raises:
            OSError: it cannot be read now.
        """
        stored, self._head = self.peek(), None
        return stored

    def find(self, record: RecordId) -> Stored | None:
        """A record of an earlier process, wherever in the line it waits; None when it waits no longer.

        Raises:
            OSError: its segment cannot be read now.
        """
        epoch, counter = record
        segments = (one for one in self._journal.segments if one.epoch == epoch != self._journal.epoch)
        segment = max((one for one in segments if one.base < counter), key=lambda one: one.base, default=None)
        if segment is None or segment.deleted or counter in segment.done or self._journal.losses.concern(segment):
            return None
        if self._found is None or self._found[0] is not segment:  # they come about in the order of the journal
            waiting = self._journal.walk(segment, 0, segment.size)
            self._found = segment, {stored.id.counter: stored for stored in waiting}
        return self._found[1].get(counter)

    def caught_up(self) -> None:
        """Hardly anything is looked for from now on: the segment at hand would stay in memory while the agent runs."""
        self._found = None

    @property
    def oldest_ns(self) -> int | None:
        """Time of the oldest point that waits, of its segment where the record was not read yet; None without any."""
        if self._head is not None:
            return self._head.span_ns[0]
        spans = (one.segment.span_ns for one in self._waiting if not one.segment.deleted)
        return next((span[0] for span in spans if span), None)
