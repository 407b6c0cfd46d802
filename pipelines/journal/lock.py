"""One process at a time in a journal's folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pipelines.errors import JournalError
from pipelines.journal.segment import sync_folder


def lock_folder(folder: Path) -> int:
    """Make the folder and lock it; the descriptor that holds the lock until it is closed.

    Raises:
        JournalError: another process uses the folder, or it cannot be used.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(folder, f"cannot use the journal's folder: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        msg = "another agent is using this folder; stop it, or give this one its own state folder"
        raise JournalError(folder, msg) from None
    return lock
