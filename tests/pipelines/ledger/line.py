"""A journal and a ledger beside it, without anything in front."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.clock import SystemClock
from pipelines.encode.line import LineEncoder, Series, line
from pipelines.journal.journal import Journal, JournalSettings
from pipelines.journal.stored import Stored
from pipelines.ledger.carried import Names, Readings
from pipelines.ledger.ledger import Ledger
from tests.pipelines.journal.steps import rotate, sync

START_NS = 1_790_000_000_000_000_000
"""Not a full hour: 2026-09-21T13:46:40Z."""
PLACES = [Series("press", (("company", "demo"), ("machine", machine), ("line", ""))) for machine in ("P1", "P2")]
FIELDS = [(place, name) for place in PLACES for name in ("t", "p")]
NAMES = Names(FIELDS)
ENCODER = LineEncoder(FIELDS)


class Line:
    """The state folder of an agent: readings of four tags, a second each, one tag after the other."""

    def __init__(self, folder: Path, *, max_bytes: int = 64 << 20, segment_bytes: int = 64 << 10) -> None:
        self.folder = folder
        self.journal = Journal(
            folder / "journal", JournalSettings(min_free_bytes=0, segment_bytes=segment_bytes, max_bytes=max_bytes)
        )
        self.ledger = Ledger(folder / "ledger", max_bytes // 4, SystemClock())
        self.journal.on_finished = self.ledger.finished
        self.journal.open()
        self.step_ns = 10**9

    def append(self, first: int, n: int = 8, *, carried: bool = True) -> Stored:
        """A record of n readings, one step each."""
        tag = (np.arange(first, first + n) % len(FIELDS)).astype(np.int32)
        time_ns = START_NS + np.arange(first, first + n) * self.step_ns
        value = np.arange(first, first + n) * 1.5
        body = ENCODER.lines([ENCODER.values(tag, time_ns, value)])
        body += line(Series("gap", ()), {"filled": False}, START_NS) + line(FIELDS[0][0], {"t_quality": 0}, START_NS)
        stored = self.journal.append(body, n, (int(time_ns[0]), int(time_ns[-1])), {})
        if carried:
            self.ledger.sums.add(stored, (Readings(NAMES, tag, time_ns, value),))
        return stored

    def commit(self) -> None:
        sync(self.journal)
        rotate(self.journal)

    def fill(self, first: int, n: int, *, carried: bool = True) -> list[Stored]:
        """Records until a segment is full; the ones in it."""
        found = []
        segment = self.journal.segments[-1]
        while self.journal.segments[-1] is segment:
            found.append(self.append(first, n, carried=carried))
            first += n
            self.commit()
        return found

    def close(self) -> None:
        self.ledger.close()
        self.journal.close()
