"""What of a reading a rule can reckon with: whatever a device sends, the answer is a number or nothing."""

from __future__ import annotations

from typing import Final

from pipelines.derive.rule import Value
from pipelines.point import BAD, SEVERITY_MASK

_FAR: Final = 1e30
"""No quantity of a plant is further from 0: devices say 3.4e38 where they have no value."""
_INT64: Final = 2**63
TEXT: Final = "_text"
"""End of the fields that are texts, where machines of all classes share a measurement."""
OWN_VALUES: Final = ("number", "counts", "duration_s")
"""Fields of a cycle that no tag may be called."""


def number(value: Value, status: int) -> float | None:
    """The number that a reading says; None where it is bad, a text, or none that can be."""
    if status & SEVERITY_MASK == BAD or isinstance(value, str) or not -_FAR < value < _FAR:
        return None
    return float(value)


def usable(value: Value, status: int) -> float | str | None:
    """The number or text that a reading says; None where it is bad, or no number that can be."""
    if isinstance(value, str):
        return None if status & SEVERITY_MASK == BAD else value
    return number(value, status)


def whole(value: Value, status: int) -> int | None:
    """The whole number of 64 bits that a reading says, its fraction cut off; None where it says none."""
    if status & SEVERITY_MASK == BAD or isinstance(value, str) or not -_INT64 <= value < _INT64:
        return None
    return int(value)


def field_of(tag: str, value: Value) -> tuple[str, float | str]:
    """A tag's field in a measurement that machines of all classes share, where a name must have one type.

    Numbers, true and false are floating point and called like the tag, texts end in `_text`, and no number does.
    """
    if isinstance(value, str):
        return tag + TEXT, value
    return (f"{tag}_value" if tag.endswith(TEXT) else tag), float(value)
