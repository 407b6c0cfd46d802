"""What a store has to hold by now: the ledger, and what the journal released since; read from the disk alone.

It works beside a running agent. What a segment says of itself is read before the ledger, so that whatever is released
stands in one of the two: a segment goes only after the ledger has it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DependencyError
from pipelines.journal.format import RecordHead, done_counters, heads, read_header
from pipelines.journal.salvage import read_segment
from pipelines.journal.segment import seal_of
from pipelines.ledger.format import outside
from pipelines.ledger.readings import Points, joined
from pipelines.ledger.released import points_in
from pipelines.ledger.tally import HOUR_NS, Rows, folded, tally_of
from pipelines.ledger.view import View

_TRIES: Final = 20


@dataclass(slots=True)
class Waiting:
    """A segment in the journal.

    Attributes:
        path: the file.
        epoch: of its records; empty when its header does not hold.
        done: counters released.
        open: counters that are not, each with the oldest and newest time in its record.
    """

    path: Path
    epoch: str
    done: set[int]
    open: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def sequence(self) -> int:
        """Position in the journal."""
        return int(self.path.stem, 16)


class Claims:
    """What was released of one agent, at one moment.

    Attributes:
        view: the ledger.
        rows: its rows and those of what was released since, each (series, epoch, hour) once; hours ascending.
        waiting: segments of the journal.
    """

    def __init__(self, view: View, rows: Rows, waiting: list[Waiting]) -> None:
        self.view = view
        self.rows = rows[np.argsort(rows["hour"], kind="stable")]
        self.waiting = waiting
        order = np.lexsort((rows["epoch"], rows["series"]))
        spans = rows[order]
        new = np.ones(len(spans), dtype=bool)
        new[1:] = (spans["series"][1:] != spans["series"][:-1]) | (spans["epoch"][1:] != spans["epoch"][:-1])
        at = np.flatnonzero(new)
        self._series = spans["series"][at]
        self._first = np.minimum.reduceat(spans["first_ns"], at) if len(at) else np.empty(0, np.int64)
        self._last = np.maximum.reduceat(spans["last_ns"], at) if len(at) else np.empty(0, np.int64)

    @classmethod
    def load(cls, state_dir: Path) -> Claims:
        """Read the state folder of an agent.

        Raises:
            DependencyError: there is none, or it cannot be read.
        """
        try:
            for _ in range(_TRIES):
                waiting = _segments(state_dir / "journal")
                view = View.load(state_dir / "ledger")
                try:
                    rows = [_released(one, view) for one in waiting]
                except FileNotFoundError:
                    continue  # finished meanwhile: the ledger has it now
                return cls(view, folded(np.concatenate((view.rows, *rows))), waiting)
        except OSError as error:
            raise DependencyError(str(state_dir), f"cannot read the journal: {error.strerror}") from error
        raise DependencyError(str(state_dir), "the journal changes faster than it can be read; try again")

    def of_hours(self, first: int, last: int) -> Rows:
        """The rows of these hours."""
        start, end = np.searchsorted(self.rows["hour"], [first, last + 1])
        return self.rows[start:end]

    def intervals(self, series: int) -> NDArray[np.int64]:
        """(oldest, newest) time of each process that released readings of a series, shape (n, 2)."""
        start, end = np.searchsorted(self._series, [series, series + 1])
        return np.column_stack((self._first[start:end], self._last[start:end]))

    def reach(self) -> NDArray[np.int64]:
        """First and last hour of each series, shape (series, 2); (0, -1) where nothing was released."""
        found = np.tile(np.array([0, -1]), (len(self.view.numbers.keys), 1))
        if len(self._series):
            series, at = np.unique(self._series, return_index=True)
            found[series, 0] = np.minimum.reduceat(self._first, at) // HOUR_NS
            found[series, 1] = np.maximum.reduceat(self._last, at) // HOUR_NS
        return found

    def queued(self, hours: Sequence[int]) -> Points:
        """Readings of these hours that were not released: the store may hold them already."""
        parts: list[Points] = []
        spans = [(hour * HOUR_NS, (hour + 1) * HOUR_NS) for hour in hours]
        for one in self.waiting:
            wanted = {
                counter
                for counter, (first, last) in one.open.items()
                if any(first < end and last >= start for start, end in spans)
            }
            if wanted:
                try:
                    data = one.path.read_bytes()
                except FileNotFoundError:
                    continue
                parts.append(points_in(data, one.epoch, wanted, {}, self.view.numbers.series))
        return joined(parts)


def _segments(folder: Path) -> list[Waiting]:
    """Segments and what they say of their records, oldest first; nothing is changed."""
    found: list[Waiting] = []
    for path in sorted(folder.glob("*.seg")):
        done_path = path.with_suffix(".done")
        try:
            epoch, base, records = _read(path)
            done_raw = done_path.read_bytes() if done_path.exists() else b""
        except FileNotFoundError:
            continue
        done = done_counters(epoch, done_raw) if epoch else set()
        if found and epoch and found[-1].epoch == epoch:  # what is behind its base is written again there
            found[-1].open = {counter: span for counter, span in found[-1].open.items() if counter <= base}
            found[-1].done = {counter for counter in found[-1].done if counter <= base}
        here = {head.counter: (head.first_ns, head.last_ns) for head in records}
        open_ = {counter: span for counter, span in here.items() if counter not in done}
        found.append(Waiting(path, epoch, done & here.keys(), open_))
    return found


def _read(path: Path) -> tuple[str, int, list[RecordHead]]:
    """Epoch, base and records of a segment: from its seal, else from all of it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        if (seal := seal_of(fd, size)) is not None:
            return seal.epoch, seal.base, heads(seal.entries)
        data = os.pread(fd, size, 0)
    finally:
        os.close(fd)
    header = read_header(data)
    return header.epoch if header else "", header.base if header else 0, read_segment(data).records


def _released(one: Waiting, view: View) -> Rows:
    wanted = outside(one.done, view.counted.get(one.epoch, []))
    if not wanted:
        return view.rows[:0]
    points = points_in(one.path.read_bytes(), one.epoch, wanted, view.refused, view.numbers.series)
    epoch = view.numbers.epoch(one.epoch)
    rows = view.known.counted(tally_of(*points), epoch, one.sequence).rows.copy()
    rows["epoch"] = epoch
    return rows
