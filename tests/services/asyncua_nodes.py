"""The standard address space of asyncua, parsed once per test process: a server then starts in ms instead of 1 s."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path


@cache
def shelf() -> Path:
    """What to give to `Server.init`; the first server writes it."""
    folder = tempfile.TemporaryDirectory(prefix="sf-asyncua-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "nodes"
