"""What each column is: a tag's name, type, unit and labels, from its heading, its cells and the map. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from agent.imports.cells import Cells
from agent.imports.kamp import SOURCE, known
from agent.imports.settings import ColumnSettings
from agent.tags.names import tag_names
from pipelines.settings import Labels, Range

COUNT: Final = "shot_count"
TAKEN: Final = ("t_ns", "row", "file_row", COUNT)
"""Names that a history itself has."""
NUMBERS: Final = ("number", "integer")
_MOSTLY: Final = 0.9
_MOST_BYTES: Final = 4096
"""Longest text of a node that is read (`max_bytes`)."""
_INT32: Final = 2**31 - 1
_EXACT: Final = 2**53
_UNIT: Final = re.compile(
    r"(.*?)\s*[(\[]\s*(℃|°C|%|[kMm]?Pa|m?bar|[cmµu㎛]?m|㎜|㎝|m?s|sec|초|min|분|h|rpm|[kM]?N|ton|k?g|m?A|m?V|k?VA|[km]?Wh?"
    r"|k?Hz|L/min|㎥/h|m3/h|mm/s|m/s|m/min|1/min|spm|EA|개|ppm)\s*[)\]]",
    re.IGNORECASE,
)
_UNITS: Final = {
    "°C": "℃",
    "sec": "s",
    "초": "s",
    "분": "min",
    "um": "µm",
    "㎛": "µm",
    "㎜": "mm",
    "㎝": "cm",
    "개": "EA",
}
_HANGUL: Final = re.compile(r"[가-힣]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that becomes a tag.

    Attributes:
        kind: `number`, `integer` (32 bits), `bool` or `text`.
        known: whether the table of known columns has it.
        source: where it comes from, for people.
        notes: what is worth knowing of it.
    """

    heading: str
    name: str
    kind: str
    unit: str
    range: Range | None
    label: Labels
    known: bool
    source: str
    cells: Cells
    notes: tuple[str, ...]


def columns_of(cells: Mapping[str, Cells], said: Mapping[str, ColumnSettings]) -> tuple[list[Column], list[str]]:
    """Columns in the order of the file, and a note on each that is left out.

    Args:
        cells: heading → its cells.
        said: heading → what a person says of it.
    """
    notes, found = [], []
    for heading, one in cells.items():
        column = _column(heading, said.get(heading, ColumnSettings()), one)
        if not one.filled:
            notes.append(f"{heading}: every cell is empty; left out")
        elif column.kind == "text" and one.longest > _MOST_BYTES:
            notes.append(f"{heading}: holds a text of {one.longest} bytes, more than {_MOST_BYTES}; left out")
        else:
            found.append(column)
    paths = [one.name or _split(one.heading)[0].replace("/", "_") for one in found]
    names = tag_names([*TAKEN, *paths])[len(TAKEN) :]
    return [replace(one, name=name) for one, name in zip(found, names, strict=True)], notes


def _column(heading: str, said: ColumnSettings, cells: Cells) -> Column:
    plain, unit = _split(heading)
    limits: Range | None = None
    label = Labels(ko=plain, en="" if _HANGUL.search(plain) else plain)
    one = known(heading)
    kind = said.kind or _kind(one.kind if one else "", cells)
    notes = [] if one or said.name else ["unknown column: name and type come from the file"]
    if one:
        unit, label = one.unit, Labels(ko=one.ko, en=one.en)
        limits = Range(low=one.range[0], high=one.range[1]) if one.range else None
        if limits and kind in NUMBERS and not limits.low <= cells.low <= cells.high <= limits.high:
            values = f"{cells.low:g} to {cells.high:g}"
            notes.append(f"holds {values}, and {limits.low:g} to {limits.high:g} {unit} is known: no unit, no range")
            limits, unit = None, ""
    odd = cells.filled - cells.numbers if kind in NUMBERS else 0
    if odd:
        notes.append(f"cells that are no number, and so bad: {odd}, such as {cells.odd[:40]!r}")
    elif one and one.kind == "number" and kind == "text":
        notes.append("known as a number, and most cells are none: taken as text")
    if cells.constant and kind in NUMBERS:
        notes.append(f"always {cells.low:g}: is it connected?")
    return Column(
        heading,
        said.name or (one.tag if one else ""),
        kind,
        unit if said.engineering_unit is None else said.engineering_unit,
        (said.range or limits) if kind in NUMBERS else None,
        said.label or label,
        one is not None,
        f"{SOURCE}, {one.heading}" if one else f"column {heading}",
        cells,
        tuple(notes),
    )


def _kind(known_as: str, cells: Cells) -> str:
    """The type by the cells, and by what the table has of a known column: most of its cells must agree."""
    if cells.bools == cells.filled or (known_as == "pass" and cells.answers == cells.filled):
        return "bool"
    if known_as == "number":
        return "number" if cells.numbers * 2 >= cells.filled else "text"
    most = max(-cells.low, cells.high)
    exact = cells.broken or most < _EXACT
    if known_as == "text" or cells.coded or not exact or cells.numbers < _MOSTLY * cells.filled:
        return "text"
    return "number" if cells.broken or most > _INT32 else "integer"


def _split(heading: str) -> tuple[str, str]:
    """A heading without the unit in brackets behind it, and the unit."""
    match = _UNIT.fullmatch(heading)
    return (match[1], _UNITS.get(match[2], match[2])) if match and match[1] else (heading, "")
