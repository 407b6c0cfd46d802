"""The ledger as somebody else reads it, while its agent may be writing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from pipelines.errors import DependencyError
from pipelines.ledger.book import Book, FileNumbers, Numbers
from pipelines.ledger.files import Found
from pipelines.ledger.format import NO_ROWS, Entry, entries
from pipelines.ledger.known import Known
from pipelines.ledger.tally import Rows, Tally, folded

_TRIES: Final = 20


class View(Book):
    """Everything in a ledger's folder at one moment; nothing in it is changed.

    Attributes:
        numbers: of series and epochs.
        rows: dtype `tally.ROW`, each (series, epoch, hour) once.
        known: edges of what is counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers = Numbers()
        self.rows: Rows = NO_ROWS
        self.known = Known()

    @classmethod
    def load(cls, folder: Path) -> View:
        """Read a folder.

        Raises:
            DependencyError: there is no ledger, or it cannot be read.
        """
        try:
            for _ in range(_TRIES):
                try:
                    return cls._load(folder)
                except FileNotFoundError:  # it was folded meanwhile
                    if not folder.is_dir():
                        break
        except OSError as error:
            raise DependencyError(str(folder), f"cannot read the ledger: {error.strerror}") from error
        raise DependencyError(str(folder), "no ledger; name the agent's state folder with --state-dir")

    @classmethod
    def _load(cls, folder: Path) -> View:
        view = cls()
        found = Found.look(folder)
        rows: list[Rows] = []
        for fold in found.folds:
            entry = fold.read()
            if entry is None:
                view.damaged = True
                continue
            some, edges = FileNumbers(view.numbers).translated(entry)
            rows.append(some)
            if fold is found.folds[-1]:
                view.known.restore(edges)
                view.take_in(entry.head)
        for number, path in found.logs:
            rows += view._read_log(path, last=number == found.logs[-1][0])
        if {path for _, path in Found.look(folder).logs} != {path for _, path in found.logs}:
            raise FileNotFoundError
        view.rows = folded(np.concatenate(rows)) if rows else NO_ROWS
        if view.since_hour is not None:
            view.rows = view.rows[view.rows["hour"] >= view.since_hour]
        return view

    def _read_log(self, path: Path, *, last: bool) -> list[Rows]:
        data = path.read_bytes()
        rows: list[Rows] = []
        file, before = FileNumbers(self.numbers), 0
        for entry, end in entries(data):
            some, edges = file.translated(entry)
            self.damaged |= end - before != len(entry.packed())
            before = end
            rows.append(some)
            self._know(entry, Tally(some, edges))
            self.take_in(entry.head)
        self.damaged |= not last and before != len(data)
        return rows

    def _know(self, entry: Entry, tally: Tally) -> None:
        if entry.head.epochs:
            self.known.counted(tally, self.numbers.epoch(entry.head.epochs[0]), 0)
