"""What entries say together, in the order they were written: shared by who writes the ledger and who reads it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.ledger.format import Entry, Head, Losses, Ranges, merged
from pipelines.ledger.tally import Rows, SeriesKey
from pipelines.topics import RecordId

_EPOCHS: int = 256
"""Processes whose records are known one by one: none older has a segment left."""
_SPANS: int = 1000
_DAYS: int = 400


class Numbers:
    """Numbers of series and epochs in this process; safe to use from several threads.

    Attributes:
        keys: series by number.
        epochs: by number; the first is 1, since 0 is none.
    """

    def __init__(self) -> None:
        self.keys: list[SeriesKey] = []
        self.epochs: list[str] = [""]
        self._series: dict[SeriesKey, int] = {}
        self._epochs: dict[str, int] = {}
        self._lock = threading.Lock()

    def series(self, key: SeriesKey) -> int:
        """The number of a series."""
        with self._lock:
            number = self._series.setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
        return number

    def epoch(self, epoch: str) -> int:
        """The number of an epoch."""
        with self._lock:
            number = self._epochs.setdefault(epoch, len(self.epochs))
            if number == len(self.epochs):
                self.epochs.append(epoch)
        return number


class FileNumbers:
    """From the numbers of one file to those of this process; what a number means changes where the file says so."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._series = np.zeros(0, np.uint32)

    def translated(self, entry: Entry) -> tuple[Rows, Rows]:
        """Rows and edges of the next entry of the file, in numbers of this process."""
        named = entry.head.series
        if named:
            if (most := max(named) + 1) > len(self._series):
                self._series = np.append(self._series, np.zeros(most - len(self._series), np.uint32))
            self._series[list(named)] = [self._numbers.series(key) for key in named.values()]
        epochs = np.array([self._numbers.epoch(epoch) for epoch in entry.head.epochs], np.uint32)
        rows, edges = entry.rows.copy(), entry.edges.copy()
        if len(rows):
            rows["series"], rows["epoch"] = self._series[rows["series"]], epochs[rows["epoch"]]
        if len(edges):
            edges["series"] = self._series[edges["series"]]
        return rows, edges


class Book:
    """The state entries lead to, besides their rows.

    Attributes:
        counted: records counted, by epoch, newest epoch last.
        refused: lines of records not counted yet; None = all of them.
        losses: since the beginning.
        since_hour: hours before it are forgotten; None = nothing is.
        damaged: whether entries were lost.
    """

    def __init__(self) -> None:
        self.counted: dict[str, Ranges] = {}
        self.refused: dict[str, list[str] | None] = {}
        self.losses = Losses()
        self.since_hour: int | None = None
        self.damaged = False

    def take_in(self, head: Head) -> None:
        """The next entry."""
        for epoch, runs in head.counted.items():
            self.counted[epoch] = merged(self.counted.pop(epoch, []), runs)
        if self.refused and head.counted:
            self.refused = {name: lines for name, lines in self.refused.items() if not self.is_counted(name)}
        self.refused |= head.refused
        for cause, days in head.losses.points.items():
            for day, points in days.items():
                self.losses.add(cause, day, points)
        self.losses.spans += head.losses.spans
        self.damaged |= head.damaged
        if head.since_hour is not None:
            self.since_hour = max(self.since_hour or head.since_hour, head.since_hour)
        self._forget()

    def is_counted(self, record: str) -> bool:
        """Whether a record, by its id, is in the sums."""
        epoch, counter = RecordId.parse(record)
        return any(start <= counter <= end for start, end in self.counted.get(epoch, ()))

    def head(self, series: Mapping[int, SeriesKey], epochs: list[str]) -> Head:
        """Everything, for a fold."""
        return Head(
            dict(series), epochs, self.counted, self.refused, self.losses, self.since_hour, damaged=self.damaged
        )

    def _forget(self) -> None:
        for epoch in list(self.counted)[:-_EPOCHS]:
            del self.counted[epoch]
        del self.losses.spans[:-_SPANS]
        for days in self.losses.points.values():
            for day in sorted(days)[:-_DAYS]:
                days["before"] = days.get("before", 0) + days.pop(day)


def fold_of(rows: Rows, edges: Rows, book: Book, numbers: Numbers) -> Entry:
    """An entry that holds these rows and edges, and everything the book says."""
    used = np.unique(np.concatenate((rows["series"], edges["series"]))).tolist()
    epochs: NDArray[np.uint32] = np.unique(rows["epoch"])
    rows = rows.copy()
    rows["epoch"] = np.searchsorted(epochs, rows["epoch"])
    head = book.head({number: numbers.keys[number] for number in used}, [numbers.epochs[one] for one in epochs])
    return Entry(head, rows, edges)
