"""Losses of the journal as gap points of the agent, in records of the journal itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from pipelines.clock import Clock
from pipelines.encode.gap import gap_line
from pipelines.errors import JournalFull
from pipelines.journal.journal import Journal
from pipelines.journal.stored import Loss, Stored
from pipelines.journal.told import ToldGap
from pipelines.place import Place
from pipelines.point import Gap

_MOST: Final = 256
"""Most losses in one record."""


class Teller:
    """Tells what is given up; it is counted and goes when that is durable.

    Args:
        journal: open.
        clock: for losses of which no time is known.
        place: where the points stand.
    """

    def __init__(self, journal: Journal, clock: Clock, place: Place) -> None:
        self._journal = journal
        self._clock = clock
        self._place = place
        self._telling: list[Loss] = []
        self._starts: deque[tuple[str, int]] = deque(maxlen=_MOST)

    def tell(self) -> Iterator[Stored]:
        """Append what is not told yet, record by record; none is to be sent before it is durable.

        Raises:
            JournalFull: no room, or what goes cannot be read now; what is appended so far is told.
        """
        while losses := self._journal.losses.pending[len(self._telling) :][:_MOST]:
            stored = self._append(losses)
            self._telling += losses
            yield stored

    def durable(self) -> None:
        """Everything that was appended is on disk."""
        telling, self._telling = self._telling, []
        self._journal.losses.told(telling)

    def _append(self, losses: list[Loss]) -> Stored:
        """One record; gap points that go with a segment, told there and not stored yet, are told here in its stead."""
        book, record = self._journal.losses.gaps, self._journal.next_id
        told: list[ToldGap] = []
        carried: dict[tuple[str, int], list[ToldGap]] = {}
        for loss, inside in [(loss, self._inside(loss)) for loss in losses]:
            carried |= inside
            before = [gap for gaps in inside.values() for gap in gaps]
            others = {gap.cause for gap in before} - {loss.cause}
            told.append(self._gap(loss).with_(before))
            told += [next(gap for gap in before if gap.cause == cause).with_(before) for cause in sorted(others)]
        lines = [gap_line(self._place, "*", Gap(0, gap.cause, gap.start_ns, gap.end_ns, gap.points)) for gap in told]
        segments = self._journal.behind.segments
        resume = self._journal.losses.telling([*self._telling, *losses], segments) | book.telling(record, told, carried)
        span_ns = min(gap.start_ns for gap in told), max(gap.start_ns for gap in told)
        stored = self._journal.append(b"".join(lines), len(lines), span_ns, resume, gap=True)
        book.told(record, told, carried)
        return stored

    def _inside(self, loss: Loss) -> dict[tuple[str, int], list[ToldGap]]:
        """Gaps that go with it."""
        try:
            return self._journal.losses.gaps.inside(loss.segment) if loss.is_whole else {}
        except OSError as error:
            raise JournalFull(loss.segment.path, f"cannot read which gaps are told in it: {error.strerror}") from error

    def _gap(self, loss: Loss) -> ToldGap:
        first_ns, last_ns = loss.span_ns
        start_ns = first_ns or self._clock.now_ns()
        while (loss.cause, start_ns) in self._starts:  # gaps of one cause and start would be one point
            start_ns += 1
        self._starts.append((loss.cause, start_ns))
        return ToldGap(loss.cause, start_ns, max(start_ns, last_ns), loss.points)
