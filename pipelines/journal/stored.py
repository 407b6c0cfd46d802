"""A record in the journal, and what is given up of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.errors import JournalCorrupt
from pipelines.journal.format import record_at
from pipelines.journal.segment import Segment
from pipelines.topics import RecordId


@dataclass(frozen=True, slots=True)
class Stored:
    """A record in the journal.

    Attributes:
        id: its identity.
        segment: the segment it is in.
        offset: of its first byte.
        size: bytes it takes.
        points: values in it.
        payload_at: (offset, length) of the payload in the segment.
        span_ns: oldest and newest time in it, ns since 1970 UTC.
    """

    id: RecordId
    segment: Segment
    offset: int
    size: int
    points: int
    payload_at: tuple[int, int]
    span_ns: tuple[int, int]

    def payload(self) -> bytes:
        """The line protocol, read from the file and checked, so that nothing altered is ever sent.

        Raises:
            JournalCorrupt: the bytes on disk are not those that were written.
            OSError: the file cannot be read.
        """
        data = self.segment.read(self.offset, self.size)
        head = record_at(data, 0)
        if head is None or head.counter != self.id.counter:
            raise JournalCorrupt(self.segment.path, f"record {self.id} was altered on disk")
        start, length = head.payload
        return data[start : start + length]


@dataclass(frozen=True, slots=True)
class Loss:
    """What is given up: told durably first, then counted, then gone.

    Attributes:
        cause: of the gap point, `dropped_at_cap` or `journal_damaged`.
        segment: where it is.
        stored: the record; None for all that is open in the segment.
        first_ns: oldest time in it, ns since 1970 UTC.
        last_ns: newest time in it.
    """

    cause: Literal["dropped_at_cap", "journal_damaged"]
    segment: Segment
    stored: Stored | None
    first_ns: int
    last_ns: int

    @property
    def points(self) -> int:
        """Values that are lost with it."""
        return self.stored.points if self.stored else self.segment.open_points
