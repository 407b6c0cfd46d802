"""Korean holidays as data, from `holidays.yaml`: days on which factories rest by law. The calendar knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

from pipelines.settings import Settings
from pipelines.table import read_table

TABLE: Final = Path(__file__).with_suffix(".yaml")


class Names(Settings):
    """What a holiday is called."""

    ko: str
    """In Korean."""
    en: str
    """In English."""


class Holidays(Settings):
    """A table of holidays. Outside of its days nothing is known, which is another thing than a working day."""

    first: date
    """First day it knows of."""
    last: date
    """Last day it knows of."""
    days: Mapping[date, Names]
    """Holidays."""

    def knows(self, first: date, last: date) -> bool:
        """Whether it knows every day from the first to the last one."""
        return self.first <= first and last <= self.last

    def __contains__(self, day: object) -> bool:
        return day in self.days


def load(path: Path = TABLE) -> Holidays:
    """The holidays in a file.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    return read_table(path, Holidays, "table of holidays")
