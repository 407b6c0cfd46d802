"""Single values that do not fit a fixed-size layout: text, ids, times, and everything that is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua.ua.ua_binary import variant_from_binary
from asyncua.ua.uaerrors import UaError

from connectors.opcua.skip import CheckedBuffer, Skipper
from pipelines.point import BAD_DATA_ENCODING_UNSUPPORTED, BAD_NOT_SUPPORTED

EPOCH_TICKS: Final = 116_444_736_000_000_000
"""1970-01-01 in 100 ns since 1601-01-01 UTC (OPC 10000-6 §5.2.2.5)."""
LIMIT_TICKS: Final = (1 << 63) // 100
"""Ticks either side of 1970 that an int64 of nanoseconds holds (years 1677 to 2262)."""
BAD_NO_DATA: Final = 0x809B_0000
"""A value is null though its status is not bad."""
_LAST_TICKS: Final = 2_650_467_743_990_000_000
_FIRST_DAY: Final = datetime(1601, 1, 1, tzinfo=UTC)
_LENGTH: Final = struct.Struct("<i")
BROKEN: Final = (UaError, struct.error, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What asyncua's decoders raise on bytes that are not what they should be."""


def iso_of(ticks: int) -> str:
    """UTC time as ISO 8601 with seven decimals; 100 ns since 1601, held to the years 1601 to 9999."""
    seconds, fraction = divmod(min(max(ticks, 0), _LAST_TICKS), 10_000_000)
    return f"{_FIRST_DAY + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:07d}Z"


def text_at(data: bytes, at: int, end: int) -> tuple[str | None, int, int]:
    """A String (OPC 10000-6 §5.2.2.4) that starts at `at`.

    Returns:
        (text or None when null, position after it, status for it: 0, or bad when it is no UTF-8).

    Raises:
        ValueError: it does not end before `end`.
    """
    if at + 4 > end:
        raise ValueError("a string is cut off")
    (length,) = _LENGTH.unpack_from(data, at)
    at += 4
    if length < 0:
        return None, at, 0
    if at + length > end:
        raise ValueError("a string is cut off")
    raw = data[at : at + length]
    try:
        return raw.decode(), at + length, 0
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), at + length, BAD_DATA_ENCODING_UNSUPPORTED


def variant_at(data: bytes, at: int, end: int) -> tuple[str | None, int, int]:
    """A Variant that starts at `at`: ids and texts by asyncua's own decoder, everything else passed over.

    Guid → `xxxxxxxx-…`, ByteString → lower-case hex, NodeId → `ns=2;s=…`, QualifiedName → `2:name`,
    StatusCode → `0x80000000`. Arrays, structures and nested variants do not fit a tag.

    Returns:
        (text or None when null, position after it, status for it: 0, or `BAD_NOT_SUPPORTED`).

    Raises:
        ValueError: it is malformed or does not end before `end`.
    """
    kind = data[at] if at < end else 0
    if kind not in _TEXT:
        skipper = Skipper(data, at, end)
        skipper.variant()
        return "", skipper.at, BAD_NOT_SUPPORTED
    buffer = CheckedBuffer(data, at, end - at)
    try:
        value = variant_from_binary(buffer).Value
        return None if value is None else _TEXT[kind](value), buffer.cur_pos, 0
    except BROKEN as error:
        raise ValueError(f"a variant is malformed: {error}") from error


_TEXT: Final[dict[int, Callable[[Any], str | None]]] = {  # by built-in type id
    14: str,
    15: bytes.hex,
    17: lambda value: value.to_string(),
    18: lambda value: value.to_string(),
    20: lambda value: value.to_string(),
    21: lambda value: value.Text,
}
