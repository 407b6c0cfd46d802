r"""The bytes of a segment file: format and recovery specification.

A journal is a folder of segments `<sequence, 16 hex digits>.seg`, written in sequence. Of a record nothing is ever
changed afterwards. All integers are little-endian. CRC32C is Castagnoli's (RFC 3720 appendix B.4).

Segment header (once, at offset 0)::

    8  magic     b"SHOPFLJ2"   the digit is the format version
    4  crc       CRC32C of everything that follows in this header
    16 epoch     random per process start
    8  sequence  equals the file name
    8  base      counter of the newest record of this epoch that was on disk when the segment was begun; 0 = none
    4  length    of the snapshot
    n  snapshot  JSON object: resume state by key (base64), as committed before this segment

Record (any number, directly after each other)::

    4  magic     b"\x9eRec"
    4  crc       CRC32C of the 48 bytes that follow
    8  counter   of the record id, from 1 within the epoch
    8  durable   counter of the newest record of this epoch that was on disk when this one was written; 0 = none
    4  points    values in the payload, quality and gap fields not counted
    8  first_ns  oldest time in the payload, ns since 1970 UTC
    8  last_ns   newest time in the payload
    4  length of meta
    4  length of payload
    4  crc       CRC32C of meta and payload
    n  meta      JSON object: resume state updated by this record (base64), empty when none
    n  payload   line protocol

Seal (once, at the very end of a segment that was left in order)::

    16 epoch     as in the header
    8  sequence  as in the header
    8  base      as in the header
    4  count     of index entries
    4  length of state
    n  state     JSON object: resume state updated by the records of this segment (base64), empty when none
    n  index     44 bytes a record: counter, offset, size, length of payload, points, first_ns, last_ns
    4  length    of the seal up to here
    4  crc       CRC32C of the seal up to here
    8  magic     b"SHOPFLE2"

Writing. A segment is preallocated (`segment_bytes`, or more for a larger record), so that a full disk shows when it is
begun and not in a commit; only under a load that fills it between two commits it grows. Header and folder are synced
before the first record. A record counts as accepted when `fdatasync` has returned after it. A segment is left when it
is full and all of it is on disk: the seal is written behind the last record, the file is cut there and synced. So a
zero tail is preallocation and no damage, and a seal vouches for all before it. After a failed `fdatasync` nothing of
what was not on disk is trusted: those records are written again, under the same ids, into a new segment, whose base
says that they are not to be taken from the old one.

Leaving. Beside a segment, `<sequence>.done` lists records that were released (12 bytes each: counter and CRC32C of
epoch and counter). It is written without a sync: an entry that is missing or torn only means that a record is sent
again. A segment of which every record is released is finished: the ledger takes it in, then its two files are deleted
and the folder is synced. What is given up (the oldest segment at the cap, a record that was altered) is first told by
a gap point in a record of its own; only when that is on disk it is counted and goes. The record's meta names, under the
key "\0doomed", the segments that are told and may not be deleted yet, so that after a crash between the two they are
deleted, and neither sent nor told again.

Recovery reads of a sealed segment header and seal only, not the payloads: each is checked when it is read to be sent.
A segment without a seal that holds is scanned: it is the last one, or it was damaged. A record whose checksums do not
hold ends nothing: the reader looks for the next magic and goes on, so that every intact record is found wherever the
damage is. A header that does not hold loses the snapshot only (the next segment has a newer one); the epoch is taken
from the neighbours if they agree, else the records get one of their own and are sent again: re-delivery changes
nothing. At the start at most `SCAN_BYTES` are scanned, newest segments first; what is left is read while the agent
runs and sent then.

Damage. Counters are consecutive, so what is missing between a segment's base and its end (the base of the next segment
of the epoch, else the newest `durable` that was read) was accepted and is lost. It is told as a gap, with the number
of values where the head of each missing record still holds, and the times of the neighbours where it does not. Bytes
behind the end are a write that a power cut tore: never accepted, not damage. The altered bytes are kept in `bad/` as
`<sequence>-<offset, hex>.bad`, at most 1/16 of the cap, the oldest go first; then the segment gets a seal, so that
damage is told once. A file with a segment's name that holds nothing of ours goes to `bad/` as well; what is not a
regular file, or cannot be read, is left alone and logged.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

import google_crc32c
import orjson

SEGMENT_MAGIC: Final = b"SHOPFLJ2"
RECORD_MAGIC: Final = b"\x9eRec"
SEAL_MAGIC: Final = b"SHOPFLE2"
_SEGMENT: Final = struct.Struct("<16sQQI")
_RECORD: Final = struct.Struct("<QQIqqIII")
_SEAL: Final = struct.Struct("<16sQQII")
_ENTRY: Final = struct.Struct("<QQIIIqq")
_CRC: Final = struct.Struct("<I")
_FOOT: Final = struct.Struct("<II8s")
_DONE: Final = struct.Struct("<QI")
HEADER_OVERHEAD: Final = len(SEGMENT_MAGIC) + _CRC.size + _SEGMENT.size
RECORD_OVERHEAD: Final = len(RECORD_MAGIC) + _CRC.size + _RECORD.size
SEAL_OVERHEAD: Final = _SEAL.size + _FOOT.size
FOOT_SIZE: Final = _FOOT.size
ENTRY_SIZE: Final = _ENTRY.size
DONE_SIZE: Final = _DONE.size


class RecordHead(NamedTuple):
    """What the index says of a record.

    Attributes:
        counter: of its id.
        offset: of its first byte in the segment.
        size: bytes it takes in the segment.
        length: bytes of the payload, which ends the record.
        points: values in it.
        first_ns: oldest time in it, ns since 1970 UTC.
        last_ns: newest time in it.
    """

    counter: int
    offset: int
    size: int
    length: int
    points: int
    first_ns: int
    last_ns: int

    @property
    def payload(self) -> tuple[int, int]:
        """(offset, length) of the payload in the segment."""
        return self.offset + self.size - self.length, self.length

    def pack(self) -> bytes:
        """The entry of the index."""
        return _ENTRY.pack(*self)


class ReadHead(NamedTuple):
    """The head of a record as read from a file.

    Attributes:
        record: what it says of itself.
        durable: counter of the newest record that was on disk when it was written.
        meta_length: bytes of meta.
        crc: of meta and payload.
    """

    record: RecordHead
    durable: int
    meta_length: int
    crc: int


class Header(NamedTuple):
    """A segment's header.

    Attributes:
        epoch: 32 hex digits.
        sequence: of the segment.
        base: newest counter that was on disk before it.
        snapshot: resume state by key.
        size: bytes it takes.
    """

    epoch: str
    sequence: int
    base: int
    snapshot: dict[str, bytes]
    size: int


class Seal(NamedTuple):
    """A segment's seal.

    Attributes:
        epoch: 32 hex digits.
        sequence: of the segment.
        base: newest counter that was on disk before it.
        resume: state updated by its records.
        entries: the packed index, see `heads`.
    """

    epoch: str
    sequence: int
    base: int
    resume: dict[str, bytes]
    entries: bytes


def pack_state(state: Mapping[str, bytes]) -> bytes:
    """Resume state as JSON with base64 values; empty bytes for an empty state."""
    return orjson.dumps({key: base64.b64encode(value).decode() for key, value in state.items()}) if state else b""


def unpack_state(raw: bytes) -> dict[str, bytes]:
    """The inverse of `pack_state`."""
    return {key: base64.b64decode(value) for key, value in orjson.loads(raw).items()} if raw else {}


def segment_header(epoch: str, sequence: int, base: int, snapshot: Mapping[str, bytes]) -> bytes:
    """The bytes a segment starts with."""
    state = pack_state(snapshot)
    body = _SEGMENT.pack(bytes.fromhex(epoch), sequence, base, len(state)) + state
    return SEGMENT_MAGIC + _CRC.pack(google_crc32c.value(body)) + body


def header_size(data: bytes) -> int:
    """Bytes the header takes by its own account; 0 when `data`, the first bytes of a file, begin with none."""
    if len(data) < HEADER_OVERHEAD or not data.startswith(SEGMENT_MAGIC):
        return 0
    return HEADER_OVERHEAD + int(_SEGMENT.unpack_from(data, len(SEGMENT_MAGIC) + _CRC.size)[3])


def read_header(data: bytes) -> Header | None:
    """The header in the first bytes of a file; None when it does not hold."""
    size = header_size(data)
    start = len(SEGMENT_MAGIC) + _CRC.size
    if not size or size > len(data):
        return None
    if google_crc32c.value(data[start:size]) != _CRC.unpack_from(data, len(SEGMENT_MAGIC))[0]:
        return None
    epoch, sequence, base, _ = _SEGMENT.unpack_from(data, start)
    return Header(epoch.hex(), sequence, base, unpack_state(data[HEADER_OVERHEAD:size]), size)


def record_bytes(
    counter: int, durable: int, points: int, span_ns: tuple[int, int], meta: bytes, payload: bytes
) -> bytes:
    """One record, ready to be appended. `span_ns` is (first_ns, last_ns)."""
    crc = google_crc32c.extend(google_crc32c.value(meta), payload)
    head = _RECORD.pack(counter, durable, points, *span_ns, len(meta), len(payload), crc)
    return b"".join((RECORD_MAGIC, _CRC.pack(google_crc32c.value(head)), head, meta, payload))


def head_at(data: bytes, at: int, offset: int) -> ReadHead | None:
    """The record head at `data[at:]`, which is `offset` in the file; None when it does not hold."""
    end = at + RECORD_OVERHEAD
    if end > len(data) or data[at : at + 4] != RECORD_MAGIC:
        return None
    if google_crc32c.value(data[at + 8 : end]) != _CRC.unpack_from(data, at + 4)[0]:
        return None
    counter, durable, points, first_ns, last_ns, meta_length, length, crc = _RECORD.unpack_from(data, at + 8)
    size = RECORD_OVERHEAD + meta_length + length
    return ReadHead(RecordHead(counter, offset, size, length, points, first_ns, last_ns), durable, meta_length, crc)


def payload_of(data: bytes, counter: int) -> bytes | None:
    """The payload of the record whose bytes `data` are; None when they are not those that were written."""
    head = head_at(data, 0, 0)
    if head is None or head.record.counter != counter or head.record.size != len(data):
        return None
    body = data[RECORD_OVERHEAD:]
    return body[head.meta_length :] if google_crc32c.value(body) == head.crc else None


def seal_bytes(epoch: str, sequence: int, base: int, resume: Mapping[str, bytes], index: bytes) -> bytes:
    """The bytes a segment ends with."""
    state = pack_state(resume)
    body = _SEAL.pack(bytes.fromhex(epoch), sequence, base, len(index) // ENTRY_SIZE, len(state)) + state + index
    return body + _FOOT.pack(len(body), google_crc32c.value(body), SEAL_MAGIC)


def seal_length(foot: bytes) -> int:
    """Bytes of the seal before its last `FOOT_SIZE`; 0 when the file ends with none."""
    if len(foot) != FOOT_SIZE:
        return 0
    length, _, magic = _FOOT.unpack(foot)
    return int(length) if magic == SEAL_MAGIC else 0


def read_seal(raw: bytes) -> Seal | None:
    """A whole seal; None when it does not hold."""
    body, foot = raw[:-FOOT_SIZE], raw[-FOOT_SIZE:]
    if len(body) < _SEAL.size or seal_length(foot) != len(body) or google_crc32c.value(body) != _FOOT.unpack(foot)[1]:
        return None
    epoch, sequence, base, count, length = _SEAL.unpack_from(body)
    start = _SEAL.size + length
    if start + count * ENTRY_SIZE != len(body):
        return None
    return Seal(epoch.hex(), sequence, base, unpack_state(body[_SEAL.size : start]), body[start:])


def heads(index: bytes | bytearray) -> list[RecordHead]:
    """The entries of an index."""
    return [RecordHead._make(entry) for entry in _ENTRY.iter_unpack(index)]


def done_entry(epoch: str, counter: int) -> bytes:
    """One released record in a `.done` file."""
    return _DONE.pack(counter, _done_crc(epoch, counter))


def done_counters(epoch: str, raw: bytes) -> set[int]:
    """Counters in a `.done` file whose checksum holds for `epoch`."""
    whole = raw[: len(raw) // DONE_SIZE * DONE_SIZE]
    return {counter for counter, crc in _DONE.iter_unpack(whole) if crc == _done_crc(epoch, counter)}


def _done_crc(epoch: str, counter: int) -> int:
    return int(google_crc32c.value(bytes.fromhex(epoch) + counter.to_bytes(8, "little")))
