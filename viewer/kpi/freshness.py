"""How fresh data is, and how much of what was expected came."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

_SECOND_NS: Final = 10**9


class Freshness(StrEnum):
    """How long ago the last good or uncertain reading came; lost too while every tag is bad."""

    OK = "ok"
    DELAYED = "delayed"
    LOST = "lost"
    NONE = "none"


FRESHNESS_S: Final = ((60.0, Freshness.OK), (600.0, Freshness.DELAYED), (86_400.0, Freshness.LOST))
"""Below so many seconds it is that fresh; beyond the last, nothing is collected."""


def freshness_of(
    seen_ns: int | None, now_ns: int, limits: Sequence[tuple[float, Freshness]] = FRESHNESS_S
) -> Freshness:
    """Freshness by the age of the last point.

    Args:
        seen_ns: its time, ns since 1970 UTC; of tags that are told on change, that of the last heartbeat; None = never.
        now_ns: the time now, ns since 1970 UTC.
        limits: ages in seconds, ascending, and what is said below each.
    """
    if seen_ns is None:
        return Freshness.NONE
    age_s = (now_ns - seen_ns) / _SECOND_NS
    return next((word for limit_s, word in limits if age_s < limit_s), Freshness.NONE)
