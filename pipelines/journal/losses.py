"""What is given up: chosen, told durably, counted, and only then gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pipelines.journal.format import RecordHead
from pipelines.journal.recovery import Missing
from pipelines.journal.segment import Segment
from pipelines.journal.stored import Loss, Stored
from pipelines.journal.told import ToldGaps

_DOOMED: Final = "\0doomed"
"""Key among the resume state: sequences of segments whose loss is told and whose files may not be gone yet."""


def doomed(resume: Mapping[str, bytes]) -> set[str]:
    """Names of segments whose loss an earlier process told."""
    return set(resume.get(_DOOMED, b"").decode("ascii").split())


class Losses:
    """Losses on their way.

    Attributes:
        pending: not durably told yet, oldest first; what is in them counts as queued until then.
        dropped_points: values given up at the cap since the start.
        gaps: told by records that are not stored yet.
        damaged_points: values given up because their bytes were altered, since the start, where the number is known.
    """

    def __init__(self) -> None:
        self.pending: list[Loss] = []
        self.gaps = ToldGaps()
        self.dropped_points = 0
        self.damaged_points = 0

    @property
    def queued_points(self) -> int:
        """Values of pending losses that no segment counts."""
        return sum(loss.points or 0 for loss in self.pending if loss.missing is not None and not loss.open_records)

    def concern(self, segment: Segment) -> bool:
        """Whether something of a segment is still to be told."""
        return any(loss.segment is segment for loss in self.pending)

    def found(self, segment: Segment, missing: Iterable[Missing]) -> None:
        """Damage seen by recovery."""
        self.pending += [Loss("journal_damaged", segment, missing=one) for one in missing]

    def heads(self, segment: Segment) -> list[RecordHead]:
        """The index of a segment; open records that an altered index hides from now on are a loss.

        Raises:
            OSError: the file cannot be read.
        """
        heads = segment.heads()
        if len(heads) < segment.records and not self.concern(segment):
            waiting = [head.points for head in heads if head.counter not in segment.done]
            lost = segment.open_records - len(waiting)
            if lost > 0:
                missing = Missing(lost, segment.open_points - sum(waiting), *(segment.span_ns or (0, 0)))
                self.pending.append(Loss("journal_damaged", segment, missing=missing, open_records=lost))
            segment.records = len(heads)
        return heads

    def give_up(self, stored: Stored) -> None:
        """A record that was altered on disk."""
        self.pending.append(Loss("journal_damaged", stored.segment, stored))

    def give_up_whole(self, segment: Segment) -> None:
        """A segment whose file is not there any more."""
        if not segment.deleted:
            segment.deleted = True
            self.pending.append(Loss("journal_damaged", segment))

    def doom_oldest(self, segments: Iterable[Segment]) -> Segment | None:
        """Choose the oldest segment that is not in flight to be dropped at the cap; None when there is none."""
        for segment in segments:
            if segment.open_records and not segment.in_flight and not self.concern(segment):
                segment.deleted = True
                self.pending.append(Loss("dropped_at_cap", segment))
                return segment
        return None

    def telling(self, losses: Iterable[Loss], segments: Iterable[Segment]) -> dict[str, bytes]:
        """Resume state that goes with the gap points of `losses`: a restart knows which of `segments` are told."""
        names = {segment.path.stem for segment in segments if segment.told}
        names |= {loss.segment.path.stem for loss in losses if loss.is_whole}
        return {_DOOMED: " ".join(sorted(names)).encode()} if names else {}

    def told(self, losses: Iterable[Loss]) -> None:
        """The gap points of `losses` are durable: now they count as dropped, and segments among them may go."""
        for loss in losses:
            self.pending.remove(loss)
            if loss.cause == "dropped_at_cap":
                self.dropped_points += loss.points or 0
            else:
                self.damaged_points += loss.points or 0
            if loss.is_whole:
                loss.segment.give_up()
            elif loss.stored is not None:
                stored = loss.stored
                loss.segment.damaged.append((stored.offset, stored.size))
                loss.segment.lost.add(stored.id.counter)
                loss.segment.release(stored.id.counter, stored.points)
            elif loss.open_records:
                loss.segment.open_records -= loss.open_records
                loss.segment.open_points -= loss.points or 0
