"""What excuses a reading that is not in the store: a gap the agent tells of, or what no client could have had. Pure.

A gap explains only what bears its tag, a cause, the reading's time, and lies within 1 s of an injected outage of its
device or of the collector. Without a gap: a poll or read at most 500 ms before the collector was killed, and a change
that its device forgot before it was sent and acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from simulators.evidence import SUBSCRIBE, Item

NEAR_OUTAGE_NS: Final = 1_000_000_000
BEFORE_KILL_NS: Final = 500_000_000


@dataclass(frozen=True, slots=True)
class GapPoint:
    """A stored gap: readings of `tag` are known to be missing between two times; `end_ns` None = still open."""

    tag: str
    cause: str
    start_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class Outage:
    """An injected outage of one device, or with `device` empty of the collector or what lies behind it.

    Kind `kill` = the collector was killed at `start_ns`, else the fault of the plant.
    """

    start_ns: int
    end_ns: int
    kind: str
    device: str = ""


def befalling(device: str, outages: Iterable[Outage]) -> list[Outage]:
    """Those that may keep values of a device from being read."""
    return [one for one in outages if one.device in {"", device}]


def explained(item: Item, mode: str, gaps: Iterable[GapPoint], outages: Sequence[Outage]) -> bool:
    """Whether the loss of an item is explained.

    Args:
        item: it.
        mode: of its tag: `poll`, `subscribe` or `read`.
        gaps: of its tag.
        outages: what befell its device (`befalling`).
    """
    if item.forgotten or (mode != SUBSCRIBE and any(_killed(item, one) for one in outages)):
        return True
    for gap in gaps:
        end_ns = item.end_ns if gap.end_ns is None else gap.end_ns
        if gap.start_ns <= item.end_ns and item.start_ns <= end_ns and _near(gap.start_ns, end_ns, outages):
            return True
    return False


def _killed(item: Item, outage: Outage) -> bool:
    before = outage.start_ns - BEFORE_KILL_NS <= item.left_ns
    return outage.kind == "kill" and before and item.start_ns <= outage.start_ns


def _near(start_ns: int, end_ns: int, outages: Iterable[Outage]) -> bool:
    return any(
        outage.start_ns - NEAR_OUTAGE_NS <= start_ns and end_ns <= outage.end_ns + NEAR_OUTAGE_NS for outage in outages
    )
