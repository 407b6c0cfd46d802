"""Readings taken while a clock was wrong on purpose, the collector's or a device's: times and qualities they may bear.

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
    points = _Points(times, values, qualities)
    forms = {index: list(_forms(item, shifts)) for index, item in enumerate(items)}
    doubtful = [index for index, some in forms.items() if len(some) > 1]
    for index in sorted(forms.keys() - doubtful):  # a point belongs to the poll of its own time, if that has one
        points.take(items[index], CLOSE_NS)
    found = list(items)
    # With all of its slack a form may reach the point of the poll beside it: one that is met closely goes first.
    for most_ns in (CLOSE_NS, None):
        for index in [*doubtful]:
            met = next((form for form in forms[index] if points.take(form, most_ns)), None)
            if met is not None:
                found[index] = met
                doubtful.remove(index)
    return sorted(found, key=lambda item: item.start_ns)


def as_received(
    items: Sequence[Item], times: Sequence[int], values: Sequence[Any], qualities: Sequence[int]
) -> list[Item]:
    """Changes of a device whose clock was off, as they are to be found in the store, in order of time.

    They bear the time the device said, or where the client does not believe it the time of receipt, Uncertain or not.

    Args:
        items: changes.
        times: of the stored points, in order.
        values: of these.
        qualities: of these.
    """
    points = _Points(times, values, qualities)
    found = list(items)
    # A point belongs to the change of its own time, if that has one; a time of receipt may be that of the next change.
    doubtful = [index for index, item in enumerate(items) if not points.take(item, None)]
    for index in doubtful:
        item = items[index]
        if item.received_ns is None:
            continue
        late = item._replace(start_ns=item.received_ns[0], end_ns=item.received_ns[1])
        forms = [late._replace(status=UNCERTAIN), late] if item.status == 0 else [late]
        found[index] = next((form for form in forms if points.take(form, None)), item)
    return sorted(found, key=lambda item: item.start_ns)


class _Points:
    """The stored points that no poll has taken yet."""

    def __init__(self, times: Sequence[int], values: Sequence[Any], qualities: Sequence[int]) -> None:
        self._times, self._values, self._qualities = times, values, qualities
        self._taken: set[int] = set()

    def take(self, item: Item, most_ns: int | None) -> bool:
        """Take the point by which `item` is stored, with its slack or `most_ns` of it; whether there is one."""
        slack_ns = item.slack_ns if most_ns is None else min(most_ns, item.slack_ns)
        first = bisect.bisect_left(self._times, item.start_ns - slack_ns)
        last = bisect.bisect_right(self._times, item.end_ns + slack_ns)
        alike = (at for at in range(first, last) if same(item, self._values[at], self._qualities[at]))
        point = next((at for at in alike if at not in self._taken), None)
        if point is not None:
            self._taken.add(point)
        return point is not None


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
