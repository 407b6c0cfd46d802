"""EventNotificationList off the wire (OPC 10000-4 §7.25.3): lists of values, one for each selected field.

Events are rare, so asyncua's own decoder builds the values; every length is checked before it sees them. Times are
decoded here, because a `datetime` does not hold the 100 ns of OPC UA.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from asyncua.ua.ua_binary import variant_from_binary

from connectors.opcua.columnar.scalars import BROKEN, EPOCH_TICKS, LIMIT_TICKS
from connectors.opcua.columnar.skip import CheckedBuffer, Skipper

_DATETIME: Final = 13
_HEAD: Final = struct.Struct("<Ii")
_COUNT: Final = struct.Struct("<i")
_TICKS: Final = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class EventFields:
    """One event.

    Attributes:
        handle: client handle of the monitored item.
        values: a value for each select clause, in their order; None where the event has no such field. Times are int,
            ns since 1970 UTC.
    """

    handle: int
    values: tuple[Any, ...]


def event_list(raw: bytes, at: int, end: int) -> list[EventFields]:
    """The events of one EventNotificationList body.

    Raises:
        ValueError: it is malformed or does not end before `end`.
    """
    try:
        (count,) = _COUNT.unpack_from(raw, at)
        if count * _HEAD.size > end - at:
            raise ValueError(f"{count} events cannot be in {end - at} bytes")
        at += _COUNT.size
        out = []
        for _ in range(max(count, 0)):
            handle, fields = _HEAD.unpack_from(raw, at)
            if fields > end - at:
                raise ValueError(f"{fields} event fields cannot be in {end - at} bytes")
            at += _HEAD.size
            values = []
            for _ in range(max(fields, 0)):
                value, at = _value(raw, at, end)
                values.append(value)
            out.append(EventFields(handle, tuple(values)))
    except BROKEN as error:
        raise ValueError(f"an event is malformed: {error}") from error
    return out


def _value(raw: bytes, at: int, end: int) -> tuple[Any, int]:
    """The value of one Variant and the position after it."""
    skipper = Skipper(raw, at, end)
    skipper.variant()
    if raw[at] == _DATETIME:
        (ticks,) = _TICKS.unpack_from(raw, at + 1)
        since_1970 = ticks - EPOCH_TICKS
        return (since_1970 * 100 if ticks > 0 and abs(since_1970) < LIMIT_TICKS else None), skipper.at
    return variant_from_binary(CheckedBuffer(raw, at, skipper.at - at)).Value, skipper.at
