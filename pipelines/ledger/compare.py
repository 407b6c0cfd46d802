"""The ledger against what a store holds: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.ledger.mix import U64

_MOST_REPEATS: Final = 2
_MASK: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Held:
    """Readings of one series and hour in a store: times ascending, and what `mixed` says of each, shape (n,)."""

    time_ns: NDArray[np.int64]
    mix: U64

    def __len__(self) -> int:
        """Number of readings."""
        return len(self.time_ns)

    def take(self, mask: NDArray[np.bool_]) -> Held:
        """Some of them."""
        return Held(self.time_ns[mask], self.mix[mask])

    @property
    def hash(self) -> int:
        """The sum of them."""
        return int(np.add.reduce(self.mix, dtype=np.uint64)) if len(self.mix) else 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What the ledger says of one series and hour.

    Attributes:
        count: readings that were released.
        hash: sum of what `mixed` says of them.
        intervals: (oldest, newest) time of each process that released readings of this series, shape (n, 2).
        queued: what `mixed` says of readings that wait in the journal.
        spans: (oldest, newest) time of records that were given up and may have been stored before.
        running: whether the agent runs: what is newer than all intervals is then on its way.
        damaged: whether the ledger lost entries: nothing can be said of what the store holds beyond it.
    """

    count: int
    hash: int
    intervals: NDArray[np.int64]
    queued: U64
    spans: Sequence[tuple[int, int]] = ()
    running: bool = False
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What came out for one series and hour; everything 0 is exact agreement.

    Attributes:
        missing: readings that were released and are not there.
        extra: readings that are there and were never released.
        altered: 1 when as many are there as were released, and at least one of them has another time or value.
        open: readings that are there and wait in the journal for their confirmation.
        unclaimed: readings outside of what any process released: published, then lost to a power cut or given up.
        repeated: readings the ledger counted twice, though the store holds them once, as it should.
        doubtful: whether records were given up here, so that no more than the number can be compared.
        at_ns: times of the extra readings, where they can be told.
    """

    missing: int = 0
    extra: int = 0
    altered: int = 0
    open: int = 0
    unclaimed: int = 0
    repeated: int = 0
    doubtful: bool = False
    at_ns: tuple[int, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.extra or self.altered)


def compare(claim: Claim, held: Held) -> Finding:
    """Hold a store to one claim."""
    if len(held) == claim.count and held.hash == claim.hash:
        return Finding()
    inside = _inside(held, claim.intervals)
    newest = int(claim.intervals[:, 1].max(initial=-(2**63)))
    open_ = np.isin(held.mix, claim.queued) | (~inside & (held.time_ns > newest) & claim.running)
    for kept in (inside, inside & ~open_, ~open_):
        if (found := _exactly(claim, held, kept, open_)) is not None:
            return found
    for kept in (np.ones(len(held), dtype=bool), inside, inside & ~open_):
        rest = held.take(kept)
        if _repeats(claim, rest):
            gone = ~kept
            return Finding(
                open=int((gone & open_).sum()), unclaimed=int((gone & ~open_).sum()), repeated=claim.count - len(rest)
            )
    return _wrong(claim, held, inside, open_)


def _inside(held: Held, intervals: NDArray[np.int64]) -> NDArray[np.bool_]:
    inside = np.zeros(len(held), dtype=bool)
    for first, last in intervals.tolist():
        inside |= (held.time_ns >= first) & (held.time_ns <= last)
    return inside


def _exactly(claim: Claim, held: Held, kept: NDArray[np.bool_], open_: NDArray[np.bool_]) -> Finding | None:
    rest = held.take(kept)
    if len(rest) != claim.count or rest.hash != claim.hash:
        return None
    return Finding(open=int((~kept & open_).sum()), unclaimed=int((~kept & ~open_).sum()))


def _repeats(claim: Claim, held: Held) -> bool:
    """Whether the ledger counted one or two of these readings once too often: sums tell which, so it is no guess."""
    more = claim.count - len(held)
    return 0 < more <= _MOST_REPEATS and bool(_of_sum(held.mix, (claim.hash - held.hash) & _MASK, more).size)


def _of_sum(mix: U64, total: int, n: int) -> NDArray[np.int64]:
    """Positions of n of these numbers with this sum; empty when there are none."""
    rest = np.uint64(total) - mix if n > 1 else np.full(1, total, np.uint64)
    if n == 1:
        return np.flatnonzero(mix == rest[0])[:1]
    pair = np.flatnonzero(np.isin(rest, mix))[:1]
    return np.append(pair, np.flatnonzero(mix == rest[pair[0]])[:1]) if len(pair) else pair


def _wrong(claim: Claim, held: Held, inside: NDArray[np.bool_], open_: NDArray[np.bool_]) -> Finding:
    kept = inside & ~open_
    rest = held.take(kept)
    open_n, unclaimed = int((~kept & open_).sum()), int((~kept & ~open_).sum())
    more = len(rest) - claim.count
    at = np.empty(0, np.int64)
    if 0 < more <= _MOST_REPEATS:
        at = rest.time_ns[_of_sum(rest.mix, (rest.hash - claim.hash) & _MASK, more)]
    doubted = _inside(rest, np.array(claim.spans, np.int64).reshape(-1, 2)) | claim.damaged
    if more >= 0 and len(at) and _inside(Held(at, at.view(np.uint64)), np.array(claim.spans).reshape(-1, 2)).all():
        return Finding(open=open_n, unclaimed=unclaimed + more)
    if more >= 0 and not len(at) and int(doubted.sum()) > more:
        return Finding(open=open_n, unclaimed=unclaimed + more, doubtful=True)
    return Finding(
        missing=max(0, -more),
        extra=max(0, more),
        altered=int(more == 0),
        open=open_n,
        unclaimed=unclaimed,
        at_ns=tuple(at.tolist()),
    )
