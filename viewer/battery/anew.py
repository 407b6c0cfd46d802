"""A recorded test beside the one that today's rule makes of its stored curve; what was recorded stays what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.derive.battery.record import Record
from viewer.battery.figures import FIGURES, Kind
from viewer.battery.record import BatteryTest

SAME: Final = 1e-3
"""Figures that differ by less than this part of themselves are the same: 0.1 %."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure, recorded and made anew; None = it was not measured.

    Attributes:
        kind: which.
        recorded: in its unit.
        anew: the same of the stored curve.
    """

    kind: Kind
    recorded: float | None
    anew: float | None

    @property
    def same(self) -> bool:
        """Whether they agree within `SAME`."""
        if self.recorded is None or self.anew is None:
            return self.recorded is self.anew
        return abs(self.recorded - self.anew) <= SAME * max(abs(self.recorded), abs(self.anew))


def pairs(test: BatteryTest, record: Record) -> tuple[Pair, ...]:
    """Every figure of a test, both ways."""
    return tuple(Pair(kind, kind.of(test), kind.of(record)) for kind in FIGURES)


def verdict(test: BatteryTest, record: Record) -> str:
    """What comparing says: `same`, `other_rule` (another version: grades may differ), `other_grade`, `other_figures`.

    Figures differ where readings came later, out of a device's history, which rules do not hear, or are not stored:
    under a deadband, or any more.
    """
    if not all(one.same for one in pairs(test, record)):
        return "other_figures"
    if test.rule != record.rule_version:
        return "other_rule"
    return "same" if test.grade == record.grade else "other_grade"
