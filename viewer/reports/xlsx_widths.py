"""How wide the columns of a sheet are, so that an upright A4 page can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from viewer.reports.cell import Cell, Language, Moment, Number, Words, shown, tell
from viewer.reports.model import Facts, Section, Table

LETTERS: Final = 1.15
"""Letters of our size that fit into one unit of width."""
_NARROW: Final = 8.0
_WIDE: Final = 34.0
_PAGE: Final = 118.0
"""Units across an upright A4 page that can still be read."""
_ROOM: Final = 2.0
_HANGUL: Final = 0x1100
"""From here on letters are twice as wide."""


def length(text: str) -> int:
    """Letters that a text is wide; Korean ones are two."""
    return sum(2 if ord(letter) >= _HANGUL else 1 for letter in text)


def widths(section: Section, language: Language) -> list[float]:
    """Widths of the columns: numbers whole, texts broken as far as the page asks for it."""
    count = max([2, *(len(one.columns) for one in section.blocks if isinstance(one, Table))])
    wanted, least = [_NARROW] * count, [_NARROW] * count
    for column, cell in _cells(section):
        badges = cell.badges if isinstance(cell, Number) else ()
        need = length(" ".join([shown(cell, language), *(tell(one, language) for one in badges)])) / LETTERS + _ROOM
        wanted[column] = max(wanted[column], min(_WIDE, need))
        if isinstance(cell, Number | Moment):
            least[column] = max(least[column], need)
    limit = _WIDE
    while limit > _NARROW and sum(map(min, wanted, [limit] * count)) > _PAGE:
        limit -= 1
    return [max(low, min(one, limit)) for low, one in zip(least, wanted, strict=True)]


def _cells(section: Section) -> Iterator[tuple[int, Cell]]:
    """Cells that ask for room, with their columns; a text beside a name has the rest of the sheet."""
    for block in section.blocks:
        if isinstance(block, Table):
            for row in block.rows:
                yield from enumerate(row)
        elif isinstance(block, Facts):
            for name, value in block.rows:
                yield 0, Words(name)
                if isinstance(value, Number | Moment):
                    yield 1, value
