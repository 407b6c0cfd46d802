"""Which addresses of a table can be read, with few requests: blocks, halved where the device refuses. Pure.

A refused block is halved, at even addresses since many meters refuse half a value. Where nothing but refusals is
found, halving stops at `grain` addresses after a look at their first two; only beside readable addresses it goes on to
the last one. A block that is refused although both its halves are granted was too long: later ones are no
longer than a half.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

GRAIN: Final = 8
"""A refused block this small is left alone while its neighbours are refused too, where nobody asked for them."""


@dataclass(frozen=True, slots=True)
class Area:
    """Addresses of one table.

    Attributes:
        table: coil, discrete, input or holding.
        first: first address, as on the wire.
        last: last address.
        guess: nobody asked for it: once its first block is refused, only its beginning is looked at.
    """

    table: str
    first: int
    last: int
    guess: bool = False


@dataclass(slots=True, eq=False)
class _Block:
    """Addresses asked for at once; `near` = readable addresses are beside them."""

    first: int
    count: int
    near: bool = False
    spot: bool = False
    parent: _Block | None = None
    granted_halves: int = 0


@dataclass(slots=True)
class Search:
    """The search in the areas of one table: ask `next()`, tell `granted` or `refused`.

    Attributes:
        areas: where to look.
        block: most addresses in a request; shrinks when the device takes fewer.
        grain: smallest refused block that is halved although nothing beside it is readable; 1 finds everything.
        readable: addresses known to be readable.
        asked: requests so far.
    """

    areas: list[Area]
    block: int
    grain: int = GRAIN
    readable: set[int] = field(default_factory=set)
    asked: int = 0
    _stack: list[_Block] = field(default_factory=list)
    _left: list[_Block] = field(default_factory=list)
    _now: _Block | None = None
    _waiting: list[Area] = field(default_factory=list)
    _guess: bool = False

    def __post_init__(self) -> None:
        self._waiting = list(reversed(self.areas))

    def next(self) -> tuple[int, int] | None:
        """Address and count to ask for; None when there is nothing left."""
        while True:
            if self._stack:
                block = self._stack.pop()
                if block.count > self.block:
                    self._put(block.first, block.count, block.near)
                    continue
                if self.readable.issuperset(range(block.first, block.first + block.count)):
                    continue
                self._now = block
                self.asked += 1
                return block.first, block.count
            if not self._refine():
                if not self._waiting:
                    return None
                area = self._waiting.pop()
                self._guess = area.guess
                self._put(area.first, area.last - area.first + 1, near=False)

    def granted(self) -> None:
        """The device gave what `next` asked for."""
        block = self._taken()
        self.readable.update(range(block.first, block.first + block.count))
        parent = block.parent
        if parent is not None and not block.spot:
            parent.granted_halves += 1
            if parent.granted_halves == 2:  # noqa: PLR2004 - both
                self.block = min(self.block, max(block.count, 2))
        if block.spot:  # the rest of a grain that was given up too early
            assert parent is not None
            self._split(parent, near=True)

    def refused(self) -> None:
        """The device refused it (exception 2, 3 or 4)."""
        block = self._taken()
        if block.spot:
            assert block.parent is not None
            self._left.append(block.parent)
        elif block.count == 1:
            pass
        elif block.near or self.grain == 1 or (block.count > self.grain and not self._guess):
            self._split(block, block.near)
        elif block.count > 2:  # noqa: PLR2004 - one value of 32 bits
            self._stack.append(_Block(block.first, 2, spot=True, parent=block))
        else:
            self._left.append(block)

    def stop(self) -> None:
        """The device has no such table, or no time is left."""
        self._stack.clear()
        self._waiting.clear()
        self._left.clear()

    def ranges(self) -> list[tuple[int, int]]:
        """Readable addresses so far as (first, last)."""
        return runs(self.readable)

    def _taken(self) -> _Block:
        assert self._now is not None
        block, self._now = self._now, None
        return block

    def _put(self, first: int, count: int, near: bool) -> None:
        """Blocks of at most `block` addresses, the first on top."""
        starts = range(first, first + count, self.block)
        self._stack += [_Block(at, min(self.block, first + count - at), near) for at in reversed(starts)]

    def _split(self, block: _Block, near: bool) -> None:
        half = max(1, block.count // 2 // 2 * 2)
        parent = block if block.count > 2 else None  # noqa: PLR2004 - of two addresses, nothing is learnt on lengths
        low = _Block(block.first, half, near, parent=parent)
        high = _Block(block.first + half, block.count - half, near, parent=parent)
        self._stack += [high, low]

    def _refine(self) -> bool:
        """Take up again what was given up beside addresses that turned out to be readable."""
        for block in self._left:
            if block.first - 1 in self.readable or block.first + block.count in self.readable:
                self._left.remove(block)
                self._split(block, near=True)
                return True
        return False


def runs(addresses: Iterable[int]) -> list[tuple[int, int]]:
    """Addresses as (first, last) without holes, ascending."""
    out: list[tuple[int, int]] = []
    for address in sorted(addresses):
        if out and address == out[-1][1] + 1:
            out[-1] = (out[-1][0], address)
        else:
            out.append((address, address))
    return out
