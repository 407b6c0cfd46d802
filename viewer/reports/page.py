"""A report as one HTML file with its style in it: no other file, no script, printable on A4."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from viewer.reports.cell import Language
from viewer.reports.model import Report
from viewer.reports.plain import plain

_HERE: Final = Path(__file__).parent
_STYLE: Final = _HERE.parent / "static/report.css"
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def page(report: Report, language: Language = "ko", style: str = "") -> str:
    """The file; the same report gives the same text.

    Args:
        report: what it shows.
        language: of it.
        style: address of the style sheet, for the viewer, whose policy allows no style within a page; empty = within.
    """
    sheet = "" if style else _STYLE.read_text(encoding="utf-8")
    template = _TEMPLATES.get_template("report.html")
    return template.render(report=plain(report, language), style=style, sheet=Markup(sheet))  # noqa: S704 - our own file
