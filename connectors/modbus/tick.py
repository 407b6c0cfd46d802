"""What one tick reads, gathered into deliveries: one scan per value dtype. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from pipelines.point import Delivery, Gap, Scan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.modbus.decode import Column

_RESUME: Final = struct.Struct("<q")


class Tick:
    """Collects columns and gaps.

    Attributes:
        newest_ns: time of the newest reply, ns since 1970 UTC; 0 = none.
        gaps: gaps closed in this tick and not handed over yet.
    """

    def __init__(self) -> None:
        self.newest_ns = 0
        self.gaps: list[Gap] = []
        self._parts: dict[str, list[tuple[int, Column]]] = {}

    def add(self, columns: Iterable[Column], time_ns: int) -> None:
        """Readings that share one time, ns since 1970 UTC."""
        for column in columns:
            self._parts.setdefault(column.dtype, []).append((time_ns, column))

    def hand_over(self, state: bytes = b"") -> Delivery | None:
        """What was gathered since the last time, each scan oldest first; None = nothing.

        `state` goes into the resume state.
        """
        if not self._parts and not self.gaps:
            return None
        parts, self._parts = self._parts, {}
        gaps, self.gaps = tuple(self.gaps), []
        resume = _RESUME.pack(self.newest_ns) + state if self.newest_ns else None
        return Delivery(tuple(map(_scan, parts.values())), resume, gaps)


def resume_ns(resume: bytes | None) -> int:
    """Time of the newest reply in a resume state; 0 if there is none or it is not of this connector."""
    if resume is None or len(resume) < _RESUME.size or resume[_RESUME.size :][:1] not in {b"", b"{"}:
        return 0
    return int(_RESUME.unpack_from(resume)[0])


def _scan(parts: list[tuple[int, Column]]) -> Scan:
    if len(parts) == 1:
        time_ns, only = parts[0]
        return Scan(only.tag, np.full(len(only.tag), time_ns, np.int64), only.value, only.status)
    parts.sort(key=lambda part: part[0])
    columns = [column for _, column in parts]
    tags = [column.tag for column in columns]
    return Scan(
        np.concatenate(tags),
        np.repeat(np.array([time_ns for time_ns, _ in parts], np.int64), [len(tag) for tag in tags]),
        np.concatenate([column.value for column in columns]),
        np.concatenate([column.status for column in columns]),
    )
