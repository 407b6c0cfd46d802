"""What a lost link leaves in the store, as rules heard it.

The store has BadNoCommunication for each tag of the link, and of a tag whose device tells changes alone nothing more
until its value changes. Rules are told the value that still holds when the link is back (`pipelines.derive.ear`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from pipelines.derive.ear import SETTLED_NS
from pipelines.derive.settle import Reading
from pipelines.point import BAD, BAD_NO_COMMUNICATION, SEVERITY_MASK


def recalled(told: Mapping[str, Sequence[Reading]], holds: Mapping[str, bool]) -> list[Reading]:
    """Readings that rules heard and the store lacks: values of before that still held when a link was back.

    Args:
        told: stored readings of one link by role, oldest first.
        holds: whether what a role's tag says holds until it says otherwise.
    """
    good_ns = sorted(one.time_ns for some in told.values() for one in some if not _bad(one))
    found = []
    for role, readings in told.items():
        held: Reading | None = None
        for at, one in enumerate(readings):
            if not _bad(one):
                held = one
            elif one.status == BAD_NO_COMMUNICATION and held is not None and holds[role]:
                after = bisect_right(good_ns, one.time_ns)
                next_ns = readings[at + 1].time_ns if at + 1 < len(readings) else None
                if after < len(good_ns) and (next_ns is None or good_ns[after] + SETTLED_NS < next_ns):
                    found.append(held._replace(time_ns=good_ns[after] + SETTLED_NS))
    return found


def _bad(one: Reading) -> bool:
    return one.status & SEVERITY_MASK == BAD
