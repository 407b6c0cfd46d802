"""The typeface of reports: Noto Sans KR (SIL OFL 1.1), from a wheel of its own (docs/decisions/0035)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

FAMILY: Final = "Noto Sans KR"


def folder() -> Path:
    """Where its file is."""
    return Path(str(files("pylopdf_fonts_ko")))
