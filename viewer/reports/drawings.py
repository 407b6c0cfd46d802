"""What a report becomes, by the ending of its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from viewer.reports.cell import Language
from viewer.reports.model import Report
from viewer.reports.page import page
from viewer.reports.pdf import pdf
from viewer.reports.xlsx import xlsx

DRAWINGS: Final[dict[str, Callable[[Report, Language], bytes]]] = {
    ".xlsx": xlsx,
    ".pdf": pdf,
    ".html": lambda report, language: page(report, language).encode(),
}
"""What draws a file of this ending."""
MEDIA: Final = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pdf": "application/pdf",
    ".html": "text/html",
}
"""What such a file is, for browsers."""
