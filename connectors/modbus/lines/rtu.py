"""RTU framing: unit, function code, data, CRC16 (Modbus over Serial Line V1.02 §2.5.1). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.modbus.lines.frame import EXCEPTION, Expected, Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

_READS: Final = frozenset({1, 2, 3, 4})
_LEAST: Final = 5
"""Bytes of the shortest reply: an exception."""


def _table() -> tuple[int, ...]:
    out = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        out.append(crc)
    return tuple(out)


_TABLE: Final = _table()


def crc16(data: bytes) -> bytes:
    """The two check bytes of a frame, in the order in which they are sent (§6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


class RtuFramer:
    """Finds replies to reads by their length and CRC, whatever noise stands around them."""

    def __init__(self) -> None:
        self._buffer = b""

    def encode(self, unit: int, pdu: bytes) -> bytes:
        """A request with its CRC."""
        frame = bytes((unit,)) + pdu
        return frame + crc16(frame)

    def feed(self, data: bytes, expected: Expected | None) -> Iterator[Frame]:
        """See `Framer`. Inside of the reply that is waited for no other is looked for."""
        data = self._buffer + data
        at, kept = 0, -1
        while len(data) - at >= _LEAST:
            end = at + _length(data, at)
            if end == at:
                at += 1
                continue
            awaited = expected is not None and tuple(data[at : at + 3]) == expected
            if end > len(data):
                kept = at if kept < 0 else kept
                if awaited:
                    break
            elif crc16(data[at : end - 2]) == data[end - 2 : end]:
                yield Frame(data[at], data[at + 1], data[at + 2 : end - 2])
                at, kept = end, -1
                continue
            elif awaited:
                yield Frame(data[at], data[at + 1], b"", "crc")
            at += 1
        self._buffer = data[at if kept < 0 else kept :]

    def clear(self) -> None:
        """Forget what has arrived."""
        self._buffer = b""


def _length(data: bytes, at: int) -> int:
    """Bytes of the reply that begins there; 0 if none can."""
    function = data[at + 1]
    if function & ~EXCEPTION not in _READS:
        return 0
    return _LEAST if function & EXCEPTION else _LEAST + data[at + 2]
