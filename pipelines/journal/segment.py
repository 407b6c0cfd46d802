"""One segment file: appended to, synced, read, and deleted as a whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pipelines.journal.format import RecordHead, done_counters, done_entry, read_segment, segment_header


def sync_folder(folder: Path) -> None:
    """Make created, renamed and deleted names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(slots=True)
class Segment:
    """A segment and what is known of its records.

    Attributes:
        path: the file.
        epoch: of its records, 32 hex digits.
        size: bytes in the file.
        records: records in it.
        open_records: records not yet released.
        open_points: values not yet released.
        span_ns: oldest and newest time of its records; None when it has none.
        done: counters released.
        lost: of these, the ones that reached no store from here: damaged, or written again in a later segment.
        in_flight: records handed to the broker and not yet confirmed; such a segment is not dropped.
        deleted: whether the file is gone or going; nothing is sent from it any more.
        told: whether what was open in it is given up, and that is durably told.
        fd: file descriptor while it is written; -1 = closed.
        damaged_bytes: bytes recovery could not use.
    """

    path: Path
    epoch: str
    size: int = 0
    records: int = 0
    open_records: int = 0
    open_points: int = 0
    span_ns: tuple[int, int] | None = None
    done: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    fd: int = -1
    in_flight: int = 0
    deleted: bool = False
    told: bool = False
    damaged_bytes: int = 0

    @property
    def sequence(self) -> int:
        """Position of the segment in the journal."""
        return int(self.path.stem, 16)

    @classmethod
    def create(cls, folder: Path, sequence: int, epoch: str, snapshot: Mapping[str, bytes]) -> Self:
        """A new file with a durable header."""
        path = folder / f"{sequence:016x}.seg"
        header = segment_header(epoch, sequence, snapshot)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write_all(fd, header, 0)
            os.fsync(fd)
            sync_folder(folder)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        return cls(path, epoch, size=len(header), fd=fd)

    @classmethod
    def recover(cls, path: Path, fresh_epoch: str) -> tuple[Self, dict[str, bytes], list[RecordHead]]:
        """An existing file: the segment, its snapshot, and its records that are not released."""
        content = read_segment(path.read_bytes())
        epoch = content.epoch or fresh_epoch
        done_path = path.with_suffix(".done")
        done = done_counters(epoch, done_path.read_bytes()) if done_path.exists() else set()
        records = {record.counter: record for record in content.records}
        waiting = [record for record in records.values() if record.counter not in done]
        segment = cls(
            path,
            epoch,
            size=path.stat().st_size,
            records=len(records),
            open_records=len(waiting),
            open_points=sum(record.points for record in waiting),
            done=done & records.keys(),
            damaged_bytes=content.damaged_bytes,
        )
        for record in waiting:
            segment.widen(record.first_ns, record.last_ns)
        return segment, content.snapshot, list(records.values())

    def widen(self, first_ns: int, last_ns: int) -> None:
        """Include a record's times in `span_ns`."""
        first, last = self.span_ns or (first_ns, last_ns)
        self.span_ns = (min(first, first_ns), max(last, last_ns))

    def append(self, data: bytes, points: int, span_ns: tuple[int, int]) -> int:
        """Write a record behind the others; its offset.

        Raises:
            OSError: it could not be written whole; the file is as before.
        """
        offset = self.size
        try:
            write_all(self.fd, data, offset)
        except OSError:
            os.ftruncate(self.fd, offset)
            raise
        self.size += len(data)
        self.records += 1
        self.open_records += 1
        self.open_points += points
        self.widen(*span_ns)
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file."""
        if self.fd >= 0:
            return os.pread(self.fd, length, offset)
        fd = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(fd, length, offset)
        finally:
            os.close(fd)

    def make_durable(self) -> None:
        """Sync a file that was recovered.

        Raises:
            OSError: the disk failed.
        """
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def release(self, counter: int, points: int) -> None:
        """A record is stored or quarantined; it will not be sent again."""
        self.forget(counter, points)
        with contextlib.suppress(OSError):  # a full disk only means that the record is sent again after a restart
            fd = os.open(self.path.with_suffix(".done"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(fd, done_entry(self.epoch, counter))
            finally:
                os.close(fd)

    def forget(self, counter: int, points: int) -> None:
        """The record needs to live no longer."""
        self.done.add(counter)
        self.open_records -= 1
        self.open_points -= points

    def lose(self, counter: int, points: int) -> None:
        """The record lives on elsewhere."""
        self.lost.add(counter)
        self.forget(counter, points)

    def give_up(self) -> None:
        """Nobody waits for what is open in it."""
        self.deleted = self.told = True
        self.open_records = self.open_points = 0

    def delivered(self) -> Iterator[tuple[RecordHead, bytes]]:
        """Records released from here and not lost, as (head, payload), intact ones only, in file order.

        Raises:
            OSError: the file cannot be read.
        """
        data = self.path.read_bytes()
        for head in read_segment(data).records:
            if head.counter in self.done and head.counter not in self.lost:
                start, length = head.payload
                yield head, data[start : start + length]

    def close(self) -> None:
        """Close the file; it is opened again for each read."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def delete(self) -> None:
        """Remove the file and its companion."""
        self.close()
        self.deleted = True
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".done").unlink(missing_ok=True)


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write everything at `offset`.

    Raises:
        OSError: it did not fit or the disk failed.
    """
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written
