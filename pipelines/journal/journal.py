"""The journal: records are on disk before a source is acknowledged, and stay there until the store has them."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipelines.errors import JournalError, JournalFull
from pipelines.journal.behind import Behind
from pipelines.journal.format import RECORD_OVERHEAD, pack_state, record_bytes
from pipelines.journal.lock import lock_folder
from pipelines.journal.losses import Losses, doomed
from pipelines.journal.recovery import Found, look, read_newest, resume_of
from pipelines.journal.room import RESERVE, Room
from pipelines.journal.segment import Segment
from pipelines.journal.settings import JournalSettings
from pipelines.journal.stored import GONE, Copy, Loss, Stored
from pipelines.stats import Durations
from pipelines.topics import RecordId

_META_BYTES: Final = 4096
"""About as much as the resume state of a record takes, at most."""

__all__ = ["Journal", "JournalSettings", "Loss", "Stored"]


class Journal:
    """Segments in a folder; one process at a time.

    Attributes:
        epoch: of the records appended by this process, 32 hex digits.
        resume: committed and appended resume state by key, newest wins.
        losses: what is given up, on its way to be told.
        behind: segments that are not written any more.
        on_finished: called from a worker thread with a segment nobody waits for, before it is deleted; if it raises
            OSError or JournalError the segment stays and is tried again.
        charged: bytes kept by others that count against the cap.
        torn: whether a sync failed and records are still to be written again; nothing is durable before that is done.
        moved: (old, new) of records that were written again after a failed sync, not yet told.
        damaged_bytes: bytes found at start that belong to no intact record.
        fsyncs: number of `fdatasync` and `fsync` calls.
        sync_errors: number of syncs of commits that failed.
        bytes_written: to segments and their companions.
        sync_took: how long those of commits took that succeeded.
    """

    def __init__(self, folder: Path, settings: JournalSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.epoch = secrets.token_hex(16)
        self.resume: dict[str, bytes] = {}
        self.losses = Losses()
        self._room = Room(folder, settings)
        self.behind = Behind(folder, self._room.bad_bytes, self.losses)
        self.on_finished: Callable[[Segment], None] = _nobody
        self.charged: Callable[[], int] = int
        self.torn = False
        self.moved: list[tuple[Stored, Stored]] = []
        self.damaged_bytes = 0
        self.sync_errors = self.bytes_written = 0
        self.sync_took = Durations()
        self._room.charged = self._charged
        self.behind.on_finished = self._finished
        self.behind.left = lambda: self._room.cap - self.bytes_used
        self._syncs = self._counter = self._durable = self._sequence = 0
        self._largest = self._wanted = 0
        self._written = Segment(folder / f"{0:016x}.seg", self.epoch, index=bytearray())
        self._durable_resume: dict[str, bytes] = {}
        self._uncommitted: list[Copy] = []
        self._lock_fd = -1

    def open(self) -> None:
        """Lock the folder, recover what is in it, and begin a segment of this epoch if the disk takes one.

        Raises:
            JournalError: another process uses the folder, or it cannot be used.
        """
        self._lock_fd = lock_folder(self.folder)
        try:
            found, self._sequence = look(self.folder)
        except OSError as error:
            raise JournalError(self.folder, f"cannot read the journal's folder: {error.strerror}") from error
        read_newest(found)
        self.resume.update(resume_of(found))
        self.losses.gaps.restore(self.resume, {one.epoch for one in found if one.epoch})
        self._durable_resume = dict(self.resume)
        self.behind.unread = [one for one in found if one.segment is None]
        try:
            for one in found:
                if one.segment is not None and self.take_in(one).index is not None and one.segment.open_records:
                    one.segment.make_durable()  # a killed process may have left it in the page cache only
        except OSError as error:
            raise JournalError(self.folder, f"the disk fails: {error.strerror}") from error
        self._room.begin(self.bytes_used)
        with suppress(JournalFull):  # a full disk is said by whoever wants to write; the start goes on
            self.begin()

    @property
    def is_begun(self) -> bool:
        """Whether there is a segment to write to; not so after a start on a full disk."""
        return self._written.fd >= 0

    def begin(self) -> None:
        """Begin the first segment of this epoch, unless that is done.

        Raises:
            JournalFull: the disk takes it not.
        """
        if not self.is_begun:
            self._room.widen(self.bytes_used)
            size = self._room.first_segment(self.bytes_used)
            self._room.check_free(size)
            self._begin(self.make_segment(size))

    def take_in(self, one: Found) -> Segment:
        """A file that was read joins the others, in its place."""
        segment = one.segment
        if segment is None:
            raise AssertionError(one.path)
        if one in self.behind.unread:
            self.behind.unread.remove(one)
        if segment.path.stem in doomed(self.resume):  # told before the end of the process that gave it up
            segment.give_up()
        self.losses.found(segment, one.missing)
        self.damaged_bytes += segment.damaged_bytes
        self.behind.segments.append(segment)
        self.behind.segments.sort(key=lambda each: each.sequence)
        return segment

    def close(self) -> None:
        """Seal and close; appended records that were not committed stay as the kernel writes them."""
        if self.is_begun:
            self._written.close()
            if not self._uncommitted:
                with suppress(OSError):
                    self._written.seal()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def segments(self) -> list[Segment]:
        """Oldest first; the last one is written."""
        return [*self.behind.segments, self._written]

    @property
    def bytes_used(self) -> int:
        """Bytes of disk under the cap: all segments and their companions, altered bytes, and what others keep."""
        return self._room.used(self.segments, self.behind.others)

    @property
    def points_queued(self) -> int:
        """Values not yet released."""
        return sum(segment.open_points for segment in self.segments) + self.losses.queued_points

    @property
    def uncommitted_bytes(self) -> int:
        """Bytes appended and not yet synced."""
        return sum(copy.stored.size for copy in self._uncommitted)

    @property
    def fsyncs(self) -> int:
        """Number of `fdatasync` and `fsync` calls."""
        return self._syncs + self.behind.syncs

    def append(
        self, payload: bytes, points: int, span_ns: tuple[int, int], resume: Mapping[str, bytes], *, gap: bool = False
    ) -> Stored:
        """Write a record; durable after the next `commit`. `gap` records may use the reserve.

        Raises:
            JournalFull: no room; nothing is changed.
        """
        self.begin()
        counter = self._counter + 1
        data = record_bytes(counter, self._durable, points, span_ns, pack_state(resume), payload)
        if not gap:
            self._largest = max(self._largest, len(data))
        short = len(data) + (0 if gap else self._room.gap_bytes) - self._written.left
        if short > 0:
            self._grow(short, gap=gap)
        stored = self._place(counter, data, (len(payload), points, span_ns), resume)
        self._counter = counter
        self.resume.update(resume)
        self._uncommitted.append(Copy(stored, data, resume))
        return stored

    def fits(self, length: int) -> bool:
        """Whether a record of about `length` bytes goes into this segment; if not, the next one has room for it."""
        size = length + RECORD_OVERHEAD + _META_BYTES + self._room.gap_bytes
        if not self._written.records or size <= self._written.left:
            return True
        self._wanted = size + _META_BYTES
        return False

    def durable_state(self, key: str) -> bytes | None:
        """Resume state that is on disk for good; None = none is."""
        return self._durable_resume.get(key)

    @property
    def next_id(self) -> RecordId:
        """Identity of the next record that is appended."""
        return RecordId(self.epoch, self._counter + 1)

    def take_uncommitted(self) -> tuple[Segment, list[Stored]]:
        """The segment to sync and the records that are durable once `sync` of it has returned."""
        return self._written, [copy.stored for copy in self._uncommitted]

    def sync(self, segment: Segment) -> None:
        """`fdatasync`; safe to call from a worker thread.

        Raises:
            OSError: the disk failed; what was written is unknown.
        """
        self._syncs += 1
        began_s = time.perf_counter()
        try:
            os.fdatasync(segment.fd)
        except OSError:
            self.sync_errors += 1
            raise
        self.sync_took.add(time.perf_counter() - began_s)

    def committed(self, stored: list[Stored]) -> None:
        """Forget the copies of records that are durable now."""
        durable = {record.id.counter for record in stored}
        for copy in self._uncommitted:
            if copy.stored.id.counter in durable:
                self._durable_resume.update(copy.resume)
        self._uncommitted = [copy for copy in self._uncommitted if copy.stored.id.counter not in durable]
        self._durable = max(self._durable, *durable) if durable else self._durable

    @property
    def is_full_segment(self) -> bool:
        """Whether the segment being written has no room for another record and should be left."""
        spare = max(self._largest, self._room.segment_bytes // 16)
        return self._written.records > 0 and (self._written.left < spare + self._room.gap_bytes or self._wanted > 0)

    def next_segment(self) -> int:
        """Bytes of the segment to begin now.

        Raises:
            JournalFull: no room under the cap or on the disk.
        """
        size = max(self._room.segment_bytes, self._wanted)
        self._room.check(self.bytes_used, size)
        return size

    def make_segment(self, size: int) -> Segment:
        """The file of the next segment, durable; safe to call from a worker thread while nothing is appended.

        Raises:
            JournalFull: the disk takes it not.
        """
        while True:
            self._sequence += 1
            path = self.folder / f"{self._sequence:016x}.seg"
            try:
                return Segment.create(path, self.epoch, self._durable, self._durable_resume, size)
            except FileExistsError:  # not ours, or unreadable
                continue
            except OSError as error:
                raise JournalFull(self.folder, f"cannot begin a segment: {error.strerror}; free space") from error

    def go_on(self, segment: Segment) -> None:
        """Write to `segment` from now on; only when nothing is uncommitted: a header vouches for durable state."""
        left = self._written
        left.close()
        self.behind.segments.append(left)
        self._begin(segment)

    def rewrite_uncommitted(self) -> None:
        """After a failed sync: the same records under the same ids in a new segment; see `moved`.

        Raises:
            JournalFull: the disk takes nothing; call again later.
        """
        self.torn = True
        size = self._room.to_rewrite(self.bytes_used, self.uncommitted_bytes)
        self.go_on(self.make_segment(size))
        for segment in {id(copy.stored.segment): copy.stored.segment for copy in self._uncommitted}.values():
            segment.cut(self._durable)
        for copy in self._uncommitted:
            old = copy.stored
            copy.stored = self._place(
                old.id.counter, copy.data, (old.payload_at[1], old.points, old.span_ns), copy.resume
            )
            old.segment.lose(old.id.counter, old.points)
            self.moved.append((old, copy.stored))
        self.torn = False

    def make_way(self) -> None:
        """Give up the oldest segments at the cap in time, so that the next one finds room; see `losses`."""
        if self.settings.at_cap != "drop_oldest":
            return
        finished = {id(one) for one in self.behind.finished}
        stay = [one for one in self.behind.segments if not (id(one) in finished or one.deleted)]
        used = self._room.used([*stay, self._written], self.behind.others)
        need = max(self._room.segment_bytes, self._wanted) + RESERVE
        if used + need > self._room.cap:
            self._room.widen(used)
        while used + need > self._room.cap:
            segment = self.losses.doom_oldest(stay)
            if segment is None:
                return
            stay.remove(segment)
            used = self._room.used([*stay, self._written], self.behind.others)

    def release(self, stored: Stored) -> None:
        """A record is stored or quarantined: it will not be sent again, and its segment is finished with its last."""
        stored.segment.release(stored.id.counter, stored.points)
        self.losses.gaps.released(stored.id)

    def give_up(self, stored: Stored) -> None:
        """A record that was altered on disk: to be told as a gap, then dropped and counted."""
        self.losses.give_up(stored)

    def walk(self, segment: Segment, start: int, end: int) -> Iterator[Stored]:
        """Open records of `segment` whose first byte lies in [start, end), in file order.

        A file that is gone, or an index that is damaged, is a loss to be told.
        """
        try:
            heads = self.losses.heads(segment)
        except OSError as error:
            if error.errno not in GONE:
                raise
            self.losses.give_up_whole(segment)
            return
        for head in () if segment.told else heads:
            if start <= head.offset < end and head.counter not in segment.done:
                record = RecordId(segment.epoch, head.counter)
                span_ns = (head.first_ns, head.last_ns)
                yield Stored(record, segment, head.offset, head.size, head.points, head.payload, span_ns)

    def _charged(self) -> int:
        return self.charged()

    def _finished(self, segment: Segment) -> None:
        self.on_finished(segment)

    def _begin(self, segment: Segment) -> None:
        self._written = segment
        self._largest = self._wanted = 0
        self._syncs += 2
        self.bytes_written += segment.size

    def _grow(self, short: int, *, gap: bool) -> None:
        if gap:
            self._room.check_free(short)
        else:
            self._wanted = short if short + 4 * RESERVE < self._room.cap else 0  # way is made for what can ever fit
            self._room.check(self.bytes_used, short)
            self._wanted = 0
        try:
            self._written.grow(short)
        except OSError as error:
            raise JournalFull(self.folder, f"cannot write: {error.strerror}; free space on this disk") from error

    def _place(
        self, counter: int, data: bytes, about: tuple[int, int, tuple[int, int]], resume: Mapping[str, bytes]
    ) -> Stored:
        segment = self._written
        length, points, span_ns = about
        try:
            offset = segment.append(counter, data, length, points, span_ns, resume)
        except OSError as error:
            raise JournalFull(self.folder, f"cannot write: {error.strerror}; free space on this disk") from error
        self.bytes_written += len(data)
        payload_at = (offset + len(data) - length, length)
        return Stored(RecordId(self.epoch, counter), segment, offset, len(data), points, payload_at, span_ns)


def _nobody(_: Segment) -> None:
    """Nobody listens yet."""
