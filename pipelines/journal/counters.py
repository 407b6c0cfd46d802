"""A set of counters that were mostly added in order, in a few bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet


class Counters(AbstractSet[int]):
    """Whole numbers kept as runs: as long as they come about in order, memory does not grow with their number."""

    __slots__ = ("_first", "_last")

    def __init__(self, counters: Iterable[int] = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for counter in sorted(counters):
            self.add(counter)

    def add(self, counter: int) -> bool:
        """Put it in; False when it was in."""
        first, last = self._first, self._last
        at = bisect_right(first, counter)
        if at and counter <= last[at - 1]:
            return False
        joins_before = at > 0 and last[at - 1] == counter - 1
        joins_after = at < len(first) and first[at] == counter + 1
        if joins_before and joins_after:
            last[at - 1] = last.pop(at)
            first.pop(at)
        elif joins_before:
            last[at - 1] = counter
        elif joins_after:
            first[at] = counter
        else:
            first.insert(at, counter)
            last.insert(at, counter)
        return True

    def __contains__(self, counter: object) -> bool:
        if not isinstance(counter, int):
            return False
        at = bisect_right(self._first, counter)
        return at > 0 and counter <= self._last[at - 1]

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self._first, self._last, strict=True):
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(self._last) - sum(self._first) + len(self._first)

    def __repr__(self) -> str:
        runs = ", ".join(f"{first}-{last}" for first, last in zip(self._first, self._last, strict=True))
        return f"Counters({runs})"
