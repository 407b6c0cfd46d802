"""Cells of CSV files that people open in a spreadsheet: none is taken for a formula, and each comes back as it was."""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
"""What spreadsheets compute instead of showing (OWASP, CSV Injection); apostrophes before it are counted on."""
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """A text as it is written: with an apostrophe before what a spreadsheet would compute."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The text that was written by `guarded`."""
    return cell[1:] if _GUARDED.match(cell) else cell
