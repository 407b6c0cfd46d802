"""One segment file: appended to, synced, sealed, read, and deleted as a whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from pipelines.journal.counters import Counters
from pipelines.journal.format import (
    DONE_SIZE,
    ENTRY_SIZE,
    FOOT_SIZE,
    SEAL_OVERHEAD,
    RecordHead,
    Seal,
    done_entry,
    heads,
    payload_of,
    read_seal,
    seal_bytes,
    seal_length,
    segment_header,
)
from pipelines.journal.salvage import salvage

BLOCK: Final = 4096
"""What a small file takes on disk."""


def sync_folder(folder: Path) -> None:
    """Make created, renamed and deleted names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def blocks(size: int) -> int:
    """Bytes of disk that `size` bytes take."""
    return -(-size // BLOCK) * BLOCK


@dataclass(slots=True, eq=False)
class Segment:
    """A segment and what is known of its records.

    Attributes:
        path: the file.
        epoch: of its records, 32 hex digits.
        base: newest counter of the epoch that was on disk before it.
        size: bytes of header and records.
        room: bytes that are allocated for header, records and seal.
        disk: bytes of disk the file takes.
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
        index: packed entries while there is no seal; None = they are in the seal.
        resume: state updated by its records, while there is no seal.
        damaged: (offset, length) that recovery could not use and that is not kept in `bad/` yet.
        damaged_bytes: bytes recovery could not use.
        done_size: bytes of the `.done` file.
    """

    path: Path
    epoch: str
    base: int = 0
    size: int = 0
    room: int = 0
    disk: int = 0
    records: int = 0
    open_records: int = 0
    open_points: int = 0
    span_ns: tuple[int, int] | None = None
    done: Counters = field(default_factory=Counters)
    lost: Counters = field(default_factory=Counters)
    fd: int = -1
    in_flight: int = 0
    deleted: bool = False
    told: bool = False
    index: bytearray | None = None
    resume: dict[str, bytes] = field(default_factory=dict)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    damaged_bytes: int = 0
    done_size: int = 0

    @property
    def sequence(self) -> int:
        """Position of the segment in the journal."""
        return int(self.path.stem, 16)

    @property
    def left(self) -> int:
        """Bytes that a further record may take without a larger allocation."""
        index = len(self.index) if self.index is not None else 0
        return self.room - self.size - SEAL_OVERHEAD - index - ENTRY_SIZE

    @classmethod
    def create(cls, path: Path, epoch: str, base: int, snapshot: Mapping[str, bytes], size: int) -> Self:
        """A new file of `size` bytes, or what the header takes, with a durable header and name; two syncs.

        Raises:
            OSError: no space, or the disk failed; there is no file.
        """
        header = segment_header(epoch, int(path.stem, 16), base, snapshot)
        room = blocks(max(size, len(header)))
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(fd, 0, room)
            write_all(fd, header, 0)
            os.fsync(fd)
            sync_folder(path.parent)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        disk = on_disk(fd)
        return cls(path, epoch, base, size=len(header), room=room, disk=disk, fd=fd, index=bytearray())

    def grow(self, size: int) -> None:
        """Allocate `size` bytes more.

        Raises:
            OSError: no space; the file is as before.
        """
        os.posix_fallocate(self.fd, self.room, blocks(size))
        self.room += blocks(size)
        self.disk = on_disk(self.fd)

    def widen(self, first_ns: int, last_ns: int) -> None:
        """Include a record's times in `span_ns`."""
        first, last = self.span_ns or (first_ns, last_ns)
        self.span_ns = (min(first, first_ns), max(last, last_ns))

    def append(
        self, counter: int, data: bytes, length: int, points: int, span_ns: tuple[int, int], resume: Mapping[str, bytes]
    ) -> int:
        """Write a record behind the others; its offset.

        Raises:
            OSError: it could not be written whole; it is not in the index, and the next one overwrites it.
        """
        if self.index is None:
            raise AssertionError(self.path)
        offset = self.size
        write_all(self.fd, data, offset)
        self.index += RecordHead(counter, offset, len(data), length, points, *span_ns).pack()
        self.resume.update(resume)
        self.size += len(data)
        self.records += 1
        self.open_records += 1
        self.open_points += points
        self.widen(*span_ns)
        return offset

    def cut(self, last: int) -> None:
        """Records behind counter `last` are written again elsewhere: the index does not list them any more."""
        if self.index is not None:
            kept = (head.pack() for head in heads(bytes(self.index)) if head.counter <= last)
            self.index = bytearray(b"".join(kept))
            self.records = len(self.index) // ENTRY_SIZE
            self.resume = {}  # the next header has all that is durable

    def seal(self) -> None:
        """Write the seal behind the records, cut the file there and sync it; safe to call from a worker thread.

        Raises:
            OSError: the disk failed or is full; the segment is scanned at the next start.
        """
        if self.index is None:
            return
        raw = seal_bytes(self.epoch, self.sequence, self.base, self.resume, bytes(self.index))
        fd = os.open(self.path, os.O_RDWR)
        try:
            if self.size + len(raw) > self.room:
                os.posix_fallocate(fd, self.size, len(raw))
            write_all(fd, raw, self.size)
            os.ftruncate(fd, self.size + len(raw))
            os.fsync(fd)
            self.disk = on_disk(fd)
        finally:
            os.close(fd)
        self.room = self.size + len(raw)
        self.index, self.resume = None, {}

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file."""
        if self.fd >= 0:
            return os.pread(self.fd, length, offset)
        fd = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(fd, length, offset)
        finally:
            os.close(fd)

    def heads(self) -> list[RecordHead]:
        """The index: from memory, from the seal, or where that was altered from the records that are intact.

        Raises:
            OSError: the file cannot be read.
        """
        index = self.index
        if index is not None:
            return heads(bytes(index))
        fd = os.open(self.path, os.O_RDONLY)
        try:
            seal = seal_of(fd, os.fstat(fd).st_size)
            if seal is not None:
                return heads(seal.entries)
            return salvage(lambda at, size: os.pread(fd, size, at), 0, self.size).records
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
            fd = os.open(self.path.with_suffix(".done"), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                at = os.fstat(fd).st_size // DONE_SIZE * DONE_SIZE  # one that was torn is written over
                self.done_size += os.pwrite(fd, done_entry(self.epoch, counter), at)
            finally:
                os.close(fd)

    def forget(self, counter: int, points: int) -> None:
        """The record needs to live no longer."""
        if self.done.add(counter):
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
        fd = os.open(self.path, os.O_RDONLY)
        try:
            for head in self.heads():
                if head.counter in self.done and head.counter not in self.lost:
                    payload = payload_of(os.pread(fd, head.size, head.offset), head.counter)
                    if payload is not None:
                        yield head, payload
        finally:
            os.close(fd)

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


def on_disk(fd: int) -> int:
    """Bytes of disk that an open file takes."""
    return os.fstat(fd).st_blocks * 512


def seal_of(fd: int, size: int) -> Seal | None:
    """The seal at the end of a file of `size` bytes; None when there is none that holds.

    Raises:
        OSError: the file cannot be read.
    """
    length = seal_length(os.pread(fd, FOOT_SIZE, max(0, size - FOOT_SIZE)))
    if not length or length + FOOT_SIZE > size:
        return None
    return read_seal(os.pread(fd, length + FOOT_SIZE, size - length - FOOT_SIZE))


def most_done_bytes(records: int) -> int:
    """Bytes of a `.done` file that are worth reading: repeats are possible, but few."""
    return (2 * records + 1024) * DONE_SIZE


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
