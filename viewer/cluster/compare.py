"""Suppliers of a cluster next to each other, so that nobody who shared less is told by it. Pure.

A figure that a supplier shares is known anyway. One that it does not share counts in a median only where the supplier
agreed to that, and where five companies and more that do not share it are in it: fewer could be found by subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from viewer.fleet.compare import LEAST


@dataclass(frozen=True, slots=True)
class Part:
    """What one site of a company brings.

    Attributes:
        company: its name.
        value: of the figure; None = 미수집.
        shared: whether whoever asks is told it anyway.
    """

    company: str
    value: float | None
    shared: bool


@dataclass(frozen=True, slots=True)
class Middle:
    """The middle of a group.

    Attributes:
        value: median; None = too few companies.
        count: companies that are in it.
        unseen: of them, those whose own figure is not told.
    """

    value: float | None
    count: int
    unseen: int = 0


def middle(parts: Sequence[Part], least: int = 2) -> Middle:
    """The median of what is shared, and of what is not where five companies and more bring that.

    A company counts once, with the median of its sites.

    Args:
        parts: of one figure, of every company that agreed to be counted.
        least: of fewer companies there is no median.
    """
    known = [(one.company, one.value, one.shared) for one in parts if one.value is not None]
    unseen = {company for company, _, shared in known if not shared}
    companies: dict[str, list[float]] = {}
    for company, value, shared in known:
        if shared or len(unseen) >= LEAST:
            companies.setdefault(company, []).append(value)
    if len(companies) < least:
        return Middle(None, len(companies))
    # One voice each: the median of four with one site and one with ten would be of that one's sites.
    voices = [median(values) for values in companies.values()]
    return Middle(median(voices), len(companies), len(unseen) if len(unseen) >= LEAST else 0)
