"""Sums of segments that are left and not finished: the newest in memory, the others beside the ledger."""

from __future__ import annotations

import threading
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pipelines.journal.segment import Segment
from pipelines.journal.stored import Stored
from pipelines.ledger.book import FileNumbers, Numbers
from pipelines.ledger.carried import Carried, Load, Readings
from pipelines.ledger.format import Entry, Head, entries, ranged, runs_of
from pipelines.ledger.tally import Tally, tally_of

_IN_MEMORY: Final = 4
"""Segments whose sums are not written down: in good times they are finished a moment after they were left."""


class Sums:
    """Sums taken from what was carried.

    Args:
        folder: of the ledger.
        numbers: of the ledger.
        room: bytes the files may take; a segment whose sums do not fit is read instead.

    Attributes:
        bytes_used: bytes of the files.
    """

    def __init__(self, folder: Path, numbers: Numbers, room: int) -> None:
        self.bytes_used = 0
        self._room = room
        self._folder = folder
        self._numbers = numbers
        self._carried = Carried(numbers.series, self._left)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._ready: dict[Path, Future[tuple[set[int], Tally]]] = {}
        self._lock = threading.Lock()
        for path in folder.glob("*.tally"):
            self.bytes_used += path.stat().st_size

    def add(self, stored: Stored, readings: tuple[Readings, ...]) -> None:
        """A record was appended, with these readings in it."""
        with self._lock:
            self._carried.add(stored, readings)

    def close(self) -> None:
        """Write down what is in memory, for the next process."""
        with self._lock:
            self._carried.leave()
        self._worker.submit(self._write_down, 0).result()
        self._worker.shutdown()

    def of(self, segment: Segment, counters: AbstractSet[int]) -> Tally | None:
        """Sums of exactly these records of a segment; None when they are not there."""
        path = self._path(segment)
        with self._lock:
            self._carried.leave(segment)
            ready = self._ready.get(path)
        found = ready.result() if ready is not None else self._read(path)
        return found[1] if found is not None and found[0] == counters else None

    def done(self, segment: Segment) -> None:
        """They are in the ledger, or will never be asked for again."""
        path = self._path(segment)
        with self._lock:
            in_memory = self._ready.pop(path, None) is not None
        if not in_memory:
            self._gone(path)

    def _path(self, segment: Segment) -> Path:
        return self._folder / f"{segment.epoch}-{segment.sequence:016x}.tally"

    def _left(self, load: Load) -> None:
        """Called with the lock held."""
        self._ready[self._path(load.segment)] = self._worker.submit(self._sum, load)
        self._worker.submit(self._write_down, _IN_MEMORY)

    def _sum(self, load: Load) -> tuple[set[int], Tally]:
        return set(load.counters), tally_of(*load.points.all())

    def _write_down(self, most: int) -> None:
        while True:
            with self._lock:
                if len(self._ready) <= most:
                    return
                path = next(iter(self._ready))
                ready = self._ready[path]
            if not ready.done():  # its turn comes behind this one in the same thread; each sum is followed by a look
                return
            self._write(path, *ready.result())
            with self._lock:
                if self._ready.pop(path, None) is None:  # finished meanwhile
                    self._gone(path)

    def _gone(self, path: Path) -> None:
        if path.exists():
            self.bytes_used -= path.stat().st_size
            path.unlink()

    def _write(self, path: Path, counters: set[int], tally: Tally) -> None:
        used = {*tally.rows["series"].tolist(), *tally.edges["series"].tolist()}
        epoch = path.stem.partition("-")[0]
        head = Head({number: self._numbers.keys[number] for number in used}, [epoch], {epoch: runs_of(counters)})
        data = Entry(head, tally.rows, tally.edges).packed()
        if self.bytes_used + len(data) > self._room:
            return
        try:
            path.write_bytes(data)
            self.bytes_used += len(data)
        except OSError:  # the segment will be read
            path.unlink(missing_ok=True)

    def _read(self, path: Path) -> tuple[set[int], Tally] | None:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        for entry, _ in entries(data):
            rows, edges = FileNumbers(self._numbers).translated(entry)
            rows["epoch"] = 0  # there is one only
            return ranged(next(iter(entry.head.counted.values()), [])), Tally(rows, edges)
        return None
