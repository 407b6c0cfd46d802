"""Sequence numbers of one subscription: what came, what is durable, what is missing (OPC 10000-4 §5.14.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_LAST: Final = 0xFFFF_FFFF
"""After this number comes 1; 0 is never used (OPC 10000-4 §7.8)."""
MOST_MISSING: Final = 10_000
"""Messages that are asked for again one by one; beyond that they are lost."""
_FAR_BEHIND: Final = 100
_MOST_REPEATS: Final = 32
_KEEPALIVE_WEIGHT: Final = 8


def after(sequence: int) -> int:
    """The number that follows."""
    return sequence % _LAST + 1


@dataclass(slots=True)
class Ledger:
    """What is known about a subscription's messages.

    Attributes:
        last: number of the newest message taken, 0 = none.
        fresh: whether the first message sets where counting starts.
        before: newest number that an earlier link had committed, 0 = none.
    """

    last: int = 0
    fresh: bool = True
    before: int = 0
    _due: list[int] = field(default_factory=list)
    _repeats: int = 0

    def distance(self, sequence: int) -> int:
        """How many messages `sequence` is ahead of the next expected one; negative for one already taken."""
        if self.fresh and self.last == 0:
            return 0
        ahead = (sequence - self.last - 1) % _LAST
        return ahead - _LAST if ahead > _LAST // 2 else ahead

    def begin(self, numbers: Iterable[int]) -> None:
        """What the server holds when it first says something: a new subscription starts with the lowest of them.

        Its answers may be looked at in another order than it sent them.
        """
        if self.fresh and self.last == 0:
            self.last, self.fresh = max(min(numbers), 1) - 1, False

    def committed(self, sequence: int) -> bool:
        """Whether an earlier link had `sequence` committed, which says nothing of what this one took since."""
        return (sequence - self.before - 1) % _LAST > _LAST // 2

    def missing(self, sequence: int) -> list[int]:
        """Numbers to ask for again before `sequence` is taken, oldest first, at most `MOST_MISSING` newest ones."""
        ahead = self.distance(sequence)
        if ahead <= 0:
            return []
        first = (self.last + max(0, ahead - MOST_MISSING)) % _LAST
        out = []
        for _ in range(min(ahead, MOST_MISSING)):
            first = after(first)
            out.append(first)
        return out

    def counts_anew(self, sequence: int, *, keepalive: bool) -> bool:
        """Whether the server no longer goes on from what it sent: all it has would be passed over as known already.

        Args:
            sequence: number of a message that is behind the next expected one.
            keepalive: whether it says which number comes next, instead of having it.
        """
        self._repeats += _KEEPALIVE_WEIGHT if keepalive else 1
        return self.distance(sequence) < -_FAR_BEHIND or self._repeats > _MOST_REPEATS

    def take(self, sequence: int) -> None:
        """`sequence` was delivered, or given up."""
        self._repeats = 0
        self.last = sequence
        self.fresh = False

    def accept(self, sequence: int) -> None:
        """`sequence` is durable: acknowledge it with a coming PublishRequest."""
        self._due.append(sequence)

    def acknowledge(self) -> list[int]:
        """Numbers to acknowledge now; each is handed out once, and again after `restore`."""
        due, self._due = self._due, []
        return due

    def restore(self, numbers: Iterable[int]) -> None:
        """The request that was to acknowledge these was refused: the next one says it again."""
        self._due[:0] = numbers
