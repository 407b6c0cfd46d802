"""Readings summed up per series, epoch and hour.

The store holds a reading once, however often it was sent. A reading may stand in two records on purpose: the first
value of a new subscription is the last one of the old, with its time. Such a repeat follows the reading it repeats,
with no other of its series between the two; where the two stand in different segments, one is therefore the newest of
its segment and the other the first. Both are kept as `edges` beside the sums, so that the second is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.ledger.mix import U64, spread

HOUR_NS: Final = 3600 * 10**9
ROW: Final = np.dtype(
    [
        ("series", "<u4"),
        ("epoch", "<u4"),
        ("hour", "<i4"),
        ("count", "<u4"),
        ("hash", "<u8"),
        ("first_ns", "<i8"),
        ("last_ns", "<i8"),
    ]
)
"""Readings of one series in one hour, as far as they are of one epoch: how many, the sum of what `mixed` says of each,
and the oldest and newest time."""
EDGE: Final = np.dtype([("series", "<u4"), ("hour", "<i4"), ("mix", "<u8"), ("newest", "?")])
"""The first reading of a series in a segment (by the order of records) or, with `newest`, the one with the newest time;
what is both is there once, with `newest`."""
Rows = NDArray[Any]
_DENSE: Final = 8
"""Cells per reading up to which sums are taken in a table of series by hour."""


class SeriesKey(NamedTuple):
    """What a reading belongs to.

    Attributes:
        measurement: class of the machine.
        tags: (key, value) pairs, keys in order.
        field: name of the tag.
        kind: `float`, `int`, `bool` or `string`.
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]
    field: str
    kind: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of a segment.

    Attributes:
        rows: dtype `ROW`, each (series, epoch, hour) once; epoch 0 where there is one only.
        edges: dtype `EDGE`.
    """

    rows: Rows
    edges: Rows


def hours(time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hours since 1970 UTC."""
    return time_ns // HOUR_NS


def tally_of(series: NDArray[np.uint32], time_ns: NDArray[np.int64], mix: U64) -> Tally:
    """Readings of one segment, in the order of its records; what is there twice counts once."""
    if not len(series):
        return Tally(np.empty(0, ROW), np.empty(0, EDGE))
    names, index = _numbered(series)
    again = _repeats(index, mix)
    if again is not None:
        series, time_ns, mix, index = series[again], time_ns[again], mix[again], index[again]
    hour = hours(time_ns)
    first_hour = int(hour.min())
    width = int(hour.max()) - first_hour + 1
    cell = index * width + (hour - first_hour)
    if len(names) * width > _DENSE * len(series) + 1024:
        used, cell = np.unique(cell, return_inverse=True)
    else:
        used = np.arange(len(names) * width)
    rows = np.zeros(len(used), ROW)
    rows["series"], rows["hour"] = names[used // width], used % width + first_hour
    rows["count"] = np.bincount(cell, minlength=len(used))
    total, oldest, newest = np.zeros(len(used), np.uint64), *_extremes(len(used))
    np.add.at(total, cell, mix)
    np.minimum.at(oldest, cell, time_ns)
    np.maximum.at(newest, cell, time_ns)
    rows["hash"], rows["first_ns"], rows["last_ns"] = total, oldest, newest
    return Tally(rows[rows["count"] > 0], _edges(names, index, time_ns, mix))


def _numbered(series: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The series there are, and for each reading which of them it is of."""
    if int(series.max()) > _DENSE * len(series) + 1024:
        names, index = np.unique(series, return_inverse=True)
        return names, index
    there = np.zeros(int(series.max()) + 1, dtype=bool)
    there[series] = True
    place = np.cumsum(there) - 1
    return np.flatnonzero(there).astype(np.uint32), place[series]


def _repeats(index: NDArray[np.int64], mix: U64) -> NDArray[np.int64] | None:
    """Positions of what is there for the first time; None when all is."""
    key = mix ^ spread(np.arange(int(index.max()) + 1))[index]
    ordered = np.sort(key)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    return np.sort(np.unique(key, return_index=True)[1])


def _extremes(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.full(n, np.iinfo(np.int64).max), np.full(n, np.iinfo(np.int64).min)


def _edges(names: NDArray[np.uint32], index: NDArray[np.int64], time_ns: NDArray[np.int64], mix: U64) -> Rows:
    at = np.arange(len(index))
    first = np.empty(len(names), np.int64)
    first[index[::-1]] = at[::-1]  # of equal indices the last one written stays
    newest_ns = _extremes(len(names))[1]
    np.maximum.at(newest_ns, index, time_ns)
    newest = np.empty(len(names), np.int64)
    there = np.flatnonzero(time_ns == newest_ns[index])
    newest[index[there]] = there
    chosen = np.concatenate((newest, first[first != newest]))
    edges = np.zeros(len(chosen), EDGE)
    edges["series"], edges["hour"] = names[index[chosen]], hours(time_ns[chosen])
    edges["mix"], edges["newest"][: len(names)] = mix[chosen], True
    return edges


def folded(rows: Rows) -> Rows:
    """Rows of several segments with those of the same series, epoch and hour added up."""
    if not len(rows):
        return rows
    rows = rows[np.lexsort((rows["hour"], rows["epoch"], rows["series"]))]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (
        (rows["series"][1:] != rows["series"][:-1])
        | (rows["epoch"][1:] != rows["epoch"][:-1])
        | (rows["hour"][1:] != rows["hour"][:-1])
    )
    starts = np.flatnonzero(new)
    out = rows[starts].copy()
    out["count"] = np.add.reduceat(rows["count"], starts)
    out["hash"] = np.add.reduceat(rows["hash"], starts)
    out["first_ns"] = np.minimum.reduceat(rows["first_ns"], starts)
    out["last_ns"] = np.maximum.reduceat(rows["last_ns"], starts)
    return out


def without(tally: Tally, repeats: NDArray[np.bool_]) -> Tally:
    """The tally of a segment without these of its edges, which are counted elsewhere."""
    if not repeats.any():
        return tally
    rows, gone = tally.rows.copy(), tally.edges[repeats]
    keys = _cell(rows)
    order = np.argsort(keys)
    place = order[np.searchsorted(keys[order], _cell(gone))]
    np.subtract.at(rows["count"], place, np.uint32(1))
    np.subtract.at(rows["hash"], place, gone["mix"])
    return Tally(rows[rows["count"] > 0], tally.edges[~repeats])


def _cell(rows: Rows) -> NDArray[np.int64]:
    cell: NDArray[np.int64] = (rows["series"].astype(np.int64) << 32) + rows["hour"]
    return cell
