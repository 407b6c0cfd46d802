r"""The bytes of a segment file: format and recovery specification.

A journal is a folder of segments `<sequence, 16 hex digits>.seg`, written in sequence and never changed afterwards.
All integers are little-endian. CRC32C is Castagnoli's (RFC 3720 appendix B.4).

Segment header (once, at offset 0)::

    8  magic     b"SHOPFLJ1"   the digit is the format version
    4  crc       CRC32C of everything that follows in this header
    16 epoch     random per process start
    8  sequence  equals the file name
    4  length    of the snapshot
    n  snapshot  JSON object: resume state by key (base64), as committed before this segment

Record (any number, directly after each other)::

    4  magic     b"\x9eRec"
    4  crc       CRC32C of everything that follows in this record
    8  counter   of the record id, from 1 within the epoch
    4  points    values in the payload, quality and gap fields not counted
    8  first_ns  oldest time in the payload, ns since 1970 UTC
    8  last_ns   newest time in the payload
    4  length of meta
    4  length of payload
    n  meta      JSON object: resume state updated by this record (base64), empty when none
    n  payload   line protocol

Recovery reads the segments in sequence. A record whose CRC does not hold ends nothing: the reader looks for the next
magic and goes on, so that every intact record is found wherever the damage is. A header that does not hold loses the
snapshot only; the records' epoch is then unknown, so they are given the epoch of their file name under a fresh one and
sent again: re-delivery changes nothing. Beside a segment, `<sequence>.done` lists records that were released before
the process ended (12 bytes each: counter and CRC32C of epoch and counter). It is written without a sync: an entry that
is missing or torn only means that a record is sent again.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import google_crc32c
import orjson

SEGMENT_MAGIC: Final = b"SHOPFLJ1"
RECORD_MAGIC: Final = b"\x9eRec"
_SEGMENT: Final = struct.Struct("<16sQI")
_RECORD: Final = struct.Struct("<QIqqII")
_CRC: Final = struct.Struct("<I")
_DONE: Final = struct.Struct("<QI")
RECORD_OVERHEAD: Final = len(RECORD_MAGIC) + _CRC.size + _RECORD.size
DONE_SIZE: Final = _DONE.size


@dataclass(frozen=True, slots=True)
class RecordHead:
    """Where a record stands and what it says about itself.

    Attributes:
        counter: of its id.
        points: values in it.
        first_ns: oldest time in it, ns since 1970 UTC.
        last_ns: newest time in it.
        offset: of its first byte in the segment.
        size: bytes it takes in the segment.
        payload: (offset, length) of the payload in the segment.
        meta: raw JSON of resume updates, empty when none.
    """

    counter: int
    points: int
    first_ns: int
    last_ns: int
    offset: int
    size: int
    payload: tuple[int, int]
    meta: bytes


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """What recovery found in one segment file.

    Attributes:
        epoch: 32 hex digits; None when the header does not hold.
        snapshot: resume state by key.
        records: intact records in file order.
        damaged_bytes: bytes that belong to no intact record.
    """

    epoch: str | None
    snapshot: dict[str, bytes]
    records: list[RecordHead]
    damaged_bytes: int


def pack_state(state: Mapping[str, bytes]) -> bytes:
    """Resume state as JSON with base64 values; empty bytes for an empty state."""
    return orjson.dumps({key: base64.b64encode(value).decode() for key, value in state.items()}) if state else b""


def unpack_state(raw: bytes) -> dict[str, bytes]:
    """The inverse of `pack_state`."""
    return {key: base64.b64decode(value) for key, value in orjson.loads(raw).items()} if raw else {}


def segment_header(epoch: str, sequence: int, snapshot: Mapping[str, bytes]) -> bytes:
    """The bytes a segment starts with."""
    state = pack_state(snapshot)
    body = _SEGMENT.pack(bytes.fromhex(epoch), sequence, len(state)) + state
    return SEGMENT_MAGIC + _CRC.pack(google_crc32c.value(body)) + body


def record_bytes(counter: int, points: int, span_ns: tuple[int, int], meta: bytes, payload: bytes) -> bytes:
    """One record, ready to be appended. `span_ns` is (first_ns, last_ns)."""
    body = b"".join((_RECORD.pack(counter, points, *span_ns, len(meta), len(payload)), meta, payload))
    return b"".join((RECORD_MAGIC, _CRC.pack(google_crc32c.value(body)), body))


def done_entry(epoch: str, counter: int) -> bytes:
    """One released record in a `.done` file."""
    return _DONE.pack(counter, _done_crc(epoch, counter))


def done_counters(epoch: str, raw: bytes) -> set[int]:
    """Counters in a `.done` file whose checksum holds for `epoch`."""
    whole = raw[: len(raw) // DONE_SIZE * DONE_SIZE]
    return {counter for counter, crc in _DONE.iter_unpack(whole) if crc == _done_crc(epoch, counter)}


def _done_crc(epoch: str, counter: int) -> int:
    return int(google_crc32c.value(bytes.fromhex(epoch) + counter.to_bytes(8, "little")))


def _header(data: bytes) -> tuple[str | None, dict[str, bytes], int]:
    start = len(SEGMENT_MAGIC) + _CRC.size
    if data[: len(SEGMENT_MAGIC)] == SEGMENT_MAGIC and len(data) >= start + _SEGMENT.size:
        epoch, _, length = _SEGMENT.unpack_from(data, start)
        end = start + _SEGMENT.size + length
        body = data[start:end]
        if end <= len(data) and google_crc32c.value(body) == _CRC.unpack_from(data, len(SEGMENT_MAGIC))[0]:
            return epoch.hex(), unpack_state(body[_SEGMENT.size :]), end
    return None, {}, 0


def record_at(data: bytes, offset: int) -> RecordHead | None:
    """The intact record that starts at `offset`, or None."""
    fixed = offset + RECORD_OVERHEAD
    if data[offset : offset + 4] != RECORD_MAGIC or fixed > len(data):
        return None
    counter, points, first_ns, last_ns, meta_length, length = _RECORD.unpack_from(data, offset + 8)
    end = fixed + meta_length + length
    if end > len(data) or google_crc32c.value(data[offset + 8 : end]) != _CRC.unpack_from(data, offset + 4)[0]:
        return None
    at = fixed + meta_length
    return RecordHead(counter, points, first_ns, last_ns, offset, end - offset, (at, length), data[fixed:at])


def _records(data: bytes, start: int) -> Iterator[RecordHead]:
    at = data.find(RECORD_MAGIC, start)
    while at >= 0:
        head = record_at(data, at)
        if head is not None:
            yield head
        at = data.find(RECORD_MAGIC, at + (head.size if head else 1))


def read_segment(data: bytes) -> SegmentContent:
    """Everything intact in the bytes of one segment file; never raises, whatever they are."""
    epoch, snapshot, start = _header(data)
    records = list(_records(data, start))
    return SegmentContent(epoch, snapshot, records, len(data) - start - sum(record.size for record in records))
