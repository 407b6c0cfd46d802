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
        "entry",
        "event_log",
        "exposure",
        "gap",
        "hour_touched",
        "shared",
        "state",
    }
)
"""Measurements of the agent's own making: no readings are stored there, the ledger does not count them, since they
update themselves or are not of a machine's tags, and each of their lines is one point, but for `agent`: that is none.
"""
MOVED_CLASSES: Final = frozenset(
    {"aggregate", "battery", "clock", "count", "energy", "entry", "event_log", "exposure", "shared"},
)
"""Of these, the ones that machine classes may be called all the same, as before the agent derived anything."""


def measurement_of(machine_class: str) -> str:
    """Where readings of a class are stored: under its name, or as `<class>_machine` where that name is the agent's."""
    return f"{machine_class}_machine" if machine_class in MOVED_CLASSES else machine_class


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
