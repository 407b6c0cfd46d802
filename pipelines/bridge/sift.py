"""Which of some pieces a store refuses: everything else of them is stored on the way.

One culprit of n pieces takes at most ⌈log2(n / 3)⌉ + 4 requests with a store that only says yes or no, the refused one
included: 15 of 5,000. Each request carries, beside the suspects it tries, what is neither stored nor suspected; a
culprit is refused once alone, since a store that said no to many for a moment must not convict one. Several culprits
are sought by halves; a stretch full of them is settled by what InfluxDB says itself (`dropped=N` of a partial write).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pipelines.errors import RecordRejected, RecordTooLarge

Try = Callable[[Sequence[bytes]], Awaitable[RecordRejected | None]]
"""Stores pieces together: None, or the store's refusal."""
_DROPPED: Final = re.compile(r"dropped=(\d+)\s*$")


def dropped(reason: str) -> int:
    """How many points InfluxDB says it dropped of a body, at least: it counts one shard; 0 when it does not say."""
    found = _DROPPED.search(reason)
    return int(found[1]) if found else 0


async def sift(pieces: Sequence[bytes], refusal: RecordRejected, attempt: Try, *, points: bool) -> dict[int, str]:
    """The pieces refused, by index, each with the store's reason; the others are stored.

    Args:
        pieces: refused together.
        refusal: the answer to all of them.
        attempt: tries some of them.
        points: each piece is one point, as `dropped=N` counts them.
    """
    seeker = _Seeker(pieces, attempt, points=points)
    everything = list(range(len(pieces)))
    if isinstance(refusal, RecordTooLarge) or seeker.settles(refusal, everything):
        return await seeker.halves(everything, refusal)
    return await seeker.one(everything)


def _most(requests: int, *, spare: bool) -> int:
    """Among how many suspects so many requests find the one, and store the others and what is spare."""
    if requests < 3:  # noqa: PLR2004 - beyond, each request more doubles it
        return requests - int(spare)
    return 3 << (requests - 3)


def _cut(count: int, *, spare: bool) -> int:
    """How many of `count` suspects to try next, beside what is spare."""
    left = next(number for number in range(count + 1) if _most(number + 1, spare=spare) >= count)
    least, most = count - _most(left, spare=False), _most(left, spare=True)
    return max(1, min(max(count // 2, least), most))


class _Seeker:
    def __init__(self, pieces: Sequence[bytes], attempt: Try, *, points: bool) -> None:
        self._pieces = pieces
        self._attempt = attempt
        self._points = points

    def settles(self, refusal: RecordRejected, numbers: list[int]) -> bool:
        """Whether a refusal is about every single one of these pieces."""
        return len(numbers) == 1 or (self._points and dropped(refusal.reason) == len(numbers))

    async def one(self, suspects: list[int]) -> dict[int, str]:
        """As if there was one culprit; what shows that there are more is sought by halves."""
        spare: list[int] = []  # neither stored nor suspected
        while len(suspects) > 1:
            cut = _cut(len(suspects), spare=bool(spare))
            left, right = suspects[:cut], suspects[cut:]
            answer = await self._try(left + spare)
            if answer is None:
                suspects, spare = right, []
            elif isinstance(answer, RecordTooLarge):  # this proves nothing
                return await self.halves(sorted(suspects + spare), answer)
            elif len(left + spare) == 1:
                return {left[0]: answer.reason} | await self._all(right)
            else:
                suspects, spare = left, spare + right
        found = await self._all(suspects)
        return found | (await self._all(sorted(spare)) if spare else {})

    async def halves(self, numbers: list[int], refusal: RecordRejected) -> dict[int, str]:
        """Every culprit of pieces that were refused together."""
        if self.settles(refusal, numbers):
            return dict.fromkeys(numbers, refusal.reason)
        half = len(numbers) // 2
        return await self._all(numbers[:half]) | await self._all(numbers[half:])

    async def _all(self, numbers: list[int]) -> dict[int, str]:
        refusal = await self._try(numbers)
        return {} if refusal is None else await self.halves(numbers, refusal)

    async def _try(self, numbers: list[int]) -> RecordRejected | None:
        return await self._attempt([self._pieces[number] for number in numbers])
