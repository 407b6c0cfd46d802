"""A schematic map: a tile for each 시·군 of 경북 and 전남, about where it lies. Own drawing, no outside map. Pure.

Neighbours of a tile are mostly neighbours of the place; sizes and coasts mean nothing. 군위군 belongs to 대구.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

_MAPS: Final = {
    "경상북도": (
        ("", "", "영주시", "봉화군", "울진군", "울릉군"),
        ("", "문경시", "예천군", "안동시", "영양군"),
        ("", "상주시", "의성군", "청송군", "영덕군"),
        ("김천시", "구미시", "칠곡군", "영천시", "포항시"),
        ("성주군", "고령군", "경산시", "청도군", "경주시"),
    ),
    "전라남도": (
        ("", "영광군", "장성군", "담양군", "곡성군", "구례군"),
        ("", "함평군", "나주시", "화순군", "순천시", "광양시"),
        ("신안군", "무안군", "영암군", "장흥군", "보성군", "여수시"),
        ("", "목포시", "강진군", "", "고흥군"),
        ("진도군", "해남군", "완도군"),
    ),
}
"""Rows from north to south, columns from west to east; empty = nothing there."""
PROVINCES: Final = tuple(_MAPS)
_SIDE: Final = 72
_ROOM: Final = 4


@dataclass(frozen=True, slots=True)
class Tile:
    """What is said of one town.

    Attributes:
        kind: of the style sheet: `good`, `fair`, `poor`; `few` = too few companies to say, `none` = no company.
        text: below the name, such as `92.3 %`.
        count: what is said of how many companies there are.
    """

    kind: str
    text: str
    count: str


NOTHING: Final = Tile("none", "–", "")


def town_of(text: str) -> str:
    """The town of the map that somebody meant, such as 포항시 by 포항 or 포항시 남구; empty = none of it."""
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return next((name for name in TOWNS if first in {name, name[:-1]}), "")


TOWNS: Final = tuple(name for rows in _MAPS.values() for row in rows for name in row if name)


def draw_tiles(province: str, said: Mapping[str, Tile], label: str, link: Callable[[str], str]) -> Markup:
    """A map in SVG.

    Args:
        province: one of `PROVINCES`.
        said: of each town; of one that is missing there is no company.
        label: what the picture is, for people who cannot see it.
        link: where the tile of a town leads.
    """
    rows = _MAPS[province]
    width, height = max(map(len, rows)) * _SIDE, len(rows) * _SIDE
    parts = [
        _tile(name, said.get(name, NOTHING), column * _SIDE, line * _SIDE, link)
        for line, row in enumerate(rows)
        for column, name in enumerate(row)
        if name
    ]
    return Markup(  # noqa: S704 - every text in it is escaped
        f'<svg class="tiles" viewBox="-1 -1 {width} {height}" role="group" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _tile(name: str, tile: Tile, left: int, top: int, link: Callable[[str], str]) -> str:
    side, middle = _SIDE - _ROOM, left + (_SIDE - _ROOM) / 2
    drawn = (
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" rx="8"/>'
        f'<text x="{middle:g}" y="{top + 24}">{escape(name)}</text>'
        f'<text class="much" x="{middle:g}" y="{top + 43}">{escape(tile.text)}</text>'
        f'<text class="many" x="{middle:g}" y="{top + 59}">{escape(tile.count)}</text>'
    )
    if tile.kind == "none":
        return f'<g class="tile none">{drawn}</g>'
    return f'<a class="tile {tile.kind}" href="{escape(link(name))}">{drawn}</a>'


@dataclass(frozen=True, slots=True)
class Drawn:
    """One row of a box plot: a name, and five numbers of 0 to 1 from left to right."""

    name: str
    at: Sequence[float]


def draw_box(one: Drawn) -> Markup:
    """Least, quarter, median, quarter and greatest as a picture; what they are is in the table beside it."""
    low, first, middle, third, high = (4 + 232 * min(1.0, max(0.0, part)) for part in one.at)
    return Markup(  # noqa: S704 - numbers, and an escaped name
        f'<svg class="box-plot" viewBox="0 0 240 22" role="img" aria-label="{escape(one.name)}">'
        f'<path class="axis" d="M4 11H236"/><path class="whisker" d="M{low:.1f} 11H{high:.1f}M{low:.1f} 6V16'
        f'M{high:.1f} 6V16"/><rect x="{first:.1f}" y="4" width="{max(1.0, third - first):.1f}" height="14"/>'
        f'<path class="median" d="M{middle:.1f} 3V19"/></svg>'
    )
