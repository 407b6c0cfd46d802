"""Readings of one tag in the order of their times, although their values are of several types. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.point import Scan


def in_turn(scans: Sequence[Scan]) -> list[Scan]:
    """The same readings, so that those of a tag that is in several scans come by time.

    A bad value is mostly sent as null, which is of another type than the values around it. Scans of which one is not
    oldest first stay as they are: a clock ran backwards, and what is known of the order is all there is.

    Args:
        scans: what came at once, each of one value dtype.
    """
    if len(scans) < 2:  # noqa: PLR2004 — nothing to be torn
        return list(scans)
    scans_of = np.zeros(1 + max(int(one.tag.max(initial=0)) for one in scans), np.uint8)
    for one in scans:
        there = np.zeros(len(scans_of), bool)
        there[one.tag] = True
        scans_of += there
    torn = scans_of > 1
    if not torn.any() or not all((np.diff(one.time_ns) >= 0).all() for one in scans):
        return list(scans)
    found = [one.take(~torn[one.tag]) for one in scans]
    parts = [one.take(torn[one.tag]) for one in scans]
    order = np.argsort(np.concatenate([one.time_ns for one in parts]), kind="stable")
    which = np.repeat(np.arange(len(parts)), [len(one) for one in parts])[order]
    place = np.concatenate([np.arange(len(one)) for one in parts])[order]
    runs = np.split(np.arange(len(order)), np.flatnonzero(np.diff(which)) + 1)
    found += [parts[which[run[0]]].take(place[run]) for run in runs]
    return [one for one in found if len(one)]
