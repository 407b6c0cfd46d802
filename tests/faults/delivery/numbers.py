"""Numbered points and their judge: number n is value n of tag n % TAGS, in the row of time ORIGIN_NS + n // TAGS ms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

TAGS: Final = 10
ORIGIN_NS: Final = 1_700_000_000 * 10**9
ROW_NS: Final = 1_000_000
_FIELD: Final = re.compile(rb"[ ,]t(\d+)=(-?\d+)i")
_GAP: Final = re.compile(rb"[ ,](end|count)=(\d+)i")


def rows_in(body: bytes) -> Iterator[int]:
    """The rows of numbered points in line protocol, in its order; each is whole and as it was taken.

    Raises:
        AssertionError: a point is foreign, altered, missing in its row, or stands there twice.
    """
    for line in body.splitlines():
        if not line.startswith(b"meter,"):
            continue
        head, _, time_ns = line.rpartition(b" ")
        row, rest = divmod(int(time_ns) - ORIGIN_NS, ROW_NS)
        points = [(int(tag), int(value)) for tag, value in _FIELD.findall(head)]
        assert not rest, line
        assert points == [(tag, row * TAGS + tag) for tag in range(TAGS)], line
        yield row


def in_order(rows: Iterable[int]) -> list[int]:
    """The same rows, once it is sure that each comes after the one before.

    Raises:
        AssertionError: one came twice, or too late.
    """
    found = list(rows)
    late = [(one, two) for one, two in pairwise(found) if two <= one]
    assert not late, f"rows out of order: {late[:5]}"
    return found


def gaps_in(body: bytes, cause: str) -> Iterator[tuple[int, int, int]]:
    """(start, end, count) of each gap point of that cause in line protocol, times in ns; count 0: nobody knows."""
    for line in body.splitlines():
        if line.startswith(b"gap,") and b",cause=%b," % cause.encode() in line:
            fields = {name: int(value) for name, value in _GAP.findall(line)}
            yield int(line.rpartition(b" ")[2]), fields[b"end"], fields.get(b"count", 0)
