"""Writes a recording (`simulators.replay.recording` specifies the file): on disk once a second, whole frames only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Any, Final

import orjson

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME_BYTES: Final = 256 * 1024
"""Content from which on a frame is written."""
_OPTIONS: Final[dict[int, int]] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}


class Writer:
    """One file, made anew.

    Attributes:
        path: where it is.
        bytes_written: size of the file.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] = path.open("xb", buffering=0)
        self._lines: list[bytes] = []
        self._waiting = 0
        self.bytes_written = 0

    def write(self, kind: str, **fields: Any) -> None:
        """Add a line.

        Raises:
            OSError: the disk takes nothing.
        """
        line = orjson.dumps({"k": kind, **fields}, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting >= FRAME_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a frame.

        Raises:
            OSError: the disk takes nothing.
        """
        if self._lines:
            frame = memoryview(zstd.compress(b"".join(self._lines), options=_OPTIONS))
            self._lines.clear()
            self._waiting = 0
            while frame:
                written = self._file.write(frame)
                self.bytes_written += written
                frame = frame[written:]

    def sync(self) -> None:
        """Wait until everything that was flushed is on disk.

        Raises:
            OSError: it is not.
        """
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Write the rest and close.

        Raises:
            OSError: the disk takes nothing.
        """
        try:
            self.flush()
            self.sync()
        finally:
            self._file.close()
