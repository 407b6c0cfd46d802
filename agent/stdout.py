"""The standard output of this process: what cannot be written ends the command with one line, not with a traceback."""

from __future__ import annotations

import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, Final

from pipelines.errors import DependencyError

_FD: Final = 1


class _Stdout(FileIO):
    """Writes to file descriptor 1."""

    def write(self, data: Any) -> int:
        """As a file does.

        Raises:
            BrokenPipeError: nobody reads it any more, as after `| head`.
            DependencyError: it takes nothing, as a full disk.
        """
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise DependencyError("stdout", f"cannot write the result: {error.strerror}") from error


def open_stdout() -> None:
    """Have `sys.stdout` raise errors of ours; text that its encoding does not know, such as Korean, is escaped."""
    if sys.stdout is None:  # closed by who started us: a name for it that takes nothing
        os.dup2(os.open(os.devnull, os.O_RDONLY), _FD)
    encoding = getattr(sys.stdout, "encoding", None)
    raw = _Stdout(_FD, "w", closefd=False)
    sys.stdout = TextIOWrapper(
        BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=raw.isatty()
    )


def give_up_stdout() -> None:
    """What was not written is forgotten, so that the end of the process does not try once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _FD)
