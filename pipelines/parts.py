"""Rows of a tag table for the parts of structured values: elements of an array, fields of a structure, a text."""

from __future__ import annotations

from typing import Final

MOST_PER_TAG: Final = 1024
"""Parts one tag may have; what goes beyond is refused by the connector, with a status that says so."""


class Parts:
    """Rows behind the configured tags, numbered as they are first met.

    It lives as long as the process and outlives its connection's links, so that a row means the same to each of them.

    Args:
        tags: number of configured tags; the first part gets this number.
    """

    def __init__(self, tags: int) -> None:
        self._first = tags
        self._rows: dict[tuple[int, str], int] = {}
        self._parts: list[tuple[int, str]] = []
        self._count: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of parts."""
        return len(self._parts)

    def row(self, tag: int, suffix: str) -> int | None:
        """Row of the part of `tag` whose field name ends in `suffix`, for example `_3` or `_speed`; new when unknown.

        Returns:
            The row; None when the tag has `MOST_PER_TAG` others already.
        """
        known = self._rows.get((tag, suffix))
        if known is not None:
            return known
        count = self._count.get(tag, 0)
        if count >= MOST_PER_TAG:
            return None
        self._count[tag] = count + 1
        row = self._rows[tag, suffix] = self._first + len(self._parts)
        self._parts.append((tag, suffix))
        return row

    def since(self, known: int) -> list[tuple[int, str]]:
        """(tag, suffix) of the parts behind the first `known` ones, in row order."""
        return self._parts[known:]
