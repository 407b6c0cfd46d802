"""Which stored point comes from which item of the truth. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from simulators.evidence import ANY_BAD, Item

Shape = tuple[int, ...]
"""Function code, address and count of a Modbus request."""
BAD: Final = 0x8000_0000
BAD_OUT_OF_RANGE: Final = 0x803C_0000
ANOTHER_DEVICE: Final = 0x8039_0000
"""BadDataEncodingUnsupported: what came can not be from the device that was meant (OPC 10000-4 Annex A)."""


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


def same(item: Item, value: Any, quality: int) -> bool:
    """Whether a stored value and quality are the item's, type and bits included; a bad value is no value."""
    if item.status == ANY_BAD:
        return quality >= BAD
    if item.swapped and quality == ANOTHER_DEVICE:
        return True
    if item.status != quality:
        return False
    if quality >= BAD:
        return True
    if type(item.value) is not type(value):
        return False
    return _bits(item.value) == _bits(value) if isinstance(value, float) else bool(item.value == value)


def scaled(item: Item, scale: float, offset: float) -> Item:
    """The item in engineering units; a scale of 10⁻ⁿ divides, so that the last digit is right."""
    if (scale == 1 and offset == 0) or not isinstance(item.value, (int, float)):
        return item
    power = round(-math.log10(abs(scale)))
    value = item.value / 10**power if power > 0 and scale == float(f"1e-{power}") else item.value * scale
    return item._replace(value=value + offset)


def meant(item: Item, bit: int | None, *, divided: bool) -> Item:
    """The item of a tag that is one bit of a word, or whose device says how many decimals it has: a fraction then."""
    if item.value is None or (bit is None and not divided):
        return item
    return item._replace(value=float(item.value) if bit is None else bool(item.value >> bit & 1))


def expected(item: Item, limits: tuple[float, float] | None, *, sentinels: bool = False) -> Item:
    """The item as it must be stored: outside the tag's range, or not finite, it is BadOutOfRange.

    Args:
        item: of the truth.
        limits: lowest and highest possible value; None = every value is.
        sentinels: raw values outside of `limits` may mean that there is no number: the client then chooses the code.
    """
    value = item.value
    if value is None and item.status == 0:  # JSON knows neither NaN nor infinity
        return item._replace(status=BAD_OUT_OF_RANGE)
    if item.status == ANY_BAD or item.status >= BAD or isinstance(value, bool) or not isinstance(value, (int, float)):
        return item
    outside = limits is not None and not limits[0] <= value <= limits[1]
    if outside and sentinels:
        return item._replace(status=ANY_BAD)
    return item._replace(status=BAD_OUT_OF_RANGE) if outside or not math.isfinite(value) else item


def within(item: Item, time: int, width: tuple[int, int]) -> bool:
    """Whether a stored time may be the item's."""
    return item.start_ns - width[0] - item.slack_ns <= time <= item.end_ns + width[1] + item.slack_ns


def match(
    items: Sequence[Item],
    times: Sequence[int],
    values: Sequence[Any],
    qualities: Sequence[int],
    width: tuple[int, int],
) -> list[int | None]:
    """For each stored point the index of its item, or None; order is kept and no item is given twice.

    Both are in order of time. Among the items whose interval, widened by `width` (before, after) and on both sides by
    the item's own slack, holds the stored time, one that is the same in value and status is preferred, then the
    nearest, then the first.
    """
    matched: list[int | None] = []
    first = 0
    slack_ns = max((item.slack_ns for item in items), default=0)
    for time, value, quality in zip(times, values, qualities, strict=True):
        while first < len(items) and items[first].end_ns + width[1] + slack_ns < time:
            first += 1
        best: tuple[bool, int, int] | None = None
        index = first
        while index < len(items) and items[index].start_ns - width[0] - slack_ns <= time:
            item = items[index]
            if within(item, time, width):
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


def own_items(items: Sequence[Item], requests: Sequence[Shape] | None) -> list[Item]:
    """The items of requests that were sent for this tag; a request that bridges registers covers others too.

    Args:
        items: in order of time.
        requests: (function code, address, count) of the planned request that reads the tag, then of the parts it is
            divided into when the device refuses it: those count only after the planned one was refused once. None =
            every request that covers the tag; empty = none does.
    """
    if requests is None:
        return list(items)
    own: list[Item] = []
    divided = False
    for item in items:
        if item.shape in requests[:1]:
            divided |= item.status == ANY_BAD
            own.append(item)
        elif divided and item.shape in requests[1:]:
            own.append(item)
    return own


def _is_word(quality: int) -> bool:
    """BadNoCommunication is the agent's word on its link and takes no reading's place."""
    return quality == 0x8031_0000  # noqa: PLR2004 — OPC 10000-4 Annex A
