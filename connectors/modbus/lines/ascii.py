"""ASCII framing: colon, hexadecimal digits, LRC, CR LF (Modbus over Serial Line V1.02 §2.5.2). Pure."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from connectors.modbus.lines.frame import Expected, Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

_START: Final = b":"
_END: Final = b"\r\n"
_LONGEST: Final = 513
"""Characters of a frame."""
_LEAST: Final = 4
"""Unit, function code, one byte and LRC."""


def lrc(data: bytes) -> int:
    """The check byte of a frame: all bytes and it add up to 0 modulo 256 (§6.2.1)."""
    return -sum(data) & 0xFF


class AsciiFramer:
    """Finds replies between colon and line end; a colon begins anew."""

    def __init__(self) -> None:
        self._buffer = b""

    def encode(self, unit: int, pdu: bytes) -> bytes:
        """A request with its LRC."""
        frame = bytes((unit,)) + pdu
        return _START + (frame + bytes((lrc(frame),))).hex().upper().encode() + _END

    def feed(self, data: bytes, expected: Expected | None) -> Iterator[Frame]:
        """See `Framer`. While a reply is waited for, any line that fails its check is told as wrong."""
        data = self._buffer + data
        while (end := data.find(_END)) >= 0:
            start = data.rfind(_START, 0, end)
            text, data = data[start + 1 : end], data[end + len(_END) :]
            if start < 0:
                continue
            try:
                raw = binascii.unhexlify(text)
            except ValueError:
                raw = b""
            if len(raw) >= _LEAST and not sum(raw) & 0xFF:
                yield Frame(raw[0], raw[1], raw[2:-1])
            elif expected is not None:
                yield Frame(expected.unit, expected.function, b"", "lrc")
        start = data.rfind(_START)
        self._buffer = data[start:] if start >= 0 and len(data) - start <= _LONGEST else b""

    def clear(self) -> None:
        """Forget what has arrived."""
        self._buffer = b""
