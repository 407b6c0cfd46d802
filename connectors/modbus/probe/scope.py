"""What the doctor looks at: units, areas and limits as they are written on the command line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.modbus.probe.search import Area
from connectors.modbus.tag import ADDRESSES
from pipelines.errors import ConfigError

LIKELY_UNITS: Final = (1, 2, 3, 0, 255, 247)
"""First units on a bus, then what servers on TCP use for themselves (Messaging Guide V1.0b §4.4.2), then the last."""
LAST_UNIT: Final = 247
"""Last unit id of a serial line (Serial Line V1.02 §2.2)."""
LIKELY: Final = (
    Area("holding", 0, 127),
    Area("input", 0, 127),
    Area("coil", 0, 31),
    Area("discrete", 0, 31),
)
"""Where most devices begin."""
_MAX_UNIT: Final = 255
_SPAN: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_TABLES: Final = ("holding", "input", "coil", "discrete")


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at, and how gently.

    Attributes:
        units: unit ids, in this order.
        areas: addresses.
        asked: whether somebody named the areas; then every address in them is looked at.
        any_unit: whether nobody named the units; then one that refuses everything likely is left alone.
        pause_s: silence between an answer and the next request, seconds.
        budget_s: time for everything, seconds.
        reads: how often the readable addresses are read.
    """

    units: tuple[int, ...] = LIKELY_UNITS
    areas: tuple[Area, ...] = LIKELY
    asked: bool = False
    any_unit: bool = True
    pause_s: float = 0.02
    budget_s: float = 60.0
    reads: int = 3


def units_of(text: str) -> tuple[int, ...]:
    """Unit ids of `1-10,20`.

    Raises:
        ConfigError: not such a list.
    """
    found: list[int] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= _MAX_UNIT:
            reason = f"--units {text}: expected unit ids of 0-{_MAX_UNIT} such as 1-10,20, not {part.strip()!r}"
            raise ConfigError(None, None, reason)
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))


def areas_of(text: str) -> tuple[Area, ...]:
    """Areas of `holding:0-199,input:0-99`.

    Raises:
        ConfigError: not such a list.
    """
    found = []
    for part in text.split(","):
        table, _, span = part.strip().partition(":")
        match = _SPAN.fullmatch(span.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if table not in _TABLES or not first <= last < ADDRESSES:
            known = ", ".join(_TABLES)
            reason = f"--ranges {text}: expected TABLE:FIRST-LAST with {known} and addresses of 0-65535"
            raise ConfigError(None, None, f"{reason}, not {part.strip()!r}")
        found.append(Area(table, first, last))
    return tuple(found)
