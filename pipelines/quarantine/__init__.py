"""Points the store refused for good, kept on disk with the store's reason until somebody decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from pipelines.clock import Clock, SystemClock
from pipelines.errors import JournalError, JournalFull
from pipelines.quarantine.shelf import Entry, Shelf
from pipelines.topics import RecordId

_MOST_BYTES: Final = 512 << 20
_ROOM: Final = 128 << 10
"""Bytes that the file may grow by beside an entry: pages of its index, and its companions."""


class Quarantine:
    """What was refused, record by record; the one writer is the agent, from whichever thread.

    Args:
        folder: state folder.
        max_bytes: most that it takes on disk; a quarter of the journal's cap.
        clock: says when something was refused.

    Attributes:
        path: its file.
        records: records in it.
        points: points in them, also those of earlier processes.
        bytes_used: bytes it takes on disk.
        trouble: why it takes nothing; empty when it does.

    Raises:
        JournalError: the file cannot be used.
    """

    def __init__(self, folder: Path, max_bytes: int = _MOST_BYTES, clock: Clock | None = None) -> None:
        self.trouble = ""
        self._max_bytes = max_bytes
        self._clock = clock or SystemClock()
        self._shelf = Shelf(folder, writes=True)
        self.path = self._shelf.path
        self.trouble = self._shelf.shut
        self._count()

    def close(self) -> None:
        """Let go of the file."""
        self._shelf.close()

    def look(self) -> None:
        """Open the file if the disk did not let us before; `trouble` says whether it does now."""
        if not self._shelf.shut:
            return
        with self._shelf.lock:
            try:
                if self._shelf.shut:
                    self._shelf.open()
                self.trouble = self._shelf.shut
                self._count()
            except JournalError as error:
                self.trouble = error.reason

    def put(self, record: RecordId, refused: Sequence[dict[str, Any]]) -> None:
        """Keep what was refused of one record; the same record again changes nothing.

        Args:
            record: its id.
            refused: `line`, `field`, `points` and `reason` of each line.

        Raises:
            JournalFull: there is no room.
            JournalError: it could not be made durable.
        """
        with self._shelf.lock:
            self.look()
            if not self._shelf.knows(str(record)):
                self._add(record, refused)

    def entries(self, records: Sequence[str] | None = None) -> Iterator[Entry]:
        """What is kept, oldest first; of these records only, where some are named."""
        return self._shelf.entries(records)

    def refused(self, record: str) -> list[dict[str, Any]]:
        """The lines of one record with their reasons; empty when it is not kept.

        Raises:
            JournalCorrupt: the bytes on disk are not those that were written.
        """
        return self._shelf.refused(record)

    def remove(self, records: Sequence[str]) -> None:
        """Let records go: they are not kept again, even if the broker brings them once more.

        Raises:
            JournalError: it could not be made durable.
        """
        with self._shelf.lock:
            self._shelf.remove(records)
            self._shelf.shrink()
            self.trouble = ""
            self._count()

    def _add(self, record: RecordId, refused: Sequence[dict[str, Any]]) -> None:
        body = orjson.dumps(refused)
        points = sum(one["points"] for one in refused)
        reason = str(refused[0]["reason"]) if refused else ""
        entry = Entry(str(record), self._clock.now_ns(), points, len(refused), reason)
        try:
            self._make_room(2 * len(body) + _ROOM)
            self._shelf.add(entry, body)
        except JournalError as error:
            self.trouble = error.reason
            raise
        self.trouble = ""
        self._count()

    def _make_room(self, size: int) -> None:
        if self.bytes_used + size > self._max_bytes:
            self._shelf.shrink()
            self._count()
        if self.bytes_used + size > self._max_bytes:
            reason = (
                f"the quarantine is full: no room for {size} bytes beside {self.bytes_used} of {self._max_bytes}; "
                "refused records stay in the journal until `agent quarantine retry`, or `export` and `drop`, make room"
            )
            raise JournalFull(self.path, reason)

    def _count(self) -> None:
        self.records, self.points = self._shelf.totals()
        self.bytes_used = self._shelf.bytes_used


def kept(
    folder: Path, records: Sequence[str] | None = None, *, lines: bool = True
) -> Iterator[tuple[Entry, list[dict[str, Any]]]]:
    """What the quarantine of a state folder holds, oldest first, with its lines; also while its agent runs.

    Args:
        folder: state folder.
        records: these only, where some are named.
        lines: whether the lines are wanted too; else they are left out.

    Raises:
        JournalError: the file cannot be read.
    """
    shelf = Shelf(folder, writes=False)
    try:
        for entry in shelf.entries(records):
            try:
                found = shelf.refused(entry.record) if lines else []
            except JournalError as error:  # this one cannot be read
                yield replace(entry, reason=error.reason), []
            else:
                yield entry, found
    finally:
        shelf.close()
