"""Single values that do not fit a fixed-size layout: text, ids, times, and everything that is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua.ua.ua_binary import variant_from_binary
from asyncua.ua.uaerrors import UaError

from connectors.opcua.columnar.skip import CheckedBuffer, Skipper
from pipelines.point import BAD_DATA_ENCODING_UNSUPPORTED

EPOCH_TICKS: Final = 116_444_736_000_000_000
"""1970-01-01 in 100 ns since 1601-01-01 UTC (OPC 10000-6 §5.2.2.5)."""
LIMIT_TICKS: Final = (1 << 63) // 100
"""Ticks either side of 1970 that an int64 of nanoseconds holds (years 1677 to 2262)."""
BAD_NO_DATA: Final = 0x809B_0000
"""A value is null though its status is not bad."""
LAST_TICKS: Final = 2_650_467_743_990_000_000
"""9999-12-31 23:59:59; from here on a DateTime means the end of time."""
_FIRST_DAY: Final = datetime(1601, 1, 1, tzinfo=UTC)
LENGTH: Final = struct.Struct("<i")
TEXT_IDS: Final = (12, 16)
"""String and XmlElement are both UTF-8 behind a length (OPC 10000-6 §5.2.2.8)."""
LONG_BYTES: Final = 256
"""Strings and ByteStrings beyond are set apart, so that the tag's own limit decides about them."""
BROKEN: Final = (
    UaError,
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    AssertionError,
    RecursionError,
)
"""What asyncua's decoders raise on bytes that are not what they should be."""


def iso_of(ticks: int) -> str:
    """UTC time as ISO 8601 with seven decimals; 100 ns since 1601, held to the years 1601 to 9999."""
    seconds, fraction = divmod(min(max(ticks, 0), LAST_TICKS), 10_000_000)
    return f"{_FIRST_DAY + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:07d}Z"


def text_at(data: bytes, at: int, end: int, length: int) -> tuple[str | None, int, int]:
    """A String (OPC 10000-6 §5.2.2.4) whose length field is at `at`.

    Returns:
        (text or None when null, position after it, status for it: 0, or bad when it is null or no UTF-8).

    Raises:
        ValueError: it does not end before `end`.
    """
    at += 4
    if length < 0:
        return None, at, BAD_NO_DATA
    stop = at + length
    if stop > end:
        raise ValueError("a string is cut off")
    try:
        return data[at:stop].decode(), stop, 0
    except UnicodeDecodeError:
        return data[at:stop].decode(errors="replace"), stop, BAD_DATA_ENCODING_UNSUPPORTED


def variant_at(data: bytes, at: int, end: int) -> tuple[str | None, int] | None:
    """A short scalar Variant that starts at `at`: ids and texts by asyncua's own decoder.

    Guid → `xxxxxxxx-…`, ByteString → lower-case hex, NodeId → `ns=2;s=…`, QualifiedName → `2:name`,
    LocalizedText → its text.

    Returns:
        (text or None when null, position after it); None when it is something else.

    Raises:
        ValueError: it is malformed or does not end before `end`.
    """
    kind = data[at] if at < end else 0
    if kind not in TEXT:
        return None
    skipper = Skipper(data, at, end)
    skipper.variant()
    if skipper.at - at > LONG_BYTES:
        return None
    buffer = CheckedBuffer(data, at, skipper.at - at)
    try:
        value = variant_from_binary(buffer).Value
        return None if value is None else TEXT[kind](value), skipper.at
    except BROKEN as error:
        raise ValueError(f"a variant is malformed: {error}") from error


TEXT: Final[dict[int, Callable[[Any], str | None]]] = {  # by built-in type id
    14: str,
    15: bytes.hex,
    17: lambda value: value.to_string(),
    18: lambda value: value.to_string(),
    20: lambda value: value.to_string(),
    21: lambda value: value.Text,
}
