"""MBAP framing: transaction id, protocol 0, length, unit (Messaging on TCP/IP V1.0b §3.1.3). Pure."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct(">HHHBB")
_PREFIX: Final = struct.Struct(">HHH")
_LENGTHS: Final = range(3, 255)
"""What the length field of a reply can be: unit, function code and 1-252 bytes."""
HEAD: Final = _HEADER.size
"""Bytes after which a reply is known to be right or wrong but for its data."""


class Head(NamedTuple):
    """The first 8 bytes of a reply.

    Attributes:
        transaction: transaction id.
        unit: unit id.
        function: function code.
        end: bytes of the whole reply.
        fault: `protocol` or `length`; empty if both are possible.
    """

    transaction: int
    unit: int
    function: int
    end: int
    fault: str


def head(data: bytes) -> Head:
    """The head of at least `HEAD` bytes."""
    transaction, protocol, length, unit, function = _HEADER.unpack_from(data)
    fault = "protocol" if protocol else "" if length in _LENGTHS else "length"
    return Head(transaction, unit, function, length + 6, fault)


def encode(transaction: int, tail: bytes) -> bytes:
    """A request; `tail` = unit and PDU."""
    return _PREFIX.pack(transaction, 0, len(tail)) + tail
