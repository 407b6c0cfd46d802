"""The C heap of a process that runs for a year.

glibc gives each thread a heap of its own and, after the first large block that is freed, keeps larger and larger ones
for itself; blocks that live for some minutes leave holes in each of them. With one heap, and large blocks always from
the system (mallopt(3)), two hours of faults leave half the growth.
"""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""Parameters of mallopt as malloc.h of glibc numbers them."""
_LARGE_BYTES: Final = 128 << 10
"""glibc's own first value of both thresholds; to set it keeps it from growing."""


def keep_compact() -> None:
    """To be called before the first thread is started; nothing happens where the C library has no mallopt (musl)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)
