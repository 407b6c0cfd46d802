"""Which of some pieces a store refuses: everything else of them is stored on the way.

The first culprit of n pieces takes at most log2(n) + 3 requests; a column full of them is settled by what InfluxDB
says itself (`dropped=N` of a partial write), so that a changed type does not cost a request a line.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pipelines.errors import RecordRejected

Try = Callable[[Sequence[bytes]], Awaitable[RecordRejected | None]]
"""Stores pieces together: None, or the store's refusal."""
_DROPPED: Final = re.compile(r"dropped=(\d+)\s*$")


async def sift(pieces: Sequence[bytes], attempt: Try, *, points: bool) -> dict[int, str]:
    """The pieces refused, by index, each with the store's reason; the others are stored.

    Args:
        pieces: refused together.
        attempt: tries some of them.
        points: each piece is one point, as `dropped=N` counts them.
    """
    numbers = list(range(len(pieces)))
    culprits, untried = await _first(numbers, pieces, attempt)
    if untried:
        culprits |= await _all(untried, pieces, attempt, points=points)
    return culprits


async def _first(numbers: list[int], pieces: Sequence[bytes], attempt: Try) -> tuple[dict[int, str], list[int]]:
    """One culprit, and what was not tried on the way to it: one request for each halving."""
    untried: list[int] = []
    refusal: RecordRejected | None = None
    while len(numbers) > 1:
        half = len(numbers) // 2
        left, right = numbers[:half], numbers[half:]
        refusal = await attempt([pieces[number] for number in left])
        if refusal is None:
            numbers = right
        else:
            numbers, untried = left, right + untried
    if refusal is None:  # the last one is suspected because all others are stored; a body too large proves nothing
        refusal = await attempt([pieces[number] for number in numbers])
    return ({numbers[0]: refusal.reason} if refusal is not None else {}), untried


async def _all(numbers: list[int], pieces: Sequence[bytes], attempt: Try, *, points: bool) -> dict[int, str]:
    """Every culprit, by halves."""
    refusal = await attempt([pieces[number] for number in numbers])
    if refusal is None:
        return {}
    if len(numbers) == 1 or (points and _dropped(refusal.reason) == len(numbers)):
        return dict.fromkeys(numbers, refusal.reason)
    half = len(numbers) // 2
    left = await _all(numbers[:half], pieces, attempt, points=points)
    return left | await _all(numbers[half:], pieces, attempt, points=points)


def _dropped(reason: str) -> int:
    found = _DROPPED.search(reason)
    return int(found[1]) if found else 0
