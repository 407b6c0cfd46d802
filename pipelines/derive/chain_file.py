"""The hash-chained log on disk: `chain/` in the state folder.

`NNNNNNNNNN.jsonl` holds entries, one a line, and is named by the number of its first one. A file that is full is
followed by another; beyond `MOST_FILES` the oldest is deleted. `head.json` says which entry is the first that is kept
and which was the last that was written for good, so that a missing end or beginning is found. An unfinished last line,
as a power cut leaves it, is cut off when the log is opened to be written: its entry still is among the records.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson

from pipelines.derive.chain import Chain, Entry, Head, Verdict, read_entry, verify
from pipelines.errors import JournalError
from pipelines.journal.segment import sync_folder, write_all
from pipelines.ledger.files import write_synced

FOLDER: Final = "chain"
FILE_BYTES: Final = 4 << 20
"""A file this large is followed by another one; an entry is about 450 bytes."""
MOST_FILES: Final = 16
"""So many files are kept: about 150,000 entries."""
MOST_BYTES: Final = 80 << 20
"""Bound of the folder, with one file more while the oldest goes, and what a write puts behind a file nearly full. It is
no buffer, and does not count under the journal's cap."""
_HEAD: Final = "head.json"


class ChainFile:
    """The log, open to be written; one process at a time.

    Args:
        folder: the state folder.
        file_bytes: size of a full file, bytes.
        most_files: files that are kept.

    Attributes:
        head: the last entry on disk.
        trouble: what is not well with it, in words; empty = nothing.
        behind: whether `head.json` does not say yet what the files hold.
        rotated: number of the last entry that was deleted; 0 = none was.

    Raises:
        JournalError: it cannot be read or written.
    """

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES, most_files: int = MOST_FILES) -> None:
        self._folder = folder / FOLDER
        self._file_bytes = file_bytes
        self._most_files = most_files
        self.trouble = ""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            first, written = _read_head(self._folder)
            self._first = first
            self.head = self._mended(written)
            self.behind = self.head != written
        except OSError as error:
            raise JournalError(self._folder, f"cannot open the log: {error.strerror}") from error

    @property
    def rotated(self) -> int:
        """Number of the last entry that was deleted to make room; 0 = none was."""
        return self._first - 1

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries behind the last one, each once; they are on disk for good when it returns.

        Raises:
            JournalError: the disk takes nothing; the next call begins where this one was, which `head` says.
        """
        new = [one for one in entries if one.seq > self.head.seq]
        if new and new[0].prev != self.head.hash:
            self.trouble = f"{self._folder}: entries after {self.head.seq} are missing; `agent chain verify` says where"
        try:
            if new:
                self._write(new)
                self.head, self.behind = new[-1].head, True
            if self.behind:
                self._note()
        except OSError as error:
            raise JournalError(self._folder, f"cannot write: {error.strerror}") from error

    def _write(self, new: Sequence[Entry]) -> None:
        files = _files(self._folder)
        path = files[-1] if files and files[-1].stat().st_size < self._file_bytes else self._path(new[0].seq)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            try:
                write_all(fd, b"".join(one.line() for one in new), size)
                os.fdatasync(fd)
            except OSError:
                os.ftruncate(fd, size)  # half a line would part this entry from the next
                raise
        finally:
            os.close(fd)

    def _note(self) -> None:
        """Say in `head.json` what the files hold, and only then let the oldest go."""
        files = _files(self._folder)
        if len(files) > self._most_files:
            self._first = int(files[-self._most_files].stem)
        fresh = self._folder / f"{_HEAD}.new"
        write_synced(fresh, orjson.dumps({"first": self._first, "seq": self.head.seq, "hash": self.head.hash}))
        fresh.rename(self._folder / _HEAD)
        sync_folder(self._folder)
        self.behind = False
        for old in files[: -self._most_files]:
            old.unlink()

    def _path(self, seq: int) -> Path:
        return self._folder / f"{seq:010}.jsonl"

    def _mended(self, written: Head) -> Head:
        """The last whole entry, with what is unfinished behind it cut off."""
        for path in reversed(_files(self._folder)):
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with path.open("r+b") as file:
                    file.truncate(whole)
                    os.fsync(file.fileno())
            last = data[data.rfind(b"\n", 0, max(whole - 1, 0)) + 1 : whole]
            if last:
                entry = read_entry(last)
                if entry is None or entry.seq < written.seq:
                    self.trouble = f"{path}: not as it was written; `agent chain verify` says where"
                return written if entry is None or entry.seq < written.seq else entry.head
            path.unlink()  # it was begun and holds no entry
        if written.seq:
            self.trouble = f"{self._folder}: {written.seq} entries were written and are gone"
        return written


def verify_folder(folder: Path, known: Chain | None = None) -> Verdict:
    """Whether the log in a state folder is whole; one that never was begun is.

    Args:
        folder: the state folder.
        known: the chain as the journal beside it remembers it; None = nobody knows.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        first, last = _read_head(folder / FOLDER)
        if known and known.filed.seq > last.seq:
            last = known.filed
        found = verify(_lines(folder / FOLDER, first), first, last)
    except OSError as error:
        raise JournalError(folder / FOLDER, f"cannot read: {error.strerror}") from error
    if known and known.head.seq and not found.entries and not found.torn:
        what = f"no entry is there, and the journal knows of {known.head.seq}: the log was deleted"
        broken = f"{folder / FOLDER}: {what}, unless an agent that was killed writes it at its next start"
        return replace(found, broken=found.broken or broken)
    return found


def _lines(folder: Path, first: int) -> Iterator[tuple[str, bytes]]:
    for path in _files(folder):
        if int(path.stem) < first:  # a power cut came before it was deleted
            continue
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield f"{path}:{number}", line


def _files(folder: Path) -> list[Path]:
    """Its files, oldest first."""
    return sorted(one for one in folder.glob("*.jsonl") if one.stem.isdecimal())


def _read_head(folder: Path) -> tuple[int, Head]:
    """(number of the first entry kept, the last that was written for good).

    Raises:
        JournalError: it is not what was written.
    """
    path = folder / _HEAD
    try:
        said = orjson.loads(path.read_bytes())
        return int(said["first"]), Head(int(said["seq"]), str(said["hash"]))
    except FileNotFoundError:
        return 1, Head()
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise JournalError(path, f"not as it was written: {error}") from error
