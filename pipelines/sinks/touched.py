"""Which hours of which series a body of line protocol touches, as points that say so beside the readings.

A point of `hour_touched` has the tags of its series, `of_measurement`, the start of the hour as its time, and in
`touch` a number that no other write has: kept hours say by it which write they were made after (docs/decisions/0039).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Final

TOUCHED: Final = "hour_touched"
OF: Final = "of_measurement"
"""Tag of a mark: measurement of the series."""
TOUCH: Final = "touch"
HOUR_NS: Final = 3600 * 10**9
_LINES_AT_ONCE: Final = 5000
_LINES: Final = re.compile(
    rb'(?<![^\n])((?!#)(?:[^\s"\\]++|\\.)++) ++(?:[^\s"\\]++|\\.|"(?:[^"\\]++|\\.)*+")++(?: ++(-?\d++))?+', re.DOTALL
)
_PLAIN: Final = 3
"""Parts of a line without quotes and escapes: series, fields, time."""
_BLOCK_DIGITS: Final = 11
"""Digits of a time that tell it from others of its 100 s, of which an hour is 36."""
_BLOCKS: Final = HOUR_NS // 10**_BLOCK_DIGITS
_AROUND_NS: Final = 60 * 10**9
"""A line without a time gets the server's; its clock is this near to ours."""
_FIRST_COMMA: Final = re.compile(rb"(?<!\\),")


def touch_of(now_ns: int) -> int:
    """A number that no other write has, and that is the time of this one to a millisecond."""
    return (now_ns >> 20 << 20) | secrets.randbits(20)


def touched_hours(body: bytes, now_ns: int) -> set[tuple[bytes, int]]:
    """Series, as they are spelled, and hours since 1970 UTC of the lines of a body; none before 1970.

    Args:
        body: line protocol that a store accepted.
        now_ns: when lines without a time were stored.
    """
    found: set[tuple[bytes, int]] = set()
    for series, block in _blocks(body):
        if block is None:
            found |= {(series, (now_ns + around) // HOUR_NS) for around in (-_AROUND_NS, _AROUND_NS)}
        elif not block.startswith(b"-"):
            found.add((series, int(block or b"0") // _BLOCKS))
    return found


def _blocks(body: bytes) -> set[tuple[bytes, bytes | None]]:
    """Series and 100 s of the lines, each once; None = the line has no time."""
    found: set[tuple[bytes, bytes | None]] = set()
    if not any(one in body for one in (b'"', b"\\", b"\r", b"#")):
        parts = [line.split(b" ") for line in body.split(b"\n")]
        found.update((one[0], one[2][:-_BLOCK_DIGITS]) for one in parts if len(one) == _PLAIN)
        body = b"\n".join(b" ".join(one) for one in parts if len(one) != _PLAIN)
    found.update((series, time[:-_BLOCK_DIGITS] if time else None) for series, time in _LINES.findall(body))
    return found


def marks(body: bytes, touch: int, now_ns: int) -> Iterator[bytes]:
    """Bodies of line protocol that mark what a body touches."""
    lines = [_mark(series, hour, touch) for series, hour in sorted(touched_hours(body, now_ns))]
    for first in range(0, len(lines), _LINES_AT_ONCE):
        yield b"\n".join(lines[first : first + _LINES_AT_ONCE])


def _mark(series: bytes, hour: int, touch: int) -> bytes:
    measurement, *tags = _FIRST_COMMA.split(series, maxsplit=1)
    named = b",".join([f"{TOUCHED},{OF}=".encode() + measurement, *tags])
    return named + f" {TOUCH}={touch}i {hour * HOUR_NS}".encode()
