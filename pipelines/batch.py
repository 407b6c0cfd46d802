"""Lines that share a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipelines.lines import Lines

RECORD_BYTES: Final = 512 << 10
"""A record is closed at this size; only one piece of lines that is larger makes a larger one."""


def first_record(lines: Sequence[Lines]) -> Sequence[Lines]:
    """The oldest of `lines`, as many as go into one record."""
    size = 0
    for count, one in enumerate(lines):
        if size and size + len(one.body) > RECORD_BYTES:
            return lines[:count]
        size += len(one.body)
    return lines[:]


def body_of(lines: Sequence[Lines]) -> bytes:
    """Their line protocol."""
    return b"".join(one.body for one in lines)


def span_of(lines: Sequence[Lines]) -> tuple[int, int]:
    """Oldest and newest time in them, ns since 1970 UTC."""
    return min(one.span_ns[0] for one in lines), max(one.span_ns[1] for one in lines)
