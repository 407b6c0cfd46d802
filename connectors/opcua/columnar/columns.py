"""What decoding gives: items as columns, one set for each value dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.columnar.scalars import EPOCH_TICKS, LAST_TICKS, LIMIT_TICKS
from pipelines.point import GOOD, SEVERITY_MASK, UNCERTAIN, Scan


@dataclass(frozen=True, slots=True)
class Columns:
    """Decoded items of one value dtype, in the order they were sent.

    Attributes:
        handle: client handle, or position in the request for read results, int64, shape (n,).
        time_ns: source time, else server time, else publish time, ns since 1970 UTC, int64, shape (n,).
        value: one of `pipelines.point.VALUE_DTYPES`, shape (n,).
        status: StatusCode, uint32, shape (n,).
        timed: whether the server gave a usable source or server time, bool, shape (n,).
    """

    handle: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    value: NDArray[Any]
    status: NDArray[np.uint32]
    timed: NDArray[np.bool_]

    def take(self, index: NDArray[Any]) -> Self:
        """The items at `index` (integer positions or a boolean mask)."""
        return type(self)(
            self.handle[index], self.time_ns[index], self.value[index], self.status[index], self.timed[index]
        )


class RawColumns(Columns):
    """Items whose value is no scalar, or a long one: `value` holds the bytes of each Variant (OPC 10000-6 §5.2.2.16).

    `connectors.opcua.values.readings.Values` turns them into readings of parts; nothing else may look into them.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of one layout before they are joined; `source` and `server` are ticks, 0 = none."""

    order: NDArray[np.int64]
    handle: NDArray[np.int64]
    value: NDArray[Any]
    status: NDArray[np.uint32]
    source: NDArray[np.int64]
    server: NDArray[np.int64]


def joined(kind: str, parts: list[Part], publish_ns: int, made: type[Columns] = Columns) -> Columns:
    """The parts as one, in the order they were sent.

    A source time that ns since 1970 cannot say (before 1678, after 2262) is replaced and makes a good value Uncertain.
    Null, DateTime.MinValue and DateTime.MaxValue are no times at all (OPC 10000-6 §5.2.2.5) and only replaced.

    Args:
        kind: dtype of the values.
        parts: at least one.
        publish_ns: time for items without any, ns since 1970 UTC.
        made: class of the result.
    """
    if len(parts) == 1:
        part = parts[0]
    else:
        order = np.concatenate([p.order for p in parts])
        by = np.argsort(order)
        part = Part(
            order[by],
            np.concatenate([p.handle for p in parts])[by],
            np.concatenate([p.value for p in parts])[by],
            np.concatenate([p.status for p in parts])[by],
            np.concatenate([p.source for p in parts])[by],
            np.concatenate([p.server for p in parts])[by],
        )
    source = part.source - EPOCH_TICKS
    server = part.server - EPOCH_TICKS
    has_source = (part.source > 0) & (source < LIMIT_TICKS) & (source > -LIMIT_TICKS)
    has_server = (part.server > 0) & (server < LIMIT_TICKS) & (server > -LIMIT_TICKS)
    ticks = np.where(has_source, source, np.where(has_server, server, 0))
    timed = has_source | has_server
    time_ns = np.where(timed, ticks * 100, np.int64(publish_ns))
    status = part.status
    if not has_source.all():  # a time of another age is a broken clock; the two ends of DateTime mean "none"
        broken = ~has_source & (part.source > 0) & (part.source < LAST_TICKS) & (status & SEVERITY_MASK == GOOD)
        if broken.any():
            status = np.where(broken, status | np.uint32(UNCERTAIN), status)
    value = part.value if part.value.dtype.name == kind else part.value.astype(kind)
    return made(part.handle, time_ns, value, status, timed)


def scan_of_columns(columns: Columns) -> Scan:
    """The readings, when `columns.handle` is the row of the tag table."""
    return Scan(columns.handle.astype(np.int32, copy=False), columns.time_ns, columns.value, columns.status)


def oldest_first(scan: Scan) -> Scan:
    """The readings by time, unless a tag's own clock ran backwards: then in the order they were sent."""
    if not len(scan) or (np.diff(scan.time_ns) >= 0).all():
        return scan
    order = np.argsort(scan.time_ns, kind="stable")
    by_tag = order[np.argsort(scan.tag[order], kind="stable")]
    tag = scan.tag[by_tag]
    backwards = (tag[1:] == tag[:-1]) & (by_tag[1:] < by_tag[:-1])
    return scan if backwards.any() else scan.take(order)
