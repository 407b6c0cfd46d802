"""What lies in the journal's folder at a start: read in bounded time, judged by its neighbours."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from pipelines.journal.counters import Counters
from pipelines.journal.format import Header, RecordHead, done_counters, header_size, heads, read_header, unpack_state
from pipelines.journal.salvage import Read, Salvage, salvage
from pipelines.journal.segment import BLOCK, Segment, most_done_bytes, on_disk, seal_of

SCAN_BYTES: Final = 64 << 20
"""Most that is scanned at a start; the rest while the agent runs."""
_SCAN_S: Final = 2.0
_SEQUENCE_MOST: Final = 1 << 60
_NEAR: Final = 1 << 32
"""Segments further behind the others are not ours where their header does not hold: no disk lives to write so many."""
_HEADER_READ: Final = 4096
_HEADER_MOST: Final = 16 << 20
_RECORDS_MOST: Final = 4 << 20

ENTRY: Final = np.dtype(
    [
        ("counter", "<u8"),
        ("offset", "<u8"),
        ("size", "<u4"),
        ("length", "<u4"),
        ("points", "<u4"),
        ("first_ns", "<i8"),
        ("last_ns", "<i8"),
    ]
)
"""`format.RecordHead`, packed."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Missing:
    """Accepted records that are not in a file any more.

    Attributes:
        records: how many; None where nothing tells.
        points: values in them; None where a head is missing too.
        first_ns: not later than the oldest of them, ns since 1970 UTC; 0 = unknown.
        last_ns: not earlier than the newest; 0 = unknown.
    """

    records: int | None
    points: int | None
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class Found:
    """One file with a segment's name.

    Attributes:
        path: the file.
        sequence: of its name.
        disk: bytes of disk it takes.
        size: bytes in it.
        header: None when it does not hold.
        segment: None while it is not read.
        salvaged: what a scan found; None when there is a seal.
        missing: what was accepted and is lost.
    """

    path: Path
    sequence: int
    disk: int
    size: int
    header: Header | None
    segment: Segment | None = None
    resume: dict[str, bytes] = field(default_factory=dict)
    salvaged: Salvage | None = None
    missing: list[Missing] = field(default_factory=list)

    @property
    def epoch(self) -> str | None:
        """Of its records, as far as it is known."""
        return self.segment.epoch if self.segment else self.header.epoch if self.header else None

    @property
    def base(self) -> int | None:
        """Newest counter of the epoch that was on disk before it, as far as it is known."""
        return self.segment.base if self.segment else self.header.base if self.header else None


def look(folder: Path) -> tuple[list[Found], int]:
    """Every file with a segment's name, in sequence, those with a seal read; the highest number that is taken.

    Raises:
        OSError: the folder cannot be read.
    """
    found, highest = [], 0
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    segments = {name[:-4] for name in names if name.endswith(".seg") and _is_sequence(name[:-4])}
    for name in names:
        stem, _, kind = name.rpartition(".")
        if kind == "done" and _is_sequence(stem) and stem not in segments:
            with suppress(OSError):
                (folder / name).unlink()
        if kind != "seg" or stem not in segments:
            continue
        sequence = int(stem, 16)
        try:
            one = _look_at(folder / name, sequence)
        except OSError as error:
            log.error("journal_file_unreadable", path=str(folder / name), reason=str(error))  # noqa: TRY400
            continue
        if one is None:
            log.warning("journal_file_foreign", path=str(folder / name), reason="not a regular file; it is left alone")
            continue
        found.append(one)
        if one.segment or one.header or sequence - highest <= _NEAR:  # what is begun now has to be the newest
            highest = sequence
    return found, highest


def resume_of(found: Iterable[Found]) -> dict[str, bytes]:
    """Resume state that files lead to, in sequence and read."""
    resume: dict[str, bytes] = {}
    for one in found:
        resume.update(one.header.snapshot if one.header else {})
        resume.update(one.resume)
    return resume


def resume_at(folder: Path) -> dict[str, bytes]:
    """Resume state of a journal that another process may be writing; nothing in the folder is changed."""
    found = []
    for path in sorted(folder.glob("*.seg")):
        with suppress(OSError):
            if _is_sequence(path.stem) and (one := _look_at(path, int(path.stem, 16))):
                found.append(one)
    read_newest(found)
    return resume_of(found)


def read_newest(found: list[Found]) -> None:
    """Scan what has no seal, newest first, as far as a start has time for it."""
    left, until_s = SCAN_BYTES, time.monotonic() + _SCAN_S
    for one in reversed(found):
        if one.segment is None and one.size <= left and time.monotonic() < until_s:
            left -= one.size
            with suppress(OSError):
                scan(one, found)


def scan(one: Found, all_found: Iterable[Found]) -> None:
    """Read a file without a seal: what it holds, and what it should hold by its neighbours.

    Raises:
        OSError: the file cannot be opened.
    """
    renamed = one.header is not None and one.header.sequence != one.sequence
    near = {other.sequence - one.sequence: other for other in all_found if abs(other.sequence - one.sequence) <= 1}
    before, after = (None, None) if renamed else (near.get(-1), near.get(1))
    fd = os.open(one.path, os.O_RDONLY)
    try:
        read = reading_around(fd)
        salvaged = salvage(read, one.header.size if one.header else 0, one.size)
    finally:
        os.close(fd)
    one.salvaged = salvaged
    epoch = one.header.epoch if one.header else _shared_epoch(before, after)
    end = after.base if after is not None and epoch is not None and after.epoch == epoch else None
    records = _own(heads(salvaged.index), end)
    if one.header:
        base = one.header.base
    else:
        base = min((head.counter for head in [*records, *salvaged.broken]), default=1) - 1
    last = end if end is not None else max(salvaged.durable, max((head.counter for head in records), default=0))
    one.missing = list(_missing(records, salvaged.broken, base, last, _times(before, after)))
    if not one.header and not records and not one.missing and salvaged.damaged:
        first_ns, last_ns = _times(before, after)
        one.missing.append(Missing(None, None, first_ns, last_ns))
    if not one.missing and one.header:
        salvaged.damaged = []  # what a power cut tore was never accepted
    for counter, meta in salvaged.metas:
        if end is None or counter <= end:
            one.resume.update(unpack_state(meta))
    segment = Segment(one.path, epoch or secrets.token_hex(16), base, resume=one.resume)
    segment.index = bytearray(b"".join(head.pack() for head in records))
    segment.size = one.header.size if one.header else 0
    segment.damaged = salvaged.damaged
    segment.damaged_bytes = sum(length for _, length in salvaged.damaged)
    _fill(one, segment, segment.index)
    for head in salvaged.records:
        if end is not None and head.counter > end:
            segment.done.add(head.counter)
            segment.lost.add(head.counter)


def _fill(one: Found, segment: Segment, index: bytes | bytearray) -> None:
    records = np.frombuffer(bytes(index), dtype=ENTRY)
    segment.room, segment.disk, segment.records = one.size, one.disk, len(records)
    if len(records):
        segment.size = int((records["offset"] + records["size"]).max())
    done = _done(one.path.with_suffix(".done"), segment)
    if done:
        released = np.isin(records["counter"], np.fromiter(done, np.uint64, len(done)))
        segment.done = Counters(records["counter"][released].tolist())
        records = records[~released]
    segment.open_records = len(records)
    segment.open_points = int(records["points"].sum(dtype=np.int64))
    if len(records):
        segment.span_ns = int(records["first_ns"].min()), int(records["last_ns"].max())
    one.segment = segment


def reading_around(fd: int) -> Read:
    """Bytes of a file, with zeros for blocks that the disk cannot read any more."""

    def read(at: int, size: int) -> bytes:
        try:
            return os.pread(fd, size, at)
        except OSError:
            if size <= BLOCK:
                return bytes(size)
            return b"".join(read(start, min(BLOCK, at + size - start)) for start in range(at, at + size, BLOCK))

    return read


def _look_at(path: Path, sequence: int) -> Found | None:
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        size = os.fstat(fd).st_size
        start = os.pread(fd, _HEADER_READ, 0)
        if len(start) < header_size(start) <= min(size, _HEADER_MOST):
            start = os.pread(fd, header_size(start), 0)
        header = read_header(start)
        if header is not None and sequence > _SEQUENCE_MOST:
            header = None
        one = Found(path, sequence, on_disk(fd), size, header)
        seal = seal_of(fd, size)
    finally:
        os.close(fd)
    named = seal.sequence if seal else header.sequence if header else sequence
    if named != sequence and path.with_name(f"{named:016x}.seg").exists():
        one.header, one.segment = None, Segment(path, secrets.token_hex(16), disk=one.disk, damaged=[(0, size)])
        log.warning("journal_file_copied", path=str(path), original=f"{named:016x}.seg")
        return one
    if seal is not None:
        segment = Segment(path, seal.epoch, seal.base, size=header.size if header else 0)
        one.resume = seal.resume
        _fill(one, segment, seal.entries)
    return one


def _done(path: Path, segment: Segment) -> set[int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return set()
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return set()
        segment.done_size = min(os.fstat(fd).st_size, on_disk(fd))
        return done_counters(segment.epoch, os.pread(fd, most_done_bytes(segment.records), 0))
    except OSError:
        return set()
    finally:
        os.close(fd)


def _own(records: list[RecordHead], end: int | None) -> list[RecordHead]:
    """Records that are not written again in a later segment, each once."""
    own: dict[int, RecordHead] = {}
    for head in records[:_RECORDS_MOST]:
        if end is None or head.counter <= end:
            own.setdefault(head.counter, head)
    return list(own.values())


def _missing(
    records: list[RecordHead], broken: list[RecordHead], base: int, end: int, times: tuple[int, int]
) -> Iterator[Missing]:
    """Runs of counters in (base, end] that are not there."""
    known = {head.counter: head for head in broken}
    last, before_ns = base, times[0]
    for head in sorted(records):
        if base < head.counter <= end + 1 and head.counter > last + 1:
            yield _run(last + 1, head.counter - 1, known, (before_ns, head.first_ns))
        if head.counter > last:
            last, before_ns = head.counter, head.last_ns
    if last < end:
        yield _run(last + 1, end, known, (before_ns, times[1]))


def _run(first: int, last: int, known: dict[int, RecordHead], times: tuple[int, int]) -> Missing:
    count = last - first + 1
    inside = [known[counter] for counter in known if first <= counter <= last]
    points = sum(head.points for head in inside) if len(inside) == count else None
    if points is not None:
        times = min(head.first_ns for head in inside), max(head.last_ns for head in inside)
    first_ns, last_ns = times[0] or times[1], times[1] or times[0]
    return Missing(count, points, min(first_ns, last_ns), max(first_ns, last_ns))


def _times(before: Found | None, after: Found | None) -> tuple[int, int]:
    """Newest time before a segment and oldest after it; 0 = unknown."""
    left = before.segment.span_ns if before and before.segment else None
    right = after.segment.span_ns if after and after.segment else None
    return left[1] if left else 0, right[0] if right else 0


def _shared_epoch(before: Found | None, after: Found | None) -> str | None:
    if before is None or after is None or before.epoch != after.epoch:
        return None
    return before.epoch


def _is_sequence(stem: str) -> bool:
    return len(stem) == 16 and all(letter in "0123456789abcdef" for letter in stem)  # noqa: PLR2004
