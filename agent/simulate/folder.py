"""The work folder of a run: one run at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipelines.errors import ConfigError

_LOCK: Final = "run.lock"
"""Holds the process id of the run; the lock itself is the kernel's, and ends with the process."""


@contextmanager
def work_folder(named: Path | None, prefix: str) -> Iterator[Path]:
    """A folder that is this run's alone while the block runs.

    Args:
        named: by the user, made if it is not there; None = one that goes with the run.
        prefix: of the name of such a one.

    Raises:
        ConfigError: it cannot be made, or another run uses it.
    """
    if named is None:
        with tempfile.TemporaryDirectory(prefix=prefix) as made:
            yield Path(made)
        return
    try:
        named.mkdir(parents=True, exist_ok=True)
        lock = os.open(named / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(None, None, f"--work {named}: cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
            reason = f"--work {named}: a run with process id {pid} uses this folder; end it, or name another folder"
            raise ConfigError(None, None, reason) from None
        os.truncate(lock, 0)
        os.write(lock, b"%d\n" % os.getpid())
        yield named
    finally:
        os.close(lock)
