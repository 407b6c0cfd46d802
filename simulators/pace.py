"""Whether every tag of a device was asked for, and polls at about their period. Pure.

Only what the plant saw counts. It can not see how often a node is read that did not change in between, nor whether a
subscription asked for the right sampling interval.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from simulators.evidence import ANY_BAD, POLL, Item

LEAST_SHARE: Final = 0.8
"""Fewer polls than this share of the expected ones is a failure."""
RETURN_NS: Final = 10_000_000_000
"""Longest time after an outage until the first poll that is still counted to the outage."""
REFUSED_PERIODS: Final = 10
"""A client may wait as many periods until it asks again for what was refused, and each time twice as long."""
NEAR_NS: Final = 1_000_000_000
"""A refusal this close to an outage is one of it."""


class Pace(NamedTuple):
    """One tag.

    Attributes:
        mode: `poll`, `subscribe` or `read`.
        items: what was produced for it, in order of time.
        period_ns: planned time between two polls; 0 = not known.
    """

    mode: str
    items: Sequence[Item]
    period_ns: int


def too_slow(
    tags: Mapping[str, Pace], outages: Sequence[tuple[int, int]], end_ns: int | None, overruns: int
) -> list[str]:
    """A sentence on each tag that was never asked for, or polled too rarely.

    Expected are the polls from the first one of the device to the end, without outages (each up to the first poll after
    it), less the overruns; one more or less is no matter. A tag that the device refused without an outage is asked at a
    pace of its own; one that was refused in an outage may take as long again to come back.

    Args:
        tags: the tags of one device.
        outages: start and end of what befell the device, any order.
        end_ns: last moment that counts; None = the last poll of the device.
        overruns: scheduled polls that the client says it left out.
    """
    times = sorted({item.start_ns for tag in tags.values() if tag.mode == POLL for item in tag.items})
    end_ns = times[-1] if end_ns is None and times else end_ns
    wrong: list[str] = []
    for name, tag in tags.items():
        if not tag.items:
            wrong.append(f"{name}: never {'subscribed' if tag.mode == 'subscribe' else 'read'}, the plant saw nothing")
        elif tag.mode == POLL and tag.period_ns and end_ns is not None:
            refused = [item.start_ns for item in tag.items if item.status == ANY_BAD]
            if not all(any(start - NEAR_NS <= at <= end + NEAR_NS for start, end in outages) for at in refused):
                continue
            up_ns = _up_ns(
                times, [(start, _return_ns(tag, times, start, stop, end_ns)) for start, stop in outages], end_ns
            )
            expected = math.floor(up_ns / tag.period_ns) - overruns
            polls = sum(item.start_ns <= end_ns for item in tag.items)
            if polls + 1 < LEAST_SHARE * expected:
                wrong.append(f"{name}: polled {polls} times in {up_ns / 1e9:.1f} s, expected about {expected}")
    return wrong


def _return_ns(tag: Pace, times: Sequence[int], start_ns: int, stop_ns: int, end_ns: int) -> int:
    """When a tag of a device that was polled at `times` counts as back after an outage."""
    most_ns = RETURN_NS
    if any(item.status == ANY_BAD and start_ns - NEAR_NS <= item.start_ns <= stop_ns + NEAR_NS for item in tag.items):
        most_ns += stop_ns - start_ns + REFUSED_PERIODS * tag.period_ns
        times = [item.start_ns for item in tag.items if item.status != ANY_BAD]
    after = bisect.bisect_left(times, stop_ns)
    return min(times[after] if after < len(times) else end_ns, stop_ns + most_ns)


def _up_ns(times: Sequence[int], outages: Sequence[tuple[int, int]], end_ns: int) -> int:
    """Time from the first poll to the end without outages, each from its start to the return."""
    at = times[0]
    up_ns = 0
    for start_ns, back_ns in sorted(outages):
        up_ns += max(0, min(start_ns, end_ns) - at)
        at = max(at, back_ns)
    return up_ns + max(0, end_ns - at)
