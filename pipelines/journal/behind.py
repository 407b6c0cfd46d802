"""Segments that are not written any more: sealed, handed to the hook, deleted; what a start had no time for, read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipelines.journal.bad import BadBytes
from pipelines.journal.losses import Losses
from pipelines.journal.recovery import Found, scan
from pipelines.journal.segment import Segment, sync_folder


class Behind:
    """What a worker thread does for the journal, one piece at a time; lists are changed by the event loop only.

    Args:
        folder: of the journal.
        bad_bytes: most that is kept of altered bytes.
        losses: what is not told yet holds a segment back.

    Attributes:
        segments: oldest first.
        unread: files without a seal that the start had no time for, newest last.
        bad: altered bytes that are kept.
        on_finished: called with a segment nobody waits for, before it is deleted.
        left: bytes of disk that are left under the cap.
        syncs: number of syncs.
    """

    def __init__(self, folder: Path, bad_bytes: int, losses: Losses) -> None:
        self.segments: list[Segment] = []
        self.unread: list[Found] = []
        self.bad = BadBytes(folder / "bad", bad_bytes)
        self.on_finished: Callable[[Segment], None] = _nobody
        self.left: Callable[[], int] = int
        self.syncs = 0
        self._folder = folder
        self._losses = losses

    @property
    def others(self) -> int:
        """Bytes of disk beside the segments."""
        return self.bad.disk + sum(one.disk for one in self.unread)

    @property
    def finished(self) -> list[Segment]:
        """Segments nobody waits for any more, oldest first: `finish` each, then take it out of `segments`."""
        return [one for one in self.segments if not (one.open_records or one.in_flight or self._losses.concern(one))]

    @property
    def unsealed(self) -> list[Segment]:
        """Segments to be sealed."""
        return [
            one for one in self.segments if one.index is not None and one.open_records and not self._losses.concern(one)
        ]

    def finish(self, segment: Segment) -> None:
        """Hand a finished segment to `on_finished`, then delete its files.

        Raises:
            OSError: the disk failed; call again.
            JournalError: the hook could not keep what it must; call again.
        """
        self._keep_bad(segment)
        self.on_finished(segment)
        segment.delete()
        sync_folder(self._folder)
        self.syncs += 1

    def mend(self, segment: Segment) -> None:
        """Keep what is altered, and seal.

        Raises:
            OSError: the disk failed or is full; call again.
        """
        self._keep_bad(segment)
        segment.seal()
        self.syncs += 1

    def read(self, one: Found) -> None:
        """Scan a file the start had no time for.

        Raises:
            OSError: it cannot be read; call again.
        """
        scan(one, [*self.unread, *(_found(segment) for segment in list(self.segments))])

    def _keep_bad(self, segment: Segment) -> None:
        damaged, segment.damaged = segment.damaged, []
        with suppress(OSError):
            self.bad.keep(segment.path, damaged, self.left())


def _found(segment: Segment) -> Found:
    return Found(segment.path, segment.sequence, segment.disk, segment.size, None, segment)


def _nobody(_: Segment) -> None:
    """Nobody listens yet."""
