"""Where a machine stands (ISA-95), as the tags of its series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.encode.line import Series

OWN_MEASUREMENTS: Final = frozenset(
    {
        "agent",
        "aggregate",
        "alarm",
        "alarm_action",
        "battery",
        "clock",
        "context",
        "count",
        "cycle",
        "energy",
        "event_log",
        "exposure",
        "gap",
        "shared",
        "state",
    }
)
"""Measurements of the agent's own making: no machine class is called so, the ledger does not count them, since they
update themselves or are not of a machine's tags, and each of their lines is one point, but for `agent`: that is none.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a machine stands (ISA-95); empty levels are left out of the series."""

    measurement: str
    company: str
    site: str
    line: str
    machine: str

    def series(self, measurement: str | None = None, extra: tuple[tuple[str, str], ...] = ()) -> Series:
        """The series of this machine, or of another measurement about it."""
        names = (("company", self.company), ("site", self.site), ("line", self.line), ("machine", self.machine))
        return Series(measurement or self.measurement, names + extra)
