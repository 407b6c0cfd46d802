"""Finds the intact records in a file, wherever the damage is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import google_crc32c

from pipelines.journal.format import (
    FOOT_SIZE,
    RECORD_MAGIC,
    RECORD_OVERHEAD,
    ReadHead,
    RecordHead,
    head_at,
    heads,
    read_header,
    read_seal,
    seal_length,
)

_WINDOW: Final = 1 << 20

Read = Callable[[int, int], bytes]
"""Bytes of a file: (offset, length); fewer when it ends before."""


@dataclass(slots=True)
class Salvage:
    """What a stretch of a file holds.

    Attributes:
        index: packed entries of the intact records, in file order.
        metas: (counter, raw meta) of those that update resume state.
        broken: heads that hold, of records whose other bytes do not.
        durable: newest counter that a head which holds calls durable.
        damaged: (offset, length) of bytes that belong to no intact record; a tail of zeros is not among them.
    """

    index: bytearray = field(default_factory=bytearray)
    metas: list[tuple[int, bytes]] = field(default_factory=list)
    broken: list[RecordHead] = field(default_factory=list)
    durable: int = 0
    damaged: list[tuple[int, int]] = field(default_factory=list)

    @property
    def records(self) -> list[RecordHead]:
        """The intact records, in file order."""
        return heads(self.index)


def salvage(read: Read, start: int, end: int) -> Salvage:
    """Everything intact in [start, end); memory is one window and one record, whatever the bytes are.

    Raises:
        OSError: `read` failed.
    """
    found = Salvage()
    at = covered = base = start
    window = b""
    while at < end:
        place = window.find(RECORD_MAGIC, at - base)
        whole = place >= 0 and (place + RECORD_OVERHEAD <= len(window) or base + len(window) >= end)
        if not whole:
            ahead = base + place if place >= 0 else max(at, base + len(window) - len(RECORD_MAGIC) + 1)
            if place < 0 and base + len(window) >= end:
                break
            base = at = ahead
            window = read(base, min(_WINDOW, end - base))
            end = end if len(window) == min(_WINDOW, end - base) else base + len(window)
            continue
        at = base + place
        head = head_at(window, place, at)
        if head is None:
            at += 1
            continue
        found.durable = max(found.durable, head.durable)
        if at + head.record.size <= end and _holds(read, head, found):
            if at > covered:
                found.damaged.append((covered, at - covered))
            found.index += head.record.pack()
            at = covered = at + head.record.size
        else:
            found.broken.append(head.record)
            at += RECORD_OVERHEAD
    tail = _without_zeros(read, covered, end)
    if tail > covered:
        found.damaged.append((covered, tail - covered))
    return found


def read_segment(data: bytes) -> Salvage:
    """Everything intact in the bytes of one segment file; never raises, whatever they are."""
    header = read_header(data)
    end = len(data)
    length = seal_length(data[-FOOT_SIZE:])
    if length and read_seal(data[max(0, end - length - FOOT_SIZE) :]) is not None:
        end -= length + FOOT_SIZE
    return salvage(lambda at, size: data[at : at + size], header.size if header else 0, end)


def _holds(read: Read, head: ReadHead, found: Salvage) -> bool:
    """Whether meta and payload are those that were written; the resume state of such a record is kept."""
    at, end = head.record.offset + RECORD_OVERHEAD, head.record.offset + head.record.size
    meta = read(at, head.meta_length)
    crc = google_crc32c.value(meta)
    at += head.meta_length
    while at < end:
        chunk = read(at, min(_WINDOW, end - at))
        if not chunk:
            return False
        crc = google_crc32c.extend(crc, chunk)
        at += len(chunk)
    if crc != head.crc:
        return False
    if meta:
        found.metas.append((head.record.counter, meta))
    return True


def _without_zeros(read: Read, start: int, end: int) -> int:
    """Where the last byte of [start, end) that is not zero ends; `start` when there is none."""
    last = start
    while start < end:
        chunk = read(start, min(_WINDOW, end - start))
        if not chunk:
            break
        kept = len(chunk.rstrip(b"\0"))
        if kept:
            last = start + kept
        start += len(chunk)
    return last
