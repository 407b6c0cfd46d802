"""Which stored point comes from which item of the truth. Pure."""

from __future__ import annotations

import bisect
import math
import statistics
import struct
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from simulators.evidence import ANY_BAD, Item

BAD: Final = 0x8000_0000
BAD_OUT_OF_RANGE: Final = 0x803C_0000


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


def same(item: Item, value: Any, quality: int) -> bool:
    """Whether a stored value and quality are the item's, type and bits included; a bad value is no value."""
    if item.status == ANY_BAD:
        return quality >= BAD
    if item.status != quality:
        return False
    if quality >= BAD:
        return True
    if type(item.value) is not type(value):
        return False
    return _bits(item.value) == _bits(value) if isinstance(value, float) else bool(item.value == value)


def expected(item: Item, limits: tuple[float, float] | None) -> Item:
    """The item as it must be stored: outside the tag's range, or not finite, it is BadOutOfRange."""
    value = item.value
    if item.status == ANY_BAD or item.status >= BAD or isinstance(value, bool) or not isinstance(value, (int, float)):
        return item
    outside = limits is not None and not limits[0] <= value <= limits[1]
    return item._replace(status=BAD_OUT_OF_RANGE) if outside or not math.isfinite(value) else item


def match(
    items: Sequence[Item],
    times: Sequence[int],
    values: Sequence[Any],
    qualities: Sequence[int],
    width: tuple[int, int],
) -> list[int | None]:
    """For each stored point the index of its item, or None; order is kept and no item is given twice.

    Both are in order of time. Among the items whose interval, widened by `width` (before, after), holds the stored
    time, one that is the same in value and status is preferred, then the nearest, then the first.
    """
    matched: list[int | None] = []
    first = 0
    for time, value, quality in zip(times, values, qualities, strict=True):
        while first < len(items) and items[first].end_ns + width[1] < time:
            first += 1
        best: tuple[bool, int, int] | None = None
        index = first
        while index < len(items) and items[index].start_ns - width[0] <= time:
            item = items[index]
            if time <= item.end_ns + width[1]:
                away = max(item.start_ns - time, time - item.end_ns, 0)
                rank = (not same(item, value, quality), away, index)
                best = rank if best is None else min(best, rank)
            index += 1
        if best is None or (best[0] and quality >= BAD and items[best[2]].status != ANY_BAD and _is_word(quality)):
            matched.append(None)
            continue
        matched.append(best[2])
        first = best[2] + 1
    return matched


def own_items(items: Sequence[Item], matched: Sequence[int | None]) -> list[Item]:
    """The items of requests that were sent for this tag; all of them when nothing is stored.

    A request that bridges registers covers tags it was not sent for. A tag's own request shapes (function code,
    address, count) are those of whose responses at least half as large a part is stored as of the best one. So that no
    loss hides behind a change of plan, an item of another shape counts too when no own one is within three usual
    spacings.
    """
    responses = Counter(item.shape for item in items if item.required)
    hits = Counter(items[index].shape for index in matched if index is not None)
    if len(responses) <= 1 or not hits:
        return list(items)
    rate = {shape: hits[shape] / count for shape, count in responses.items()}
    own = {shape for shape, share in rate.items() if share >= max(rate.values()) / 2}
    times = [item.start_ns for item in items if item.shape in own]
    usual_ns = statistics.median(b - a for a, b in pairwise(times)) if len(times) > 1 else math.inf
    return [item for item in items if item.shape in own or _alone(item.start_ns, times, 3 * usual_ns)]


def _alone(time: int, times: Sequence[int], within_ns: float) -> bool:
    at = bisect.bisect(times, time)
    return all(abs(time - near) > within_ns for near in times[max(at - 1, 0) : at + 1])


def _is_word(quality: int) -> bool:
    """BadNoCommunication is the agent's word on its link and takes no reading's place."""
    return quality == 0x8031_0000  # noqa: PLR2004 — OPC 10000-4 Annex A
