"""Readings carried beside their records, so that they are counted without being read back out of the lines.

Only as good as what is counted: a segment whose released records are not exactly those that were carried, after a
failed sync, a refusal, a loss or a restart, is read instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from pipelines.encode.line import Series
from pipelines.journal.counters import Counters
from pipelines.journal.segment import Segment
from pipelines.journal.stored import Stored
from pipelines.ledger.columns import Columns
from pipelines.ledger.mix import mixed
from pipelines.ledger.readings import Number, Points, is_counted
from pipelines.ledger.tally import SeriesKey

_LOOSE: Final = 64
_LOOSE_VALUES: Final = 8192
"""Readings, and values in them, at which they are packed."""
_KINDS: Final[Mapping[str, str]] = {"f": "float", "i": "int", "b": "bool", "O": "string"}


@dataclass(eq=False, slots=True, weakref_slot=True)
class Names:
    """Series and field of each row of a tag table; the table only grows under another object."""

    fields: Sequence[tuple[Series, str]]

    def keys(self, kind: str) -> list[SeriesKey | None]:
        """What the ledger calls each row, stored as `kind`; None for what it does not count."""
        return [
            SeriesKey(series.measurement, tuple(sorted(pair for pair in series.tags if pair[1])), name, kind)
            if is_counted(series.measurement, name)
            else None
            for series, name in self.fields
        ]


@dataclass(frozen=True, slots=True)
class Readings:
    """Values as they went into lines: rows of a tag table, times and values, each of shape (n,)."""

    names: Names
    tag: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    value: NDArray[Any]


@dataclass(slots=True)
class Load:
    """What is carried beside one segment.

    Attributes:
        segment: it is beside.
        counters: records in it.
        points: their readings, those of a series in the order of the records.
    """

    segment: Segment
    counters: Counters = field(default_factory=Counters)
    points: Columns = field(default_factory=Columns)


class Carried:
    """What is carried beside the segments of this process.

    Args:
        number: what to call a series.
        left: told of each segment that is not written any more, with what was carried beside it.
    """

    def __init__(self, number: Number, left: Callable[[Load], None]) -> None:
        self._number = number
        self._left = left
        self._open: Load | None = None
        self._loose: list[Readings] = []
        self._size = 0
        self._numbers: WeakKeyDictionary[Names, dict[str, NDArray[np.int64]]] = WeakKeyDictionary()

    def add(self, stored: Stored, readings: Sequence[Readings]) -> None:
        """A record was appended."""
        if self._open is None or self._open.segment is not stored.segment:
            self.leave()
            self._open = Load(stored.segment)
        self._open.counters.add(stored.id.counter)
        self._loose += readings
        self._size += sum(len(one.tag) for one in readings)
        if len(self._loose) >= _LOOSE or self._size >= _LOOSE_VALUES:
            self._pack(self._open)

    def leave(self, segment: Segment | None = None) -> None:
        """The segment, this one or whichever it is, is not written any more."""
        if self._open is not None and (segment is None or segment is self._open.segment):
            self._pack(self._open)
            self._left(self._open)
            self._open = None

    def _pack(self, load: Load) -> None:
        """Loose readings behind the others of their segment."""
        groups: dict[tuple[Names, str], list[Readings]] = {}
        for one in self._loose:
            groups.setdefault((one.names, one.value.dtype.kind), []).append(one)
        for (names, kind), some in groups.items():
            load.points.add(self._points(names, kind, some))
        self._loose, self._size = [], 0

    def _points(self, names: Names, kind: str, readings: Sequence[Readings]) -> Points:
        time_ns = np.concatenate([one.time_ns for one in readings])
        value = np.concatenate([one.value for one in readings])
        series = self._series(names, kind)[np.concatenate([one.tag for one in readings])]
        counted = series >= 0
        if not counted.all():
            series, time_ns, value = series[counted], time_ns[counted], value[counted]
        return series.astype(np.uint32), time_ns, mixed(time_ns, value)

    def _series(self, names: Names, kind: str) -> NDArray[np.int64]:
        """Number of each row of a table, −1 for what is not counted; a row is numbered when it is first met."""
        known = self._numbers.setdefault(names, {})
        if kind not in known:
            keys = names.keys(_KINDS[kind])
            known[kind] = np.array([-1 if key is None else self._number(key) for key in keys], dtype=np.int64)
        return known[kind]
