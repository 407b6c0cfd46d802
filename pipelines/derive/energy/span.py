"""Energy between two readings: of a power that is integrated, or of a counter whose difference is spread evenly.

Both become a power that is linear between two moments, so that energy can be cut anywhere and adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pipelines.derive.counter import WINDOW
from pipelines.point import BAD, SEVERITY_MASK

HOUR_NS: Final = 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time with a power that is linear in it.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: its end, after the beginning.
        start_kw: power at its beginning.
        end_kw: power at its end.
        known: whether the power in it is known, not only the energy of the whole.
    """

    start_ns: int
    end_ns: int
    start_kw: float
    end_kw: float
    known: bool = True

    def kwh(self, from_ns: int, to_ns: int) -> float:
        """Energy between two moments, as far as they lie within: mean power by the trapezoidal rule x time."""
        from_ns, to_ns = max(from_ns, self.start_ns), min(to_ns, self.end_ns)
        if from_ns >= to_ns:
            return 0.0
        slope = (self.end_kw - self.start_kw) / (self.end_ns - self.start_ns)
        middle_ns = (from_ns - self.start_ns + to_ns - self.start_ns) / 2
        return (self.start_kw + slope * middle_ns) * (to_ns - from_ns) / HOUR_NS

    def known_ns(self, from_ns: int, to_ns: int) -> int:
        """Time between two moments in which the power is known."""
        return max(0, min(to_ns, self.end_ns) - max(from_ns, self.start_ns)) if self.known else 0


@dataclass(slots=True)
class Power:
    """Readings of a power, kW, as spans.

    Attributes:
        held: whether it is reported by exception: a value holds until the next one; else it is polled, and linear
            between two readings.
        max_gap_ns: longest time between two readings of a polled tag that is integrated.
        last: time and value of the last reading, later where it was held; None after a bad one.
        said_ns: time of the last reading itself.
        read_ns: end of the last span: what a device kept while its link was gone must not count twice.
    """

    held: bool
    max_gap_ns: int
    last: tuple[int, float] | None = None
    said_ns: int = 0
    read_ns: int = 0

    def take(self, time_ns: int, kw: Any, status: int) -> Span | None:
        """A reading; the span it ends, if there is one."""
        said_ns, self.said_ns = self.said_ns, max(self.said_ns, time_ns)
        return self._ended(time_ns, kw, usable=status & SEVERITY_MASK != BAD, newer=time_ns > said_ns)

    def _ended(self, time_ns: int, kw: Any, *, usable: bool, newer: bool) -> Span | None:
        before = self.last
        if before is not None and time_ns <= before[0]:
            if not usable:  # whatever its time, nothing is known from now on
                self.last = None
            elif newer:  # came when the value before it was held beyond its time already
                self.last = (before[0], float(kw))
            return None
        self.last = (time_ns, float(kw)) if usable else None
        if before is None or before[0] < self.read_ns:
            return None
        linear = usable and not self.held
        if not self.held and (not usable or time_ns - before[0] > self.max_gap_ns):
            return None
        self.read_ns = time_ns
        return Span(before[0], time_ns, before[1], float(kw) if linear else before[1])

    def moved(self, by_ns: int) -> None:
        """The clock was set."""
        self.last = (self.last[0] + by_ns, self.last[1]) if self.last else None
        self.said_ns += by_ns
        self.read_ns += by_ns

    def until(self, time_ns: int) -> Span | None:
        """What a value that holds comes to by now; None where it is polled."""
        if not self.held or self.last is None:
            return None
        return self._ended(time_ns, self.last[1], usable=True, newer=False)


@dataclass(slots=True)
class Meter:
    """Readings of an energy counter, kWh, as spans; it goes on while it is not read.

    Attributes:
        max_gap_ns: over a longer time the energy is right, and how it is spread is not known.
        rollover_kwh: where it begins at 0 again; None = it never does.
        last: time and value of the last good reading.
    """

    max_gap_ns: int
    rollover_kwh: float | None = None
    last: tuple[int, float] | None = None

    def take(self, time_ns: int, kwh: Any, status: int) -> Span | None:
        """A reading; the span it ends, if there is one: none is made of a reset, over which nothing is known."""
        if status & SEVERITY_MASK == BAD or (self.last is not None and time_ns <= self.last[0]):
            return None
        before, self.last = self.last, (time_ns, float(kwh))
        if before is None:
            return None
        step = float(kwh) - before[1]
        if step < 0 and self.rollover_kwh is not None and step + self.rollover_kwh <= self.rollover_kwh / WINDOW:
            step += self.rollover_kwh
        return None if step < 0 else of_counter(before[0], time_ns, step, self.max_gap_ns)

    def moved(self, by_ns: int) -> None:
        """The clock was set."""
        self.last = (self.last[0] + by_ns, self.last[1]) if self.last else None


def of_counter(start_ns: int, end_ns: int, kwh: float, max_gap_ns: int) -> Span:
    """The difference of an energy counter between two readings, spread evenly over the time between them.

    Args:
        start_ns: time of the first reading.
        end_ns: time of the second one, later.
        kwh: difference, without resets.
        max_gap_ns: over a longer time the energy is right and how it is spread is not known.
    """
    kw = kwh * HOUR_NS / (end_ns - start_ns)
    return Span(start_ns, end_ns, kw, kw, known=end_ns - start_ns <= max_gap_ns)
