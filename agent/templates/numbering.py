"""Names of further machines of a kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_NUMBERED: Final = re.compile(r"(.*?)(\d+)$")
_LAST: Final = re.compile(r"(.*?)(\d+)(\D*)$")


def numbered(label: str, machine: str, copy: int) -> str:
    """프레스 1호기 of PRS-02 is 프레스 2호기; a label without a number gets that of the copy."""
    match, number = _LAST.fullmatch(label), _NUMBERED.fullmatch(machine)
    return f"{match[1]}{int(number[2])}{match[3]}" if match and number else f"{label} {copy}"


def renamed_machines(names: Sequence[str], copy: int) -> dict[str, str]:
    """PRS-01 and PRS-02 of the first become PRS-03 and PRS-04 of the second."""
    kinds = [match[1] if (match := _NUMBERED.fullmatch(name)) else "" for name in names]
    found = {}
    for name, kind in zip(names, kinds, strict=True):
        match = _NUMBERED.fullmatch(name)
        digits = match[2] if match else ""
        number = int(digits or 0) + (copy - 1) * kinds.count(kind)
        found[name] = f"{kind}{number:0{len(digits)}d}" if match else f"{name}-{copy:02d}"
    return found
