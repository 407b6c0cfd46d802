"""The journal: records are on disk before a source is acknowledged, and stay there until the store has them."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.errors import JournalError, JournalFull
from pipelines.journal.format import (
    RECORD_MAGIC,
    pack_state,
    record_at,
    record_bytes,
    unpack_state,
)
from pipelines.journal.segment import Segment, sync_folder
from pipelines.journal.settings import JournalSettings
from pipelines.journal.stored import Loss, Stored
from pipelines.stats import Durations
from pipelines.topics import RecordId

__all__ = ["Journal", "JournalSettings", "Loss", "Stored"]

_GAP_RESERVE: Final = 64 << 10
"""Bytes under the cap that only gap points may use, so that a loss can always be told."""
_DOOMED: Final = "\0doomed"
"""Key among the resume state: sequences of segments whose loss is told and whose files may not be gone yet."""


@dataclass(slots=True)
class _Copy:
    """A record that is not durable yet: where it is, its bytes, its times and the resume state it carries."""

    stored: Stored
    data: bytes
    span_ns: tuple[int, int]
    resume: Mapping[str, bytes]


class Journal:
    """Segments in a folder; one process at a time.

    Attributes:
        epoch: of the records appended by this process, 32 hex digits.
        resume: committed and appended resume state by key, newest wins.
        segments: oldest first; the last one is written.
        losses: what is to be given up and not yet told, oldest first; it counts as queued until then.
        on_finished: called from a worker thread with a segment nobody waits for, before it is deleted; if it raises
            OSError or JournalError the segment stays and is tried again.
        charged: bytes kept by others that count against the cap.
        torn: whether a sync failed and records are still to be written again; nothing is durable before that is done.
        moved: (old, new) of records that were written again after a failed sync, not yet told.
        dropped_points: values given up at the cap since the start.
        damaged_points: values given up because their bytes were altered, since the start.
        damaged_bytes: bytes found at start that belong to no intact record.
        fsyncs: number of `fdatasync` calls.
        sync_took: how long those took that succeeded.
    """

    def __init__(self, folder: Path, settings: JournalSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.epoch = secrets.token_hex(16)
        self.resume: dict[str, bytes] = {}
        self.segments: list[Segment] = []
        self.losses: list[Loss] = []
        self.on_finished: Callable[[Segment], None] = _nobody
        self.charged: Callable[[], int] = int
        self.dropped_points = 0
        self.damaged_points = 0
        self.damaged_bytes = 0
        self.fsyncs = 0
        self.sync_took = Durations()
        self._counter = 0
        self._cap = settings.max_bytes
        self._segment_bytes = settings.segment_bytes
        self.moved: list[tuple[Stored, Stored]] = []
        self.torn = False
        self._durable_resume: dict[str, bytes] = {}
        self._uncommitted: list[_Copy] = []
        self._lock_fd = -1

    def open(self) -> None:
        """Lock the folder, recover what is in it, and begin a segment of this epoch.

        Raises:
            JournalError: another process uses the folder, or it cannot be used.
            JournalFull: no room for a new segment.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(self.folder, f"cannot use the journal's folder: {error.strerror}") from error
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = "another agent is using this folder; stop it, or give this one its own state folder"
            raise JournalError(self.folder, msg) from None
        before: dict[int, int] = {}
        for path in sorted(self.folder.glob("*.seg")):
            if _is_segment_name(path):
                before = self._recover(path, before)
        doomed = set(self.resume.pop(_DOOMED, b"").decode("ascii").split())
        for segment in self.segments:
            if segment.path.stem in doomed:  # told before the end of the process that gave it up
                segment.give_up()
        self._durable_resume = dict(self.resume)
        free = self._free_bytes() - self.settings.min_free_bytes
        self._cap = min(self.settings.max_bytes, self.bytes_used + max(0, free))
        self._segment_bytes = min(self.settings.segment_bytes, self.settings.max_bytes // 8)
        try:
            for segment in self.segments:
                if segment.open_records:  # a killed process may have left them in the page cache only
                    segment.make_durable()
        except OSError as error:
            raise JournalError(self.folder, f"the disk fails: {error.strerror}") from error
        self._begin_segment()

    def _recover(self, path: Path, before: dict[int, int]) -> dict[int, int]:
        segment, snapshot, records = Segment.recover(path, secrets.token_hex(16))
        self.damaged_bytes += segment.damaged_bytes
        self.resume.update(snapshot)
        for record in records:
            self.resume.update(unpack_state(record.meta))
        counters = {record.counter: record.points for record in records}
        if self.segments and self.segments[-1].epoch == segment.epoch:
            # A failed sync wrote the same records twice, under the same ids, in neighbouring segments.
            for counter in before.keys() & counters.keys() - self.segments[-1].done:
                self.segments[-1].lose(counter, before[counter])
        self.segments.append(segment)
        return counters

    def close(self) -> None:
        """Close every file; appended records that were not committed stay as the kernel writes them."""
        for segment in self.segments:
            segment.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def bytes_used(self) -> int:
        """Bytes of all segments and their companions, and of what others keep under the same cap."""
        return self.charged() + sum(segment.size + 12 * len(segment.done) for segment in self.segments)

    @property
    def points_queued(self) -> int:
        """Values not yet released."""
        return sum(segment.open_points for segment in self.segments)

    @property
    def uncommitted_bytes(self) -> int:
        """Bytes appended and not yet synced."""
        return sum(copy.stored.size for copy in self._uncommitted)

    def append(
        self, payload: bytes, points: int, span_ns: tuple[int, int], resume: Mapping[str, bytes], *, gap: bool = False
    ) -> Stored:
        """Write a record; durable after the next `commit`. `gap` records may use the reserve.

        Raises:
            JournalFull: no room, and the policy or an empty journal leaves nothing to drop.
        """
        counter = self._counter + 1
        data = record_bytes(counter, points, span_ns, pack_state(resume), payload)
        self._make_room(len(data), gap=gap)
        stored = self._place(counter, data, points, span_ns, len(payload))
        self._counter = counter
        self.resume.update(resume)
        self._uncommitted.append(_Copy(stored, data, span_ns, resume))
        return stored

    def take_uncommitted(self) -> tuple[Segment, list[Stored]]:
        """The segment to sync and the records that are durable once `sync` of it has returned."""
        return self.segments[-1], [copy.stored for copy in self._uncommitted]

    def sync(self, segment: Segment) -> None:
        """`fdatasync`; safe to call from a worker thread.

        Raises:
            OSError: the disk failed; what was written is unknown.
        """
        self.fsyncs += 1
        began_s = time.perf_counter()
        os.fdatasync(segment.fd)
        self.sync_took.add(time.perf_counter() - began_s)

    @property
    def is_full_segment(self) -> bool:
        """Whether the segment being written has its size and should be left."""
        return self.segments[-1].size >= self._segment_bytes

    def committed(self, stored: list[Stored]) -> None:
        """Forget the copies of records that are durable now."""
        durable = {record.id.counter for record in stored}
        for copy in self._uncommitted:
            if copy.stored.id.counter in durable:
                self._durable_resume.update(copy.resume)
        self._uncommitted = [copy for copy in self._uncommitted if copy.stored.id.counter not in durable]

    def rotate(self) -> None:
        """Leave a full segment; only when nothing is uncommitted: a header vouches for durable state alone.

        Raises:
            JournalFull: no room for the next segment.
        """
        if self.is_full_segment and not self._uncommitted:
            self._begin_segment()
            self.segments[-2].close()

    def rewrite_uncommitted(self) -> None:
        """After a failed sync: the same records under the same ids in a new segment; see `moved`.

        Raises:
            JournalFull: the disk takes nothing; call again later.
        """
        self.torn = True
        self._begin_segment()
        for copy in self._uncommitted:
            old, length = copy.stored, copy.stored.payload_at[1]
            copy.stored = self._place(old.id.counter, copy.data, old.points, copy.span_ns, length)
            old.segment.lose(old.id.counter, old.points)
            self.moved.append((old, copy.stored))
        self.torn = False

    def release(self, stored: Stored) -> None:
        """A record is stored or quarantined: it will not be sent again, and its segment is finished with its last."""
        stored.segment.release(stored.id.counter, stored.points)

    def walk(self, segment: Segment, start: int, end: int) -> Iterator[Stored]:
        """Open records of `segment` whose first byte lies in [start, end), in file order; one read of that stretch."""
        data = segment.read(start, end - start)
        at = data.find(RECORD_MAGIC)
        while at >= 0:
            head = record_at(data, at)
            if head is not None and head.counter not in segment.done:
                record = RecordId(segment.epoch, head.counter)
                payload_at = (start + head.payload[0], head.payload[1])
                span_ns = (head.first_ns, head.last_ns)
                yield Stored(record, segment, start + at, head.size, head.points, payload_at, span_ns)
            at = data.find(RECORD_MAGIC, at + (head.size if head else 1))

    def give_up(self, stored: Stored) -> None:
        """A record that was altered on disk: to be told as a gap, then dropped and counted."""
        self.losses.append(Loss("journal_damaged", stored.segment, stored, *stored.span_ns))

    def told(self, losses: list[Loss]) -> None:
        """The gap points of `losses` are durable: now they count as dropped, and segments among them may go."""
        for loss in losses:
            self.losses.remove(loss)
            if loss.stored is None:
                self.dropped_points += loss.points
                loss.segment.give_up()
            else:
                self.damaged_points += loss.points
                loss.segment.lost.add(loss.stored.id.counter)
                self.release(loss.stored)

    def telling(self, losses: list[Loss]) -> dict[str, bytes]:
        """Resume state that goes with the gap points of `losses`: a restart knows which segments they were about."""
        here = {segment.path.stem for segment in self.segments if segment.told}
        doomed = here | {loss.segment.path.stem for loss in losses if loss.stored is None}
        return {_DOOMED: " ".join(sorted(doomed)).encode()} if doomed else {}

    @property
    def finished(self) -> list[Segment]:
        """Segments nobody waits for any more, oldest first: `finish` each in a worker thread, then `leave` it."""
        return [segment for segment in self.segments[:-1] if not segment.open_records and not segment.in_flight]

    def finish(self, segment: Segment) -> None:
        """Hand a finished segment to `on_finished`, then delete its files; safe to call from a worker thread.

        Raises:
            OSError: the disk failed; call again.
            JournalError: the hook could not keep what it must; call again.
        """
        self.on_finished(segment)
        segment.delete()
        sync_folder(self.folder)

    def leave(self, segment: Segment) -> None:
        """The files of a finished segment are gone."""
        self.segments.remove(segment)

    def drop_oldest(self) -> bool:
        """Choose the oldest segment that is neither written nor in flight to be given up; False when there is none."""
        losing = {id(loss.segment) for loss in self.losses}
        for segment in self.segments[:-1]:
            if segment.open_records and not segment.in_flight and id(segment) not in losing:
                segment.deleted = True
                self.losses.append(Loss("dropped_at_cap", segment, None, *(segment.span_ns or (0, 0))))
                return True
        return False

    def _place(self, counter: int, data: bytes, points: int, span_ns: tuple[int, int], length: int) -> Stored:
        segment = self.segments[-1]
        try:
            offset = segment.append(data, points, span_ns)
        except OSError as error:
            raise JournalFull(self.folder, f"cannot write: {error.strerror}; free space on this disk") from error
        payload_at = (offset + len(data) - length, length)
        return Stored(RecordId(self.epoch, counter), segment, offset, len(data), points, payload_at, span_ns)

    def _begin_segment(self) -> None:
        sequence = self.segments[-1].sequence + 1 if self.segments else 1
        try:
            self.segments.append(Segment.create(self.folder, sequence, self.epoch, self._durable_resume))
        except OSError as error:
            raise JournalFull(self.folder, f"cannot begin a segment: {error.strerror}; free space") from error

    def _make_room(self, size: int, *, gap: bool) -> None:
        if not gap and self.bytes_used + size + _GAP_RESERVE > self._cap:
            going = self.finished or any(loss.stored is None for loss in self.losses)
            if not going and self.settings.at_cap == "drop_oldest":
                self.drop_oldest()
            raise JournalFull(
                self.folder,
                f"no room for {size} bytes under the cap of {self._cap} bytes (max_bytes="
                f"{self.settings.max_bytes}, or what this disk had free at the start); raise it or free space",
            )
        if self._free_bytes() - size < self.settings.min_free_bytes:
            # Somebody else filled the disk: dropping what was accepted would not help for long.
            raise JournalFull(
                self.folder,
                f"less than min_free_bytes={self.settings.min_free_bytes} is free on this disk; free space",
            )

    def _free_bytes(self) -> int:
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize


def _nobody(_: Segment) -> None:
    """Nobody listens yet."""


def _is_segment_name(path: Path) -> bool:
    return len(path.stem) == 16 and all(letter in "0123456789abcdef" for letter in path.stem)  # noqa: PLR2004
