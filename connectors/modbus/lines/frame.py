"""A reply as a framing finds it, and whether it is the one that was asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

EXCEPTION: Final = 0x80
"""Bit of the function code that marks an exception (V1.1b3 §7)."""


class Expected(NamedTuple):
    """What a reply must look like: unit id, function code 1-4, data bytes."""

    unit: int
    function: int
    size: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One reply.

    Attributes:
        unit: unit id.
        function: function code, with bit 0x80 for an exception.
        body: what follows the function code, checksum excluded.
        fault: `crc` or `lrc` where the checksum is wrong: then nothing else is to be believed.
    """

    unit: int
    function: int
    body: bytes
    fault: str = ""


class Framer(Protocol):
    """Takes apart what comes in on a line whose frames carry no transaction id."""

    def encode(self, unit: int, pdu: bytes) -> bytes:
        """A request as it goes on the line."""
        ...

    def feed(self, data: bytes, expected: Expected | None) -> Iterator[Frame]:
        """Replies that `data` completes; what comes before and between is skipped.

        Args:
            data: what arrived, in any pieces.
            expected: the reply that is waited for; a wrong checksum is told for this one only.
        """
        ...

    def clear(self) -> None:
        """Forget what has arrived."""
        ...


def mismatch(unit: int, function: int, body: bytes, expected: Expected) -> str:
    """In what a reply differs from what was asked: `unit`, `function`, `length`, `byte_count`; empty if in nothing."""
    if unit != expected.unit:
        return "unit"
    if function & ~EXCEPTION != expected.function:
        return "function"
    if function & EXCEPTION:
        return "" if len(body) == 1 else "length"
    if not body or body[0] != expected.size or len(body) != expected.size + 1:
        return "byte_count"
    return ""
