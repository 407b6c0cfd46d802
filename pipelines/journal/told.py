"""Gap points that are told but not stored yet: what is given up together with them must not be forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import orjson

from pipelines.journal.segment import Segment
from pipelines.journal.stored import GONE
from pipelines.topics import RecordId

_TOLD: Final = "\0told"
"""Key among the resume state: gap points by the record that tells them."""


class ToldGap(NamedTuple):
    """A gap point of the journal.

    Attributes:
        cause: `dropped_at_cap` or `journal_damaged`.
        start_ns: its time, ns since 1970 UTC.
        end_ns: its end.
        points: values in it; None = unknown.
    """

    cause: str
    start_ns: int
    end_ns: int
    points: int | None

    def with_(self, earlier: Iterable[ToldGap]) -> ToldGap:
        """This gap and earlier ones of its cause as one: it has the start of the first, whose point it updates."""
        gaps = [self, *(gap for gap in earlier if gap.cause == self.cause and gap is not self)]
        known = [gap.points for gap in gaps if gap.points is not None]
        return ToldGap(
            self.cause,
            min(gap.start_ns for gap in gaps),
            max(gap.end_ns for gap in gaps),
            sum(known) if known else None,
        )


class ToldGaps:
    """The book of them, which travels with the resume state."""

    def __init__(self) -> None:
        self._gaps: dict[tuple[str, int], list[ToldGap]] = {}

    def restore(self, resume: Mapping[str, bytes], epochs: Collection[str]) -> None:
        """What earlier processes told, of epochs that still have records here."""
        for epoch, counter, gaps in orjson.loads(resume.get(_TOLD, b"[]")):
            if epoch in epochs:
                self._gaps[epoch, counter] = [ToldGap(*gap) for gap in gaps]

    def released(self, record: RecordId) -> None:
        """A record is stored: what it tells needs to be told no more."""
        self._gaps.pop((record.epoch, record.counter), None)

    def inside(self, segment: Segment) -> dict[tuple[str, int], list[ToldGap]]:
        """Gaps told by records of a segment that are not stored; all that may be, where its file is gone.

        Raises:
            OSError: the file cannot be read now.
        """
        here = {key for key in self._gaps if key[0] == segment.epoch and key[1] not in segment.done}
        if here:
            try:
                here &= {(segment.epoch, head.counter) for head in segment.heads()}
            except OSError as error:
                if error.errno not in GONE:
                    raise
        return {key: gaps for key, gaps in self._gaps.items() if key in here}

    def telling(
        self, record: RecordId, gaps: list[ToldGap], instead_of: Collection[tuple[str, int]]
    ) -> dict[str, bytes]:
        """Resume state that goes with a record that tells `gaps`, among them those of `instead_of`."""
        book = self._after(record, gaps, instead_of)
        return {_TOLD: orjson.dumps([[*key, [list(gap) for gap in told]] for key, told in book.items()])}

    def told(self, record: RecordId, gaps: list[ToldGap], instead_of: Collection[tuple[str, int]]) -> None:
        """The record is appended."""
        self._gaps = self._after(record, gaps, instead_of)

    def _after(
        self, record: RecordId, gaps: list[ToldGap], instead_of: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], list[ToldGap]]:
        kept = {key: told for key, told in self._gaps.items() if key not in instead_of}
        return {**kept, (record.epoch, record.counter): gaps}
