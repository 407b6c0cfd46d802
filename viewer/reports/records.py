"""Records of safety and of critical control points, as reports need them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipelines.derive.calibration import Calibrated
from viewer.kpi.words import Text
from viewer.safety.log import Break


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A safety alarm or a critical control point that is configured.

    Attributes:
        machine: it belongs to.
        name: of the alarm.
        label: as people call it.
        limit: when it comes, in signs.
        action: what to do then.
        ccp: whether it is a critical control point; else it is a safety alarm.
    """

    machine: Text
    name: str
    label: Text
    limit: str
    action: Text
    ccp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured at a critical control point on one production day.

    Attributes:
        day: which.
        machine: of the tag.
        what: the tag, as people call it.
        unit: engineering unit.
        count: readings that count.
        low: least of them.
        mean: of them.
        high: greatest of them.
        only_while: tag that has to be other than 0 for a reading to count, as people call it; None = all count.
    """

    day: date
    machine: Text
    what: Text
    unit: str
    count: int
    low: float
    mean: float
    high: float
    only_while: Text | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A gas in the period; None = no window was known well enough (docs/alarms.md).

    Attributes:
        machine: of the detector.
        substance: what it measures.
        twa: greatest mean of 8 hours.
        twa_limit: limit of it that was in force; of clean air alone the one that is configured.
        stel: greatest mean of 15 minutes.
        stel_limit: limit of it.
        windows: 15-minute windows whose mean is known.
        over: how many of them are above the limit; None = none is known, or there is no limit.
        coverage: mean known part of the 15-minute windows that ended in the period, one each minute, percent; of one
            that nobody told nothing is known.
    """

    machine: Text
    substance: str
    twa: float | None
    twa_limit: float | None
    stel: float | None
    stel_limit: float | None
    windows: int
    over: int | None
    coverage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration of a machine's detectors.

    Attributes:
        machine: which.
        every_days: days from one to the next.
        last: day of the last one; None = nobody has said.
        due: last day on which it holds; None = not known.
        certificate: its number; empty = nobody has said.
        stands: how it stands when the report is made.
    """

    machine: Text
    every_days: int
    last: date | None
    due: date | None
    certificate: str
    stands: Calibrated


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """Entries of the hash-chained log that were stored in the period.

    Attributes:
        entries: how many.
        first: number of the first one; 0 = there is none.
        last: number of the last one.
        hash: of the last one, hexadecimal.
        breaks: how the chain breaks, and at which number.
    """

    entries: int = 0
    first: int = 0
    last: int = 0
    hash: str = ""
    breaks: tuple[tuple[Break, int], ...] = ()
