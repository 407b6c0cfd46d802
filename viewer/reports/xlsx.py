"""A report as a workbook: a sheet for each section, numbers as numbers, set up for A4."""

from __future__ import annotations

import io
import math
from typing import Any, Final

import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from viewer.reports.cell import TO_WRITE, Blank, Cell, Language, Missing, Words, tell
from viewer.reports.model import Bars, Block, Facts, Paragraph, Report, Section, Signatures, Table
from viewer.reports.plain import COMPANY, GENERATED, PERIOD, generated_text, period_text
from viewer.reports.xlsx_formats import Formats, typed
from viewer.reports.xlsx_widths import LETTERS, length, widths
from viewer.words import local

_A4: Final = 9
_HEADER_ROWS: Final = 3
_LINE: Final = 13.0
"""Height of a line, points."""
_PEN: Final = 22
"""Height of a row to write into, points."""
_SIGNED: Final = 42.0
_OPTIONS: Final = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
"""What a device or a person called something is text, also in cells that are merged."""


def xlsx(report: Report, language: Language = "ko") -> bytes:
    """The file; the same report gives the same bytes."""
    held = io.BytesIO()
    made = local(report.generated_ns).replace(tzinfo=None, microsecond=0)
    with xlsxwriter.Workbook(held, _OPTIONS) as book:
        book.set_properties(
            {"title": tell(report.title, language), "company": report.company, "author": "", "created": made}
        )
        formats = Formats(book)
        for section in report.sections:
            _Sheet(book, formats, report, section, language).write()
    return held.getvalue()


class _Sheet:
    """One sheet being written from top to bottom."""

    def __init__(self, book: Workbook, formats: Formats, report: Report, section: Section, language: Language) -> None:
        self._sheet: Worksheet = book.add_worksheet(section.sheet)
        self._formats = formats
        self._report = report
        self._section = section
        self._language: Language = language
        self._row = 0
        tables = [one for one in section.blocks if isinstance(one, Table)]
        self._single = len(tables) == 1 and not any(isinstance(one, Facts) for one in section.blocks)
        self._widths = widths(section, language)
        self._last = len(self._widths) - 1

    def write(self) -> None:
        """Title, blocks, then how it prints."""
        self._set_up()
        report, language = self._report, self._language
        title = f"{tell(report.title, language)} — {tell(self._section.title, language)}"
        self._across(title, self._formats.style(bold=True, size=14), 24)
        self._across(
            f"{tell(COMPANY, language)} {report.company} · {tell(PERIOD, language)} {period_text(report)}"
            f" · {tell(GENERATED, language)} {generated_text(report)}",
            self._formats.style(soft=True),
        )
        self._row += 1
        if not self._single:
            self._sheet.freeze_panes(_HEADER_ROWS, 0)
            self._sheet.repeat_rows(0, _HEADER_ROWS - 1)
        for block in self._section.blocks:
            self._block(block)

    def _set_up(self) -> None:
        sheet = self._sheet
        for column, width in enumerate(self._widths):
            sheet.set_column(column, column, width)
        sheet.hide_gridlines(2)
        sheet.set_portrait()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(0.5, 0.5, 0.6, 0.7)
        sheet.set_footer(f"&L&8 {_plain(self._report.company)}&C&8 &P / &N&R&8 {generated_text(self._report)}")

    def _block(self, block: Block) -> None:
        match block:
            case Table():
                self._table(block)
            case Facts(title, rows):
                self._heading(tell(title, self._language))
                for name, value in rows:
                    self._sheet.write_string(
                        self._row, 0, tell(name, self._language), self._formats.style(fill=True, border=True)
                    )
                    self._fact(value)
                    self._row += 1
            case Paragraph(text, warning):
                style = self._formats.style(wrap=True, warn=warning)
                self._across(tell(text, self._language), style)
            case Signatures(roles):
                for column, role in enumerate(roles):
                    style = self._formats.style(border=True, fill=True, align="center")
                    self._sheet.write_string(self._row, column, tell(role, self._language), style)
                    self._sheet.write_blank(self._row + 1, column, None, self._formats.style(border=True))
                self._sheet.set_row(self._row + 1, _SIGNED)
                self._row += 2
            case Bars():  # its numbers stand in a table; a spreadsheet draws them itself
                return
        self._row += 1

    def _table(self, table: Table) -> None:
        language = self._language
        self._heading(tell(table.title, language))
        head = self._formats.style(bold=True, wrap=True, fill=True, border=True, align="center")
        for column, one in enumerate(table.columns):
            self._sheet.write_string(self._row, column, tell(one.head, language), head)
        if self._single:
            self._sheet.freeze_panes(self._row + 1, 0)
            self._sheet.repeat_rows(self._row)
        self._row += 1
        for row in table.rows:
            for column, (cell, one) in enumerate(zip(row, table.columns, strict=True)):
                self._cell(self._row, column, cell, one.align)
            height = _LINE * max(map(self._lines, row, range(len(row))))
            self._sheet.set_row(self._row, max(height, _PEN) if TO_WRITE in row else height)
            self._row += 1
        if not table.rows:
            self._across(tell(table.empty, language), self._formats.style(soft=True))
        for number, note in enumerate(table.notes, 1):
            self._across(f"{number}) {tell(note, language)}", self._formats.style(soft=True, wrap=True))

    def _fact(self, cell: Cell) -> None:
        """What a name stands for; a text has the rest of the width."""
        if isinstance(cell, Words | Missing | Blank) and self._last > 1:
            value, _ = typed(cell, self._language)
            style = self._formats.style(border=True, wrap=True, missing=isinstance(cell, Missing))
            self._sheet.merge_range(self._row, 1, self._row, self._last, value, style)
            room = sum(self._widths[1:]) * LETTERS
            height = _LINE * (math.ceil(length(str(value)) / room) or 1) + 2
            self._sheet.set_row(self._row, max(height, _PEN) if cell == TO_WRITE else height)
        else:
            self._cell(self._row, 1, cell, "left")

    def _lines(self, cell: Cell, column: int) -> int:
        """Lines that a cell takes in its column; not every program finds that out by itself."""
        value, _ = typed(cell, self._language)
        return math.ceil(length(value) / (self._widths[column] * LETTERS)) or 1 if isinstance(value, str) else 1

    def _heading(self, text: str) -> None:
        self._across(text, self._formats.style(bold=True, size=11))

    def _cell(self, row: int, column: int, cell: Cell, align: str) -> None:
        value, form = typed(cell, self._language)
        lacks = isinstance(cell, Missing)
        wrap = lacks or isinstance(cell, Words)
        style = self._formats.style(border=True, wrap=wrap, align=align, number=form, missing=lacks)
        if not value and isinstance(value, str):
            self._sheet.write_blank(row, column, None, style)
        elif isinstance(value, str):
            self._sheet.write_string(row, column, value, style)
        elif isinstance(value, float):
            self._sheet.write_number(row, column, value, style)
        else:
            self._sheet.write_datetime(row, column, value, style)

    def _across(self, text: str, style: Any, height: float | None = None) -> None:
        """A text over the whole width; a merged row does not grow by itself."""
        lines = math.ceil(length(text) / max(1.0, sum(self._widths) * LETTERS)) or 1
        if self._last:
            self._sheet.merge_range(self._row, 0, self._row, self._last, text, style)
        else:
            self._sheet.write_string(self._row, 0, text, style)
        self._sheet.set_row(self._row, height or _LINE * lines)
        self._row += 1


def _plain(text: str) -> str:
    """A text that a header or footer does not take for a command."""
    return text.replace("&", "&&")
