"""Polls that a collector took while its wall clock was wrong on purpose: the times and qualities they may bear. Pure.

The plant knows when a poll was really taken. A collector whose clock is off stamps it by that clock, or by an estimate
of the right time, and may say of an estimate that it is Uncertain. Each poll of such a stretch is held to the one of
these forms that is stored; a poll that is stored in none of them is held to the right one, and missing.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulators.evidence import ANY_BAD, Item
from simulators.matching import BAD, same

UNCERTAIN: Final = 0x4000_0000
"""OPC 10000-4 Annex A."""
NEAR_NS: Final = 2_000_000_000
"""A poll this close to a jump may have been under way, or stamped from what is known a moment later."""

CLOSE_NS: Final = 20_000_000
"""What a poll's time is off by where nobody waited for a processor."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The collector's wall clock was off by `offset_ns` from `start_ns` to `end_ns`."""

    start_ns: int
    end_ns: int
    offset_ns: int


def as_stamped(
    items: Sequence[Item],
    times: Sequence[int],
    values: Sequence[Any],
    qualities: Sequence[int],
    shifts: Sequence[Shift],
) -> list[Item]:
    """The items as they are to be found in the store, in order of time.

    Args:
        items: polls, with their slack.
        times: of the stored points, in order.
        values: of these.
        qualities: of these.
        shifts: when the clock was off.
    """
    found: list[Item] = []
    points = times, values, qualities
    for item in items:
        forms = list(_forms(item, shifts))
        # With all of its slack a form may reach the point of the poll beside it: one that is met closely goes first.
        stored = (form for most_ns in (CLOSE_NS, item.slack_ns) for form in forms if _is_stored(form, most_ns, points))
        found.append(next(stored, item) if len(forms) > 1 else item)
    return sorted(found, key=lambda item: item.start_ns)


def _forms(item: Item, shifts: Sequence[Shift]) -> Iterator[Item]:
    yield item
    near = [one for one in shifts if one.start_ns - NEAR_NS <= item.end_ns and item.start_ns <= one.end_ns + NEAR_NS]
    good = item.status != ANY_BAD and item.status < BAD
    for offset_ns in (0, *(one.offset_ns for one in near)) if near else ():
        moved = item._replace(start_ns=item.start_ns + offset_ns, end_ns=item.end_ns + offset_ns)
        if offset_ns:
            yield moved
        if good and item.status < UNCERTAIN:
            yield moved._replace(status=UNCERTAIN)


def _is_stored(item: Item, most_ns: int, points: tuple[Sequence[int], Sequence[Any], Sequence[int]]) -> bool:
    times, values, qualities = points
    slack_ns = min(most_ns, item.slack_ns)
    first = bisect.bisect_left(times, item.start_ns - slack_ns)
    last = bisect.bisect_right(times, item.end_ns + slack_ns)
    return any(same(item, values[point], qualities[point]) for point in range(first, last))
