"""Columns that are known by name: those of the KAMP injection moulding data set. `kamp.csv` has them and the source."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

CLASS: Final = "injection"
MACHINE: Final = "IMM-01"
SOURCE: Final = "KAMP injection moulding data set"
CYCLE: Final = "cycle_time"
"""Tag of the cycle time, seconds."""
ENOUGH: Final = 3
"""Columns with numbers that make a file one of an injection machine, a row for each shot."""
_FILE: Final = Path(__file__).with_name("kamp.csv")
_SIGNS: Final = re.compile(r"[\s_\-.]+")


@dataclass(frozen=True, slots=True)
class Known:
    """A column that is known.

    Attributes:
        kind: `number`, `text`, or `pass`: Y or N.
        range: lowest and highest possible value in `unit`, or None.
    """

    heading: str
    tag: str
    kind: str
    unit: str
    range: tuple[float, float] | None
    ko: str
    en: str


def known(heading: str) -> Known | None:
    """What is known of a column, whatever the case of its heading and the signs between its words."""
    return _table().get(_plain(heading))


@cache
def _table() -> Mapping[str, Known]:
    lines = (line for line in _FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    found = {}
    for row in csv.DictReader(lines):
        limits = (float(row["low"]), float(row["high"])) if row["low"] else None
        one = Known(row["heading"], row["tag"], row["kind"], row["unit"], limits, row["ko"], row["en"])
        found[_plain(one.heading)] = one
    return found


def _plain(heading: str) -> str:
    return _SIGNS.sub("", heading).casefold()
