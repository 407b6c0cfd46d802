"""The ledger's folder: a log that grows, folds written once; see `pipelines.ledger.format`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.journal.segment import sync_folder, write_all
from pipelines.ledger.format import Entry, entries


@dataclass(slots=True)
class Fold:
    """A file of rows that were added up: logs `first` to `last`."""

    path: Path
    first: int
    last: int
    size: int

    def read(self) -> Entry | None:
        """What it holds; None when it is damaged.

        Raises:
            OSError: it cannot be read.
        """
        return next((entry for entry, _ in entries(self.path.read_bytes())), None)


@dataclass(slots=True)
class Found:
    """What is in a folder.

    Attributes:
        folds: oldest first, none of which spans another.
        logs: (number, file) of logs that no fold holds, oldest first; one but for a crash.
        over: files left from a crash, which go.
    """

    folds: list[Fold] = field(default_factory=list)
    logs: list[tuple[int, Path]] = field(default_factory=list)
    over: list[Path] = field(default_factory=list)

    @classmethod
    def look(cls, folder: Path) -> Found:
        """Look at a folder without a change to it.

        Raises:
            OSError: it cannot be read.
        """
        found = cls()
        folds, logs = [], []
        for entry in os.scandir(folder):
            path = Path(entry.path)
            numbers = _numbers(path.stem)
            if path.suffix == ".fold" and numbers is not None:
                folds.append(Fold(path, *numbers, entry.stat().st_size))
            elif path.suffix == ".log" and numbers is not None:
                logs.append((numbers[0], path))
            elif path.suffix == ".new":
                found.over.append(path)
        for fold in sorted(folds, key=lambda one: (one.first, -one.last)):
            if found.folds and fold.last <= found.folds[-1].last:
                found.over.append(fold.path)
            else:
                found.folds.append(fold)
        folded = found.folds[-1].last if found.folds else 0
        found.logs = sorted(log for log in logs if log[0] > folded)
        found.over += [path for number, path in logs if number <= folded]
        return found


def _numbers(stem: str) -> tuple[int, int] | None:
    try:
        numbers = [int(part, 16) for part in stem.split("-") if len(part) == 16]  # noqa: PLR2004 - hex digits
    except ValueError:
        return None
    return (numbers[0], numbers[-1]) if numbers else None


def write_fold(folder: Path, first: int, last: int, entry: Entry) -> Fold:
    """A fold, durable when this returns.

    Raises:
        OSError: the disk takes no more.
    """
    path = folder / f"{first:016x}-{last:016x}.fold"
    fresh = path.with_suffix(".new")
    data = entry.packed()
    try:
        write_synced(fresh, data)
        fresh.rename(path)
        sync_folder(folder)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return Fold(path, first, last, len(data))


def write_synced(path: Path, data: bytes) -> None:
    """A file and its bytes, synced; its name is not yet.

    Raises:
        OSError: the disk takes no more.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, data, 0)
        os.fsync(fd)
    finally:
        os.close(fd)


class Reserve:
    """Bytes of disk for the last entry: a full disk gets room only when segments go, and they go when they are counted.

    Args:
        folder: of the ledger.
        size: bytes.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._path = folder / "reserve"
        self._size = size
        self._held = False
        self.hold()

    @property
    def bytes_used(self) -> int:
        """Bytes it takes."""
        return self._size if self._held else 0

    def hold(self) -> None:
        """Take the bytes, when there are any."""
        if self._held:
            return
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(fd, 0, self._size)
                self._held = True
            finally:
                os.close(fd)
        except OSError:
            self._path.unlink(missing_ok=True)

    def give(self, error: OSError) -> bool:
        """Let go of them; False when that does not help against this error."""
        if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not self._held:
            return False
        self._path.unlink(missing_ok=True)
        self._held = False
        return True


class Log:
    """The log that is written.

    Attributes:
        number: of the log.
        size: bytes in it.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.path = folder / f"{number:016x}.log"
        self.size = self.path.stat().st_size if self.path.exists() else 0

    def append(self, entry: Entry) -> None:
        """Write an entry; durable when this returns.

        Raises:
            OSError: it is not in the log.
        """
        data, fresh = entry.packed(), not self.size
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                write_all(fd, data, self.size)
                os.fdatasync(fd)
            except OSError:
                os.ftruncate(fd, self.size)
                raise
        finally:
            os.close(fd)
        if fresh:
            sync_folder(self.path.parent)
        self.size += len(data)

    def recover(self) -> Iterator[Entry]:
        """Entries in it, oldest first; a torn end is cut off.

        Raises:
            OSError: the disk fails.
        """
        if not self.size:
            return
        end = 0
        for entry, end in entries(self.path.read_bytes()):  # noqa: B007 - the last one counts
            yield entry
        if end < self.size:
            os.truncate(self.path, end)
            self.size = end
