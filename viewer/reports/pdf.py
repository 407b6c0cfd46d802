"""A report as PDF on A4, set by Typst; its fonts are embedded as far as they are used (docs/decisions/0035)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import orjson
import typst

from viewer.reports.cell import Language
from viewer.reports.fonts import folder
from viewer.reports.model import Report
from viewer.reports.plain import plain
from viewer.words import KST

_SETTING: Final = Path(__file__).with_name("report.typ")
_STANDARD: Final = "a-2u"
"""PDF/A-2u (ISO 19005-2): for the archive, with text that can be read out of it."""


def pdf(report: Report, language: Language = "ko") -> bytes:
    """The file; the same report gives the same bytes."""
    made = typst.compile(
        _SETTING,
        font_paths=[folder()],
        ignore_system_fonts=True,
        sys_inputs={"report": orjson.dumps(plain(report, language)).decode()},
        pdf_standards=_STANDARD,
        timestamp=dt.datetime.fromtimestamp(report.generated_ns // 10**9, KST),
        pdf_tags=False,
    )
    assert isinstance(made, bytes)
    return made
