"""Points the store refused for good, kept on disk with the store's reason until somebody decides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipelines.errors import JournalError
from pipelines.journal.segment import sync_folder, write_all
from pipelines.topics import RecordId


class Quarantine:
    """A JSON-lines file, synced entry by entry: `{"record": …, "refused": [{"line": …, "reason": …}, …]}`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "quarantine.jsonl"
        self._seen = {str(entry.get("record")) for entry in self.entries()}

    def put(self, record: RecordId, refused: object) -> None:
        """Keep what was refused of one record; the same record again changes nothing.

        Raises:
            JournalError: it could not be made durable.
        """
        if str(record) in self._seen:
            return
        fresh = not self.path.exists()
        entry = orjson.dumps({"record": str(record), "refused": refused}) + b"\n"
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                size = os.fstat(fd).st_size
                if size and os.pread(fd, 1, size - 1) != b"\n":
                    entry = b"\n" + entry  # what a full disk tore must not take this one along
                write_all(fd, entry, size)
                os.fdatasync(fd)
            finally:
                os.close(fd)
            if fresh:
                sync_folder(self.path.parent)
        except OSError as error:
            raise JournalError(self.path, f"cannot keep a refused point: {error.strerror}") from error
        self._seen.add(str(record))

    def entries(self) -> Iterator[dict[str, Any]]:
        """Everything kept, oldest first; a torn last line is passed over."""
        if not self.path.exists():
            return
        for raw in self.path.read_bytes().splitlines():
            try:
                yield orjson.loads(raw)
            except orjson.JSONDecodeError:
                continue
