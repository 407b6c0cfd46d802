"""Variable nodes with their value as the wire has it: encoded once per change, whoever waits for it. Pure."""

from __future__ import annotations

import struct
from typing import Any, Final

OVERFLOW: Final = 0x480
"""StatusCode info bits: InfoType DataValue and Overflow (OPC 10000-4 §7.39)."""
BAD: Final = 0x8000_0000
EVERYTHING: Final = 0x0F
"""Encoding byte of a DataValue with value, status, source time and server time (OPC 10000-6 §5.2.2.17)."""
NULL, STRING = 0, 12
_TICKS_1970: Final = 116_444_736_000_000_000
"""1970 in 100 ns since 1601 (OPC 10000-6 §5.2.2.5)."""
_TAIL: Final = struct.Struct("<Iqq")
_TYPES: Final = {
    "Boolean": (1, "?"),
    "Byte": (3, "B"),
    "UInt16": (5, "H"),
    "Int32": (6, "i"),
    "UInt32": (7, "I"),
    "Float": (10, "f"),
    "Double": (11, "d"),
}
"""Built-in type and its format (OPC 10000-6 §5.1.2)."""
_FORMS: Final = {name: (number, struct.Struct(f"<BB{code}Iqq")) for name, (number, code) in _TYPES.items()}


def encoded(value: Any, datatype: str, status: int, time_ns: int) -> bytes:
    """A DataValue with `time_ns` as source and server time; of a bad status the value is null (OPC 10000-4 §7.7.1).

    Raises:
        struct.error: the value does not fit into its type.
    """
    ticks = time_ns // 100 + _TICKS_1970
    if status & BAD:
        return bytes((EVERYTHING, NULL)) + _TAIL.pack(status, ticks, ticks)
    if datatype == "String":
        text = str(value).encode()
        return struct.pack("<BBi", EVERYTHING, STRING, len(text)) + text + _TAIL.pack(status, ticks, ticks)
    number, form = _FORMS[datatype]
    return form.pack(EVERYTHING, number, value, status, ticks, ticks)


def flagged(data: bytes) -> bytes:
    """The same DataValue with the overflow bit."""
    status, source, server = _TAIL.unpack_from(data, len(data) - _TAIL.size)
    return data[: -_TAIL.size] + _TAIL.pack(status | OVERFLOW, source, server)


def source_ns(data: bytes) -> int:
    """Source time of an encoded DataValue, ns since 1970 UTC."""
    _, source, _ = _TAIL.unpack_from(data, len(data) - _TAIL.size)
    return (int(source) - _TICKS_1970) * 100


class Point:
    """A variable node whose changes the truth log tells.

    Attributes:
        number: of its signal in the truth log.
        found: its value and StatusCode.
        time_ns: source time of both, ns since 1970 UTC.
        data: the DataValue that says so, as sent; it carries value, status and both times.
        numeric: its type is that of a number, so that it has a deadband.
        watchers: monitored items, each with the subscription it belongs to.
    """

    __slots__ = ("data", "found", "number", "numeric", "time_ns", "watchers")

    def __init__(self, number: int, found: tuple[Any, int], time_ns: int, data: bytes, *, numeric: bool) -> None:
        self.number = number
        self.numeric = numeric
        self.found = found
        self.time_ns = time_ns
        self.data = data
        self.watchers: dict[Any, Any] = {}

    def put(self, found: tuple[Any, int], time_ns: int, data: bytes) -> None:
        """Take a new value and offer it to everybody who watches."""
        self.found, self.time_ns, self.data = found, time_ns, data
        for item, subscription in self.watchers.items():
            subscription.offer(item, self)


class Gate:
    """What the filter of a monitored item lets through (OPC 10000-4 §7.22.2).

    Args:
        trigger: DataChangeTrigger: 0 status, 1 status or value, 2 also the source time.
        deadband: a value passes when it differs by more from the last one that passed, in its own unit; 0 = any does.
    """

    __slots__ = ("_deadband", "_last", "_trigger")

    def __init__(self, trigger: int, deadband: float) -> None:
        self._trigger = trigger
        self._deadband = deadband
        self._last: tuple[Any, int] | None = None

    def begin(self) -> None:
        """Whatever comes next passes."""
        self._last = None

    def passes(self, found: tuple[Any, int]) -> bool:
        """Whether a value and StatusCode that are not the last ones pass; if so they are the last ones from now on."""
        if self._last is not None and self._last[1] == found[1]:
            if self._trigger == 0:
                return False
            both = found[0], self._last[0]
            if self._deadband and None not in both and abs(both[0] - both[1]) <= self._deadband:
                return False
        self._last = found
        return True
