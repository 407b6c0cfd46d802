"""Where a value that is not decoded ends: every length is checked, nothing is built (OPC 10000-6 §5.2.2).

asyncua would build such values, and takes negative lengths and two thousand million nulls at their word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from asyncua.common.utils import Buffer, NotEnoughData

_FIXED: Final = {0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4}
"""Built-in type id → bytes."""
_NODE_ID: Final = {0: 2, 1: 4, 2: 7, 4: 19}
"""Node id encoding → bytes; 3 and 5 end in a string."""
_DEEPEST: Final = 100
"""Nested variants and diagnostics (OPC 10000-6 §5.2.2.12 and §5.2.2.16)."""
_ARRAY: Final = 0x80
_DIMENSIONS: Final = 0x40


class CheckedBuffer(Buffer):
    """asyncua's buffer without its way back: a negative length is an error."""

    def read(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            NotEnoughData: there are not as many, or `size` is negative.
        """
        if size < 0:
            raise NotEnoughData(f"a length of {size}")
        return bytes(super().read(size))

    def skip(self, size: int) -> None:
        """Leave `size` bytes out.

        Raises:
            NotEnoughData: there are not as many, or `size` is negative.
        """
        if size < 0:
            raise NotEnoughData(f"a length of {size}")
        super().skip(size)

    def copy(self, size: int = -1) -> CheckedBuffer:
        """A view of the next `size` bytes, -1 for all."""
        other = super().copy(size)
        return CheckedBuffer(other._data, other._cur_pos, other._size)  # noqa: SLF001 (its constructor takes no view)


class Skipper:
    """A position in bytes that only moves forward.

    Args:
        data: the bytes.
        at: position to start from.
        end: position that may not be passed.
    """

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = min(end, len(data))

    def variant(self, depth: int = 0) -> None:
        """Pass a Variant.

        Raises:
            ValueError: it is malformed or does not end before `end`.
        """
        if depth > _DEEPEST:
            raise ValueError("a variant is nested too deep")
        encoding = self._byte()
        kind = encoding & 0x3F
        if encoding & _ARRAY:
            count = self._count(_FIXED.get(kind, 1))
            if kind in _FIXED:
                self._forward(_FIXED[kind] * count)
            else:
                for _ in range(count):
                    self._value(kind, depth)
            if encoding & _DIMENSIONS:
                self._forward(4 * self._count(4))
        else:
            self._value(kind, depth)

    def data_values(self) -> None:
        """Pass an array of DataValues.

        Raises:
            ValueError: it is malformed or does not end before `end`.
        """
        for _ in range(self._count(1)):
            self._data_value(0)

    def items(self, *, handles: bool) -> Iterator[tuple[int, bytes]]:
        """The bytes of each DataValue of an array, with the handle in front of it, or else its position.

        Raises:
            ValueError: it is malformed or does not end before `end`.
        """
        for position in range(self._count(1)):
            handle = self._int32() & 0xFFFF_FFFF if handles else position
            first = self.at
            self._data_value(0)
            yield handle, self.data[first : self.at]

    def rest_of_header(self) -> None:
        """Pass what stands behind the ServiceResult of a ResponseHeader (OPC 10000-4 §7.33).

        Raises:
            ValueError: it is malformed or does not end before `end`.
        """
        self._diagnostics(0)
        for _ in range(self._count(4)):
            self._string()
        self._extension_object(0)

    def _value(self, kind: int, depth: int) -> None:
        if kind in _FIXED:
            self._forward(_FIXED[kind])
        elif kind in _NESTED:
            _NESTED[kind](self, depth)
        else:  # String, ByteString, XmlElement; ids above 25 are ByteStrings (OPC 10000-6 §5.2.2.16)
            self._string()

    def _qualified_name(self, _depth: int) -> None:
        self._forward(2)
        self._string()

    def _localized_text(self, _depth: int) -> None:
        for _ in range((self._byte() & 3).bit_count()):
            self._string()

    def _extension_object(self, depth: int) -> None:
        self._node_id(depth)
        if self._byte():
            self._string()

    def _nested_variant(self, depth: int) -> None:
        self.variant(depth + 1)

    def _data_value(self, depth: int) -> None:
        mask = self._byte()
        if mask & 0x01:
            self.variant(depth + 1)
        self._forward(sum(size for bit, size in ((2, 4), (4, 8), (16, 2), (8, 8), (32, 2)) if mask & bit))

    def _diagnostics(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("diagnostics are nested too deep")
        mask = self._byte()
        self._forward(4 * (mask & 0x0F).bit_count())
        if mask & 0x10:
            self._string()
        if mask & 0x20:
            self._forward(4)
        if mask & 0x40:
            self._diagnostics(depth + 1)

    def _node_id(self, _depth: int) -> None:
        encoding = self._byte()
        kind = encoding & 0x3F
        if kind in _NODE_ID:
            self._forward(_NODE_ID[kind] - 1)
        elif kind in {3, 5}:
            self._forward(2)
            self._string()
        else:
            raise ValueError(f"a node id of unknown encoding {kind}")
        if encoding & 0x80:
            self._string()
        if encoding & 0x40:
            self._forward(4)

    def _string(self) -> None:
        self._forward(max(0, self._int32()))

    def _count(self, size: int) -> int:
        """Elements of an array whose elements take at least `size` bytes; even nulls may not outnumber the bytes."""
        count = max(0, self._int32())
        if count * max(size, 1) > self.end - self.at:
            raise ValueError(f"{count} elements cannot be in {self.end - self.at} bytes")
        return count

    def _byte(self) -> int:
        self._forward(1)
        return self.data[self.at - 1]

    def _int32(self) -> int:
        self._forward(4)
        return int.from_bytes(self.data[self.at - 4 : self.at], "little", signed=True)

    def _forward(self, size: int) -> None:
        if self.at + size > self.end:
            raise ValueError("a value is cut off")
        self.at += size


_NESTED: Final[dict[int, Callable[[Skipper, int], None]]] = {
    17: Skipper._node_id,  # noqa: SLF001
    18: Skipper._node_id,  # noqa: SLF001
    20: Skipper._qualified_name,  # noqa: SLF001
    21: Skipper._localized_text,  # noqa: SLF001
    22: Skipper._extension_object,  # noqa: SLF001
    23: Skipper._data_value,  # noqa: SLF001
    24: Skipper._nested_variant,  # noqa: SLF001
    25: Skipper._diagnostics,  # noqa: SLF001
}
"""Built-in type id → how to pass it."""
