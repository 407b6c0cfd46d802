"""Altered bytes, kept for support in `bad/` beside the segments."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipelines.journal.recovery import reading_around
from pipelines.journal.segment import BLOCK, blocks, on_disk, write_all

_CHUNK: Final = 1 << 20


class BadBytes:
    """A bounded folder; the oldest files go first.

    Args:
        folder: made when it is needed.
        max_bytes: most it holds.

    Attributes:
        disk: bytes of disk the files take.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.disk = 0
        self._max_bytes = max_bytes
        with suppress(OSError):
            self.disk = sum(blocks(path.lstat().st_size) for path in self._files())

    def keep(self, path: Path, damaged: list[tuple[int, int]], room: int) -> None:
        """Copy the bytes of `path` from the first damaged one to the last, or as many as `room` and the bound allow.

        Nothing depends on them: whoever calls passes over errors.

        Raises:
            OSError: they could not be copied.
        """
        if not damaged:
            return
        start = min(offset for offset, _ in damaged)
        size = max(offset + length for offset, length in damaged) - start
        size = min(size, self._max_bytes // BLOCK * BLOCK, room // BLOCK * BLOCK)
        if size <= 0:
            return
        self.folder.mkdir(exist_ok=True)
        self._make_room(blocks(size))
        kept = self.folder / f"{path.stem}-{start:x}.bad"
        with suppress(FileNotFoundError):
            self.disk -= blocks(kept.lstat().st_size)
            kept.unlink()
        self._copy(path, kept, start, size)

    def _copy(self, path: Path, kept: Path, start: int, size: int) -> None:
        source = os.open(path, os.O_RDONLY)
        try:
            target = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                read = reading_around(source)
                for at in range(0, size, _CHUNK):
                    write_all(target, read(start + at, min(_CHUNK, size - at)), at)
            finally:
                self.disk += on_disk(target)
                os.close(target)
        finally:
            os.close(source)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.bad")) if self.folder.is_dir() else []

    def _make_room(self, size: int) -> None:
        files = self._files()
        while files and self.disk + size > self._max_bytes:
            oldest = files.pop(0)
            self.disk -= blocks(oldest.lstat().st_size)
            oldest.unlink()
