"""A report in one language as plain lists and texts, from which pages and PDFs are set."""

from __future__ import annotations

from typing import Any, Final

from viewer.kpi.words import Text
from viewer.reports.bars import draw
from viewer.reports.cell import Cell, Language, Missing, Number, Words, shown, tell
from viewer.reports.model import Bars, Block, Facts, Paragraph, Report, Signatures, Table
from viewer.words import local

PERIOD: Final = Text("기간", "Period")
GENERATED: Final = Text("기준일시", "As of")
COMPANY: Final = Text("기업명", "Company")
NOTE: Final = Text("각주 ", "Note ")
"""Before the number of a footnote; 주 alone was read as a week."""


def period_text(report: Report) -> str:
    """The period of a report in KST; its end does not belong to it."""
    start, end = (f"{local(at):%Y-%m-%d %H:%M}" for at in report.period)
    return f"{start} – {end} KST"


def generated_text(report: Report) -> str:
    """When a report was made."""
    return f"{local(report.generated_ns):%Y-%m-%d %H:%M:%S} KST"


def cell_of(cell: Cell, language: Language) -> dict[str, Any]:
    """`text`, `kind`, `badges`, and `why` where nothing was collected."""
    badges = [tell(one, language) for one in cell.badges] if isinstance(cell, Number | Words) else []
    text = shown(cell, language)
    if isinstance(cell, Words) and cell.note:
        text = f"{tell(NOTE, language)}{cell.note}"
    why = tell(cell.why, language) if isinstance(cell, Missing) and cell.why else ""
    return {"text": text, "kind": type(cell).__name__.lower(), "badges": badges, "why": why}


def plain(report: Report, language: Language) -> dict[str, Any]:
    """The whole report: `title`, `facts`, `sections` of `title` and `blocks`, each with a `kind`."""
    return {
        "language": language,
        "title": tell(report.title, language),
        "company": report.company,
        "period": period_text(report),
        "generated": generated_text(report),
        "labels": {"period": tell(PERIOD, language), "generated": tell(GENERATED, language)},
        "sections": [
            {"title": tell(one.title, language), "blocks": [_block(block, language) for block in one.blocks]}
            for one in report.sections
        ],
    }


def _block(block: Block, language: Language) -> dict[str, Any]:
    match block:
        case Table():
            return {
                "kind": "table",
                "title": tell(block.title, language),
                "columns": [
                    {"head": tell(one.head, language), "width": one.width, "align": one.align} for one in block.columns
                ],
                "rows": [[cell_of(cell, language) for cell in row] for row in block.rows],
                "empty": tell(block.empty, language),
                "notes": [f"{tell(NOTE, language)}{n}) {tell(one, language)}" for n, one in enumerate(block.notes, 1)],
            }
        case Facts(title, rows):
            return {
                "kind": "facts",
                "title": tell(title, language),
                "rows": [[tell(name, language), cell_of(cell, language)] for name, cell in rows],
            }
        case Paragraph(text, warning):
            return {"kind": "warning" if warning else "paragraph", "text": tell(text, language)}
        case Bars(title):
            return {"kind": "bars", "title": tell(title, language), "svg": str(draw(block, language))}
        case Signatures(roles):
            return {"kind": "signatures", "roles": [tell(role, language) for role in roles]}
