"""Observations to columns. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from connectors.mtconnect.decode import UNAVAILABLE, Observation
from connectors.mtconnect.plan import Bound, Kind
from pipelines.parts import Parts
from pipelines.point import (
    BAD_NO_COMMUNICATION,
    BAD_NODE_ID_UNKNOWN,
    BAD_TYPE_MISMATCH,
    GOOD,
    Scan,
)

MOST_TEXT_BYTES: Final = 65_535
"""Longest text a store takes; a longer one is bad, never cut."""
_BAD_LIMITS_EXCEEDED: Final = 0x8008_0000
AXES: Final = ("_x", "_y", "_z")
"""Field endings of a position in space."""
_FLOAT: Final = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|INF|NaN)", re.ASCII)
_INT: Final = re.compile(r"[+-]?\d{1,19}(\.0*)?", re.ASCII)
_DTYPES: Final = {
    Kind.FLOAT: "float64", Kind.INT: "int64", Kind.TEXT: "object", Kind.LEVEL: "object", Kind.SPACE: "float64",
    Kind.SET: "object",
}  # fmt: skip
_NOTHING: Final[dict[str, Any]] = {"float64": 0.0, "int64": 0, "object": ""}
_MAX_INT: Final = 2**63 - 1


def number(text: str) -> float | None:
    """A float as xs:float writes it, None when it is none."""
    return float(text) if _FLOAT.fullmatch(text) else None


def whole(text: str) -> int | None:
    """A whole number that fits 64 bits, None when it is none; `12.0` is one."""
    value = int(text.partition(".")[0]) if _INT.fullmatch(text) else None
    return value if value is None or -_MAX_INT <= value <= _MAX_INT else None


@dataclass(slots=True)
class Memory:
    """What one link knows of values that have parts.

    Attributes:
        entries: entry names met so far and their dtypes, by tag; when a data set is bad, all of them are.
        shapes: what the tag's own row said last: `[3]` for a position, `{2}` for a set of two entries.
    """

    entries: dict[int, dict[str, str]] = field(default_factory=dict)
    shapes: dict[int, str] = field(default_factory=dict)


class Columns:
    """Readings gathered for one delivery.

    Args:
        parts: rows of positions and entries.
        memory: of the link.
    """

    def __init__(self, parts: Parts, memory: Memory) -> None:
        self._parts = parts
        self._memory = memory
        self._rows: dict[str, list[tuple[int, int, Any, int]]] = {}

    def __len__(self) -> int:
        """Number of readings."""
        return sum(len(rows) for rows in self._rows.values())

    def take(self, bound: Bound, seen: Observation, level: str = "") -> None:
        """The readings of one observation for one tag; `level` of a condition as its alarms stand."""
        row, kind = bound.row, bound.kind
        text = level or seen.text
        missing = text.upper() == UNAVAILABLE
        if kind is Kind.SPACE:
            self._space(row, seen, missing=missing)
        elif kind is Kind.SET:
            self._set(row, seen, missing=missing)
        elif missing:
            # The agent has no word from the machine: what it said before holds no longer.
            self.bad(row, seen.time_ns, BAD_NO_COMMUNICATION, _DTYPES[kind])
        else:
            value: Any = number(text) if kind is Kind.FLOAT else whole(text) if kind is Kind.INT else text
            self._add(row, seen.time_ns, value, _DTYPES[kind])

    def bad(self, row: int, time_ns: int, status: int, dtype: str = "float64") -> None:
        """A reading without a value."""
        self._rows.setdefault(dtype, []).append((time_ns, row, _NOTHING[dtype], status))

    def scans(self) -> tuple[Scan, ...]:
        """One scan per dtype, each oldest first; what has equal times stays in the order of the agent."""
        return tuple(_scan(dtype, sorted(rows, key=lambda one: one[0])) for dtype, rows in self._rows.items())

    def oldest_ns(self) -> int | None:
        """Time of the oldest reading, None without one."""
        return min((row[0] for rows in self._rows.values() for row in rows), default=None)

    def _add(self, row: int, time_ns: int, value: Any, dtype: str) -> None:
        if value is None:
            self.bad(row, time_ns, BAD_TYPE_MISMATCH, dtype)
        elif isinstance(value, str) and len(value.encode()) > MOST_TEXT_BYTES:
            self.bad(row, time_ns, _BAD_LIMITS_EXCEEDED, dtype)
        else:
            self._rows.setdefault(dtype, []).append((time_ns, row, value, GOOD))

    def _shape(self, tag: int, time_ns: int, shape: str) -> None:
        """The tag's own row: its shape when it changes, or bad (empty)."""
        if not shape:
            self._memory.shapes.pop(tag, None)
            self.bad(tag, time_ns, BAD_NO_COMMUNICATION, "object")
        elif self._memory.shapes.get(tag) != shape:
            self._memory.shapes[tag] = shape
            self._add(tag, time_ns, shape, "object")

    def _space(self, tag: int, seen: Observation, *, missing: bool) -> None:
        """`x y z`, separated by space (Part 3, units ending in _3D)."""
        texts = seen.text.split()
        fits = len(texts) == len(AXES)
        self._shape(tag, seen.time_ns, "" if missing else f"[{len(texts)}]")
        for position, suffix in enumerate(AXES):
            row = self._parts.row(tag, suffix)
            if row is None:
                continue
            if missing:
                self.bad(row, seen.time_ns, BAD_NO_COMMUNICATION)
            else:
                self._add(row, seen.time_ns, number(texts[position]) if fits else None, "float64")

    def _set(self, tag: int, seen: Observation, *, missing: bool) -> None:
        """Entries by key; a reset empties the set first (Part 3, DATA_SET)."""
        known = self._memory.entries.setdefault(tag, {})
        self._shape(tag, seen.time_ns, "" if missing else f"{{{len(seen.entries)}}}")
        if missing or "resetTriggered" in seen.attributes:
            status = BAD_NO_COMMUNICATION if missing else BAD_NODE_ID_UNKNOWN
            for suffix in known.keys() - {_suffix(key) for key in seen.entries}:
                self._entry(tag, suffix, seen.time_ns, None, known[suffix], status)
        for key, text in seen.entries.items():
            suffix = _suffix(key)
            if self._parts.row(tag, suffix) is None:
                continue
            dtype = known.setdefault(suffix, "object" if text is None or number(text) is None else "float64")
            value: Any = text if text is None or dtype == "object" else number(text)
            status = BAD_NODE_ID_UNKNOWN if text is None else BAD_TYPE_MISMATCH
            self._entry(tag, suffix, seen.time_ns, value, dtype, status)

    def _entry(self, tag: int, suffix: str, time_ns: int, value: Any, dtype: str, status: int) -> None:
        row = self._parts.row(tag, suffix)
        if row is None:
            return
        if value is None:
            self.bad(row, time_ns, status, dtype)
        else:
            self._add(row, time_ns, value, dtype)


def _suffix(key: str) -> str:
    """A field ending that any store takes."""
    return "_" + re.sub(r"[^\w.\-]", "_", key)


def _scan(dtype: str, rows: Iterable[tuple[int, int, Any, int]]) -> Scan:
    times, tags, values, codes = zip(*rows, strict=True)
    value = np.empty(len(values), dtype=object)
    value[:] = values
    return Scan(
        np.array(tags, dtype=np.int32),
        np.array(times, dtype=np.int64),
        value if dtype == "object" else np.array(values, dtype=dtype),
        np.array(codes, dtype=np.uint32),
    )
