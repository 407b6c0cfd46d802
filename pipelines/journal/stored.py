"""A record in the journal, and what is given up of it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.errors import JournalCorrupt
from pipelines.journal.format import payload_of
from pipelines.journal.recovery import Missing
from pipelines.journal.segment import Segment
from pipelines.topics import RecordId

GONE: Final = frozenset({errno.ENOENT, errno.EIO})
"""Errors of a read that will be the same next time: no file, no readable sector."""


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
            JournalCorrupt: the bytes on disk are not those that were written, or cannot be read any more.
            OSError: the file cannot be read now.
        """
        try:
            payload = payload_of(self.segment.read(self.offset, self.size), self.id.counter)
        except OSError as error:
            if error.errno not in GONE:
                raise
            raise JournalCorrupt(self.segment.path, f"record {self.id} is gone: {error.strerror}") from error
        if payload is None:
            raise JournalCorrupt(self.segment.path, f"record {self.id} was altered on disk")
        return payload


@dataclass(slots=True)
class Copy:
    """A record that is not durable yet: where it is, its bytes, and the resume state it carries."""

    stored: Stored
    data: bytes
    resume: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """What is given up: told durably first, then counted, then gone.

    Attributes:
        cause: of the gap point.
        segment: where it was.
        stored: the record; None for more than one.
        missing: records that are not in the file any more; None for all that is open in the segment.
        open_records: how many of `missing` still count as open in the segment.
    """

    cause: Literal["dropped_at_cap", "journal_damaged"]
    segment: Segment
    stored: Stored | None = None
    missing: Missing | None = None
    open_records: int = 0

    @property
    def points(self) -> int | None:
        """Values that are lost with it; None where nothing tells how many."""
        if self.missing is not None:
            return self.missing.points
        return self.stored.points if self.stored else self.segment.open_points

    @property
    def span_ns(self) -> tuple[int, int]:
        """Oldest and newest time of it, as far as it is known; 0 = unknown."""
        if self.missing is not None:
            return self.missing.first_ns, self.missing.last_ns
        return self.stored.span_ns if self.stored else self.segment.span_ns or (0, 0)

    @property
    def is_whole(self) -> bool:
        """Whether the segment goes with it."""
        return self.stored is None and self.missing is None
