"""A journal that a collector left, copies of it with something wrong, and what a start makes of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.journal.journal import Journal, JournalSettings
from tests.faults.delivery.feeder import waiting
from tests.faults.delivery.feeding import Feeding
from tests.faults.delivery.numbers import rows_in

SETTINGS = {"segment_bytes": 64 << 10, "max_bytes": 64 << 20}


@dataclass(frozen=True)
class Place:
    """A record, where it lies, and the rows in it."""

    path: Path
    start: int
    end: int
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """What a start found.

    Attributes:
        rows: in the order they would be sent.
        opened_s: seconds to an open journal.
        counted: whether damage was seen: bytes counted at the start, or a record that is not sent.
        places: the records, files by name.
    """

    rows: list[int]
    opened_s: float
    counted: bool
    places: list[Place]


def left_by_a_collector(fed: Feeding, *, rows: int, most: int) -> Path:
    """The journal of a collector that was killed; each delivery is a record of its own. Nothing was confirmed."""
    feeder = fed.start(rows=rows, most=most, commit_each=True, journal=SETTINGS)
    feeder.until(lambda: len(feeder.windows_ms) == most, 120)
    feeder.kill()
    assert len(fed.accepted) == rows * most
    return fed.state_dir / "journal"


def start(folder: Path) -> Found:
    """Open a journal, see what it would send, and close it.

    Raises:
        AssertionError: something altered or foreign would be sent.
    """
    journal = Journal(folder, JournalSettings.model_validate({"min_free_bytes": 0, **SETTINGS}))
    started_s = time.monotonic()
    journal.open()
    opened_s = time.monotonic() - started_s
    places, counted = [], bool(journal.damaged_bytes)
    for stored, payload in waiting(journal):
        end = stored.offset + stored.size
        places.append(Place(stored.segment.path, stored.offset, end, tuple(rows_in(payload or b""))))
        counted |= payload is None
    journal.close()
    return Found([row for place in places for row in place.rows], opened_s, counted, places)


def start_of_copy(folder: Path, copy: Path, harm: Callable[[Path], None]) -> Found:
    """The same for a copy with something wrong."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    harm(copy)
    return start(copy)
