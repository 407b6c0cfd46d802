"""What the writer and the finisher do in threads of their own, as one call for tests that have neither."""

from __future__ import annotations

from pipelines.journal.journal import Journal
from pipelines.journal.stored import Stored


def sync(journal: Journal) -> list[Stored]:
    """Make durable what was appended; which records that are.

    Raises:
        OSError: the disk failed.
    """
    segment, records = journal.take_uncommitted()
    journal.sync(segment)
    journal.committed(records)
    return records


def rotate(journal: Journal) -> None:
    """Leave a full segment, as `Flow` does between two commits.

    Raises:
        JournalFull: no room for the next segment.
    """
    if journal.is_full_segment and not journal.uncommitted_bytes:
        journal.go_on(journal.make_segment(journal.next_segment()))


def tidy(journal: Journal) -> None:
    """Seal what was left, finish what nobody waits for, as `Finisher` does; what fails is raised.

    Raises:
        OSError: the disk failed.
        JournalError: the hook could not keep what it must.
    """
    behind = journal.behind
    for segment in behind.unsealed:
        behind.mend(segment)
    for segment in behind.finished:
        behind.finish(segment)
        behind.segments.remove(segment)
