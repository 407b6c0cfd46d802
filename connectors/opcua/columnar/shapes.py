"""Messages that look like the one before: a server that reports the same variables again sends the same layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.columnar.layouts import Layout, gather

_MOST: Final = 64
"""Shapes that are remembered; subscriptions and read requests of one process."""
_LARGE: Final = 16
"""Items from which a look pays."""


@dataclass(slots=True)
class Group:
    """Items of one layout in a message.

    Attributes:
        layout: what they look like.
        mask: their mask byte.
        order: their places in the message, int64, shape (n,).
        first: where the first one starts, bytes after the start of the message's first item.
        at: where each starts, int64, shape (n,); None when one follows the other.
    """

    layout: Layout
    mask: int
    order: NDArray[np.int64]
    first: int
    at: NDArray[np.int64] | None = None

    def items(self, data: bytes, octets: NDArray[np.uint8], start: int) -> NDArray[np.void]:
        """Their bytes in a message whose items start at `start`, shape (n,); no copy when they stand in a row."""
        if self.at is None:
            return np.frombuffer(data, self.layout.dtype, len(self.order), start + self.first)
        return gather(octets, self.at + start, self.layout)

    def starts(self) -> NDArray[np.int64]:
        """Where each starts, shape (n,)."""
        if self.at is None:
            return self.first + np.arange(len(self.order), dtype=np.int64) * self.layout.size
        return self.at


@dataclass(slots=True)
class Shape:
    """Where the items of fixed size are in a message.

    Attributes:
        size: bytes of all items.
        prefix: bytes of a client handle in front of each.
        groups: the items by layout.
    """

    size: int
    prefix: int
    groups: list[Group]
    _at: NDArray[np.int64] = field(init=False, default_factory=lambda: np.zeros(0, np.int64))
    _octets: NDArray[np.uint8] = field(init=False, default_factory=lambda: np.zeros(0, np.uint8))

    def fits(self, octets: NDArray[np.uint8], start: int, end: int) -> bool:
        """Whether a message has every mask and type where this one had them, and therefore its layout."""
        if start + self.size > end:
            return False
        if not len(self._at):
            self._learn()
        return bool((octets[self._at + start] == self._octets).all())

    def _learn(self) -> None:
        at: list[NDArray[np.int64]] = []
        octets: list[NDArray[np.uint8]] = []
        for group in self.groups:
            masks = group.starts() + self.prefix
            at.append(masks)
            octets.append(np.full(len(masks), group.mask, np.uint8))
            if group.mask & 0x01:
                at.append(masks + 1)
                octets.append(np.full(len(masks), group.layout.vtype, np.uint8))
        self._at = np.concatenate(at)
        self._octets = np.concatenate(octets)


class Shapes:
    """The newest shape for each number of items."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Shape] = {}

    def like(self, octets: NDArray[Any], prefix: int, start: int, end: int, count: int) -> Shape | None:
        """The shape of a message with `count` items, when it is the one known."""
        shape = self._known.get((prefix, count))
        return shape if shape is not None and shape.fits(octets, start, end) else None

    def keep(self, prefix: int, count: int, shape: Shape, *, whole: bool) -> None:
        """Remember the shape of a message; only a `whole` one, in which every item has a fixed size, can come again."""
        if not whole or count < _LARGE or len(shape.groups) == 1:
            self._known.pop((prefix, count), None)
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[prefix, count] = shape
