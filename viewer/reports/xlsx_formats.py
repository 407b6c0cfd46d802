"""How cells of a workbook look, and what is in them. Each look is made once for a workbook."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook

from viewer.kpi import words
from viewer.reports.cell import Cell, Day, Language, Missing, Moment, Number, Words, shown, tell
from viewer.words import local

_FONT: Final = "맑은 고딕"
_LOOKS: Final[dict[str, dict[str, Any]]] = {
    "bold": {"bold": True},
    "soft": {"font_color": "#5B6B7A"},
    "fill": {"bg_color": "#E9EFF5"},
    "border": {"border": 1, "border_color": "#C3CCD5"},
    "wrap": {"text_wrap": True},
    "warn": {"bg_color": "#FDF0D5"},
    "missing": {"font_color": "#9A3B2E"},
}


class Formats:
    """The looks of one workbook."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[Any, ...], Format] = {}

    def style(self, *, size: int = 9, align: str = "left", number: str = "", **looks: bool) -> Format:
        """A look.

        Args:
            size: of the letters, points.
            align: left, right or center.
            number: how a number or a moment is written; empty = as text.
            looks: of `_LOOKS`.
        """
        asked = tuple(sorted(name for name, on in looks.items() if on))
        key = (size, align, number, asked)
        if key not in self._made:
            what: dict[str, Any] = {"font_name": _FONT, "font_size": size, "align": align, "valign": "vcenter"}
            for name in asked:
                what |= _LOOKS[name]
            if number:
                what["num_format"] = number
            self._made[key] = self._book.add_format(what)
        return self._made[key]


def typed(cell: Cell, language: Language) -> tuple[float | str | dt.datetime, str]:
    """What is written into a cell, and how it is shown: numbers stay numbers, with unit and badges in their format."""
    match cell:
        case Number(value, decimals, unit, badges):
            digits = "#,##0" + ("." + "0" * decimals if decimals else "")
            behind = _quoted("".join(f" {tell(one, language)}" for one in badges))
            if unit == words.PERCENT:
                return float(Decimal(repr(value)) / 100), f"{digits}%{behind}"
            said = tell(unit, language)
            return value, digits + (_quoted(f" {said}") if said else "") + behind
        case Moment(time_ns):
            return local(time_ns).replace(tzinfo=None, microsecond=0), "yyyy-mm-dd hh:mm:ss"
        case Day(day):
            return dt.datetime(day.year, day.month, day.day), "yyyy-mm-dd"  # noqa: DTZ001 - a day has no zone
        case _:
            return _text(cell, language), ""


def _text(cell: Cell, language: Language) -> str:
    behind = [tell(one, language) for one in cell.badges] if isinstance(cell, Words) else []
    if isinstance(cell, Missing) and cell.why:
        behind = [f"({tell(cell.why, language)})"]
    return " ".join([shown(cell, language), *behind])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "") + '"' if text else ""
