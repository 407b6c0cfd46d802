"""Recorded DataValues at other times, byte for byte but for these (OPC 10000-6 §5.2.2.17). Pure."""

from __future__ import annotations

import struct
from typing import Any, Final

from simulators.points import BAD, EVERYTHING, NULL, STRING

WAITING: Final = 0x8032_0000
"""BadWaitingForInitialData: what is told of a node before its first recorded value."""
_TICKS_1970: Final = 116_444_736_000_000_000
"""1970 in 100 ns since 1601 (OPC 10000-6 §5.2.2.5)."""
_FORMS: Final = {
    1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d",
}  # fmt: skip
"""Format of a built-in type by its number (OPC 10000-6 §5.1.2)."""
PLAIN: Final = frozenset({NULL, *_FORMS, STRING})
"""Types of Variants that a truth log can hold as they are."""
NUMBERS: Final = frozenset(_FORMS) - {1}
"""Types of Variants that are a number."""
_VALUE: Final = 0x01
_TAIL: Final = ((0x02, "I"), (0x04, "q"), (0x10, "H"), (0x08, "q"), (0x20, "H"))
"""What follows the Variant: StatusCode, source time and its picoseconds, server time and its picoseconds."""

Shown = tuple[tuple[Any, int], int, bytes]
"""Value and StatusCode, source time in ns since 1970 UTC, and the DataValue that says so."""


def moved(data: bytes, shift_ns: int, received_ns: int, since_ns: int | None = None) -> Shown:
    """A recorded DataValue with its times moved, to the microsecond.

    A value that is no plain one is told by its bytes in hexadecimal.

    Args:
        data: as recorded.
        shift_ns: added to its times.
        received_ns: when it arrived, moved already: for times that it does not have.
        since_ns: a source time before this becomes `received_ns`; what a tape that begins again had at its front would
            else be older than what it had at its end. None = it runs for the first time.

    Raises:
        struct.error: it is cut off.
    """
    mask = data[0]
    form = struct.Struct("<" + "".join(code for bit, code in _TAIL if mask & bit))
    fields = dict(zip((bit for bit, _ in _TAIL if mask & bit), form.unpack(data[len(data) - form.size :]), strict=True))
    variant = data[1 : len(data) - form.size] if mask & _VALUE else bytes((NULL,))
    status = fields.get(0x02, 0)
    source_ns, server_ns = (_moved_ns(fields.get(bit, 0), shift_ns, received_ns) for bit in (0x04, 0x08))
    if since_ns is not None and source_ns < since_ns:
        source_ns = received_ns // 1000 * 1000
    tail = struct.pack("<Iqq", status, source_ns // 100 + _TICKS_1970, server_ns // 100 + _TICKS_1970)
    value = None if status & BAD else plain(variant)
    return (value, status), source_ns, bytes((EVERYTHING,)) + variant + tail


def waiting(now_ns: int) -> Shown:
    """What is told before anything was recorded."""
    return moved(bytes((0x02,)) + struct.pack("<I", WAITING), 0, now_ns)


def plain(variant: bytes) -> Any:
    """The value in an encoded Variant; of one that is no number, no text and not null its hexadecimal bytes."""
    kind = variant[0]
    if kind in _FORMS:
        return struct.unpack_from(f"<{_FORMS[kind]}", variant, 1)[0]
    if kind == STRING:
        return variant[5:].decode("utf-8", "replace")
    return None if kind == NULL else variant.hex()


def _moved_ns(ticks: int, shift_ns: int, received_ns: int) -> int:
    found_ns = (ticks - _TICKS_1970) * 100 + shift_ns if ticks else received_ns
    return found_ns // 1000 * 1000
