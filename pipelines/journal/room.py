"""How much of the disk the journal may take: the cap, the free space of others, and what is kept back for gaps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipelines.errors import JournalFull
from pipelines.journal.format import DONE_SIZE
from pipelines.journal.segment import BLOCK, Segment, blocks, write_all
from pipelines.journal.settings import JournalSettings

RESERVE: Final = 64 << 10
"""Bytes under the cap for a restart at the cap and for gap points, so that a loss can always be told."""
_FOLDERS: Final = 3 * BLOCK
"""Two folders and the file `cap`."""
_KEPT: Final = "cap"
"""File in the journal's folder with the cap that the disk had room for."""
_BAD_SHARE: Final = 16
_SEGMENTS_LEAST: Final = 8


class Room:
    """The arithmetic of the cap; bytes are those that `du` counts, or more.

    Args:
        folder: of the journal.
        settings: of the journal.

    Attributes:
        cap: bytes that are not exceeded; less than `max_bytes` while the disk is too small or too full for them.
        segment_bytes: size of a segment.
        gap_bytes: bytes of each segment that only gap points may use.
        bad_bytes: most bytes of altered bytes that are kept.
        charged: bytes kept by others that count against the cap.
    """

    def __init__(self, folder: Path, settings: JournalSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.cap = settings.max_bytes
        self.segment_bytes = min(settings.segment_bytes, settings.max_bytes // _SEGMENTS_LEAST) // BLOCK * BLOCK
        self.gap_bytes = min(16 << 10, self.segment_bytes // 8)
        self.bad_bytes = settings.max_bytes // _BAD_SHARE
        self.charged: Callable[[], int] = int

    def begin(self, used: int) -> None:
        """Fit the cap to the disk: what it was before, so that nothing is dropped for others who fill it just now."""
        try:
            before = int((self.folder / _KEPT).read_bytes())
        except (OSError, ValueError):
            before = 0
        self.cap = min(self.settings.max_bytes, before)
        self.widen(used)
        if self.cap != before:
            with suppress(OSError):  # worth a hint at the next start and no more
                fd = os.open(self.folder / _KEPT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                try:
                    write_all(fd, b"%d\n" % self.cap, 0)
                    os.fsync(fd)
                finally:
                    os.close(fd)

    def widen(self, used: int) -> None:
        """Let the cap grow with the free space of the disk; what others take later does not make it smaller."""
        free = max(0, self.free_bytes() - self.settings.min_free_bytes)
        self.cap = max(self.cap, min(self.settings.max_bytes, used + free))

    def used(self, segments: Iterable[Segment], others: int) -> int:
        """Bytes of segments and their companions (as large as these can get), and of others under the same cap."""
        own = sum(segment.disk + done_room(segment) for segment in segments)
        return own + others + self.charged() + _FOLDERS

    def check(self, used: int, size: int) -> None:
        """Whether `size` bytes more may be taken.

        Raises:
            JournalFull: they may not.
        """
        if used + size + RESERVE > self.cap:
            self.widen(used)
        if used + size + RESERVE > self.cap:
            raise JournalFull(
                self.folder,
                f"no room for {size} bytes under the cap of {self.cap} bytes (max_bytes="
                f"{self.settings.max_bytes}, or what this disk has free); raise it or free space",
            )
        self.check_free(size)

    def check_free(self, size: int) -> None:
        """Whether others have enough left beside `size` bytes more.

        Raises:
            JournalFull: they have not.
        """
        if self.free_bytes() - size < self.settings.min_free_bytes:
            # Somebody else filled the disk: dropping what was accepted would not help for long.
            raise JournalFull(
                self.folder,
                f"less than min_free_bytes={self.settings.min_free_bytes} is free on this disk; free space",
            )

    def first_segment(self, used: int) -> int:
        """Bytes of the segment that a start begins: at the cap a small one, since a loss must be told to make room."""
        return max(min(self.segment_bytes, (self.cap - used - RESERVE) // BLOCK * BLOCK), 4 * BLOCK)

    def to_rewrite(self, used: int, size: int) -> int:
        """Bytes of the segment that takes `size` bytes of records after a failed sync: what must be, at the cap.

        Raises:
            JournalFull: others have not enough left beside it.
        """
        need = size + 2 * BLOCK + size // 8
        if used + max(need, self.segment_bytes) + RESERVE <= self.cap:
            need = max(need, self.segment_bytes)
        self.check_free(need)
        return need

    def free_bytes(self) -> int:
        """Bytes of the file system that anybody may take."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize


def done_room(segment: Segment) -> int:
    """Bytes of disk that the companion may come to take."""
    return blocks(max(segment.done_size, segment.records * DONE_SIZE, 1))
