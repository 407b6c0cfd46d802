"""What of a report cannot be found in its drawings: every cell, heading and remark should be, word for word."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator

import openpyxl
from pypdf import PdfReader

from viewer.reports.cell import Cell, Language, Number, shown, tell
from viewer.reports.model import Facts, Paragraph, Report, Signatures, Table
from viewer.reports.page import page
from viewer.reports.pdf import pdf
from viewer.reports.xlsx import xlsx
from viewer.reports.xlsx_formats import typed

_BETWEEN = "\u200b\u00ad"
"""Signs without a width, where a long path may be broken."""


def cells(report: Report) -> Iterator[Cell]:
    """Every cell of its tables and facts."""
    for block in (block for section in report.sections for block in section.blocks):
        if isinstance(block, Table):
            yield from (cell for row in block.rows for cell in row)
        elif isinstance(block, Facts):
            yield from (cell for _, cell in block.rows)


def texts(report: Report, language: Language) -> Iterator[str]:
    """Every text that a reader sees, but for pictures."""
    yield tell(report.title, language)
    yield report.company
    for section in report.sections:
        yield tell(section.title, language)
        for block in section.blocks:
            match block:
                case Table():
                    yield tell(block.title, language)
                    yield from (tell(one.head, language) for one in block.columns if block.rows)
                    yield from (tell(one, language) for one in block.notes)
                    yield from () if block.rows else (tell(block.empty, language),)
                case Facts():
                    yield from (tell(name, language) for name, _ in block.rows)
                case Paragraph():
                    yield tell(block.text, language)
                case Signatures():
                    yield from (tell(role, language) for role in block.roles)
    yield from (shown(cell, language) for cell in cells(report))


def lacking_in_pdf(report: Report, language: Language = "ko") -> list[str]:
    """Texts that cannot be read out of its PDF."""
    found = _bare("".join(one.extract_text() for one in PdfReader(io.BytesIO(pdf(report, language))).pages))
    return [text for text in texts(report, language) if _bare(text) not in found]


def lacking_on_page(report: Report, language: Language = "ko") -> list[str]:
    """Texts that its page does not show."""
    found = _bare(html.unescape(re.sub(r"<[^>]+>", "", page(report, language))))
    return [text for text in texts(report, language) if _bare(text) not in found]


def lacking_in_workbook(report: Report, language: Language = "ko") -> list[str]:
    """Numbers that are no numbers in its workbook, and texts that are not in it."""
    book = openpyxl.load_workbook(io.BytesIO(xlsx(report, language)))
    held = [one.value for sheet in book for row in sheet.iter_rows() for one in row if one.value is not None]
    numbers = {round(one, 9) for one in held if isinstance(one, int | float)}
    words = _bare("\n".join(str(one) for one in held))
    lacking = []
    for cell in cells(report):
        value, _ = typed(cell, language)
        if isinstance(cell, Number):
            lacking += [] if round(float(str(value)), 9) in numbers else [shown(cell, language)]
        elif isinstance(value, str) and _bare(value) not in words:
            lacking.append(value)
    return lacking


def _bare(text: str) -> str:
    """Without white space and signs of no width."""
    return "".join(text.translate(dict.fromkeys(map(ord, _BETWEEN))).split())
