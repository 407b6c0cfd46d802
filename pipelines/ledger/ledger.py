"""The ledger: what was released, per series and hour, durable before the journal lets go of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from pipelines.clock import Clock
from pipelines.errors import JournalError
from pipelines.journal.segment import Segment, sync_folder
from pipelines.ledger.book import Book, FileNumbers, Numbers, fold_of
from pipelines.ledger.files import Fold, Found, Log, Reserve, write_fold
from pipelines.ledger.format import NO_EDGES, NO_ROWS, Entry, Head, outside, runs_of
from pipelines.ledger.known import Known
from pipelines.ledger.released import Refused, Released, released
from pipelines.ledger.sums import Sums
from pipelines.ledger.tally import Rows, Tally, folded
from pipelines.topics import RecordId

_LOG_BYTES: Final = 4 << 20
_RESERVE_BYTES: Final = 1 << 20
_FOLD_BYTES: Final = 4 << 20
"""Folds are merged up to this size."""
log = structlog.get_logger()


class Ledger:
    """The ledger of one agent; `finished` and `refused` come from a worker thread each, all else from the event loop.

    Args:
        folder: of its own.
        max_bytes: most that it keeps; beyond, the oldest hours go first.
        clock: days of losses.

    Raises:
        JournalError: the folder cannot be used.

    Attributes:
        sums: of segments that are not finished; told of every record.
    """

    def __init__(self, folder: Path, max_bytes: int, clock: Clock) -> None:
        self.folder = folder
        self._max_bytes = max_bytes - max_bytes // 8
        self._log_bytes = min(_LOG_BYTES, max_bytes // 16)
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = Numbers()
        self._named: set[int] = set()
        self._book = Book()
        self._known = Known()
        self._rows: list[Rows] = []
        self._folds: list[Fold] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._log = self._open()
            self._reserve = Reserve(folder, min(_RESERVE_BYTES, max_bytes // 16))
            self.sums = Sums(folder, self._numbers, max_bytes // 8)
        except OSError as error:
            raise JournalError(folder, f"cannot use the ledger's folder: {error.strerror}") from error

    @property
    def bytes_used(self) -> int:
        """Bytes of its files."""
        return self._kept_bytes + self.sums.bytes_used + self._reserve.bytes_used

    @property
    def _kept_bytes(self) -> int:
        return self._log.size + sum(fold.size for fold in self._folds)

    def refused(self, record: RecordId, lines: Sequence[str] | None, points: int, expired: int = 0) -> None:
        """Lines of a record that the store will never take; to be called before the record is released.

        Args:
            record: they are of.
            lines: as the store named them; None = the whole record.
            points: values in them.
            expired: of these, how many are older than the store keeps.

        Raises:
            JournalError: they could not be made durable.
        """
        with self._lock:
            if str(record) in self._book.refused:
                return
            head = Head(refused={str(record): None if lines is None else list(lines)})
            for cause, count in (("refused", points - expired), ("expired", expired)):
                if count:
                    head.losses.add(cause, self._day(), count)
            try:
                self._append(Entry(head, NO_ROWS, NO_EDGES))
            except OSError as error:
                raise JournalError(self._log.path, f"cannot note a refused point: {error.strerror}") from error

    def finished(self, segment: Segment) -> None:
        """Count what a segment released; what was counted before is not counted again.

        Raises:
            OSError: it is not durable; call again.
        """
        with self._lock:
            already = self._book.counted.get(segment.epoch, [])
            refused = dict(self._book.refused)
            doubted = list(self._book.losses.spans)
        wanted = outside(set(segment.done - segment.lost), already)
        found = self._released(segment, wanted, refused)
        given_up = outside(set(found.given_up), already)
        known = wanted | given_up
        head = Head(epochs=[segment.epoch], counted={segment.epoch: runs_of(known)} if known else {})
        if found.doubtful is not None and found.doubtful not in doubted:
            head.losses.spans.append(found.doubtful)
        if given_up:
            head.losses.add("cap", self._day(), sum(found.given_up[counter] for counter in given_up))
        if known or head.losses.spans:
            with self._lock:
                self._count(found.tally, head, segment.sequence)
                self._keep_small()
        self._reserve.hold()
        self.sums.done(segment)

    def close(self) -> None:
        """Write down what the next process would have to read out of segments."""
        self.sums.close()

    def _released(self, segment: Segment, wanted: set[int], refused: Refused) -> Released:
        """What was carried beside the segment, where that is what was released, else what is in it."""
        whole = not segment.lost and not segment.damaged_bytes and len(wanted) == segment.records
        if whole and not any(name.startswith(segment.epoch) for name in refused):
            tally = self.sums.of(segment, wanted)
            if tally is not None:
                return Released(tally)
        return released(segment, wanted, refused, self._numbers.series)

    def _count(self, tally: Tally, head: Head, sequence: int) -> None:
        tally = self._known.fresh(tally)
        used = {*tally.rows["series"].tolist(), *tally.edges["series"].tolist()}
        head.series = {number: self._numbers.keys[number] for number in sorted(used - self._named)}
        self._append(Entry(head, tally.rows, tally.edges))
        self._known.counted(tally, self._numbers.epoch(head.epochs[0]), sequence)
        self._named |= used
        rows = tally.rows.copy()
        rows["epoch"] = self._numbers.epoch(head.epochs[0])
        self._rows.append(rows)

    def _append(self, entry: Entry) -> None:
        try:
            self._log.append(entry)
        except OSError as error:
            if not self._reserve.give(error):
                raise
            self._log.append(entry)
        self._book.take_in(entry.head)

    def _day(self) -> str:
        return str(np.datetime64(self._clock.now_ns(), "ns").astype("datetime64[D]"))

    def _open(self) -> Log:
        found = Found.look(self.folder)
        for path in found.over:
            path.unlink(missing_ok=True)
        self._folds = found.folds
        if self._folds:
            newest = self._folds[-1].read()
            if newest is None:
                self._book.damaged = True
                log.error("ledger_damaged", path=str(self._folds[-1].path))
            else:
                self._known.restore(FileNumbers(self._numbers).translated(newest)[1])
                self._book.take_in(newest.head)
        folded_to = self._folds[-1].last if self._folds else 0
        written = Log(self.folder, found.logs[-1][0] if found.logs else folded_to + 1)
        file = FileNumbers(self._numbers)
        for entry in written.recover():
            rows, edges = file.translated(entry)
            self._rows.append(rows)
            self._book.take_in(entry.head)
            epoch = self._numbers.epoch(entry.head.epochs[0]) if entry.head.epochs else 0
            self._known.counted(Tally(rows, edges), epoch, 0)
        return written

    def _keep_small(self) -> None:
        """Fold a long log and let the oldest hours go; what fails here is tried with the next segment."""
        try:
            if self._log.size > self._log_bytes:
                self._fold()
            if self._kept_bytes > self._max_bytes:
                self._forget()
        except OSError as error:
            log.warning("ledger_not_folded", folder=str(self.folder), reason=error.strerror)

    def _fold(self) -> None:
        """The log as a fold, merged with the last one as long as that is not much larger."""
        first, last = self._log.number, self._log.number
        rows = folded(np.concatenate(self._rows)) if self._rows else NO_ROWS
        merge: list[Fold] = []
        size = rows.nbytes
        for fold in reversed(self._folds):
            if fold.size > 2 * size or fold.size + size > max(_FOLD_BYTES, self._max_bytes // 8):
                break
            old = fold.read()
            if old is None:
                break
            rows = folded(np.concatenate((FileNumbers(self._numbers).translated(old)[0], rows)))
            first, size = fold.first, rows.nbytes
            merge.append(fold)
        fresh = write_fold(self.folder, first, last, fold_of(rows, self._known.edges(), self._book, self._numbers))
        done = self._log
        self._folds = [fold for fold in self._folds if fold not in merge] + [fresh]
        self._log, self._rows, self._named = Log(self.folder, last + 1), [], set()
        for path in (done.path, *(fold.path for fold in merge)):
            path.unlink(missing_ok=True)
        sync_folder(self.folder)

    def _forget(self) -> None:
        """Let the oldest hours go until three quarters of what is allowed are left."""
        if self._rows:
            self._fold()
        while self._kept_bytes > self._max_bytes * 3 // 4 and len(self._folds) > 1:
            oldest = self._folds[0].read()
            if oldest is not None and len(oldest.rows):
                head = Head(since_hour=int(oldest.rows["hour"].max()) + 1)
                self._append(Entry(head, NO_ROWS, NO_EDGES))
            self._folds.pop(0).path.unlink(missing_ok=True)
        while self._kept_bytes > self._max_bytes and self._shrink(self._folds[0]):
            continue

    def _shrink(self, only: Fold) -> bool:
        """Keep the newer half of the only fold; False when it has no rows left."""
        entry = only.read()
        if entry is None or not len(entry.rows):
            return False
        rows = FileNumbers(self._numbers).translated(entry)[0]
        since = int(np.median(rows["hour"])) + 1
        self._append(Entry(Head(since_hour=since), NO_ROWS, NO_EDGES))
        kept = fold_of(rows[rows["hour"] >= since], self._known.edges(), self._book, self._numbers)
        done = self._log
        self._folds = [write_fold(self.folder, only.first, done.number, kept)]
        self._log, self._named = Log(self.folder, done.number + 1), set()
        for path in (only.path, done.path):
            path.unlink(missing_ok=True)
        return True
