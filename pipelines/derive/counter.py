"""A counter of few bits as one that never ends: rollover, reset, implausible rate. Pure.

A reading below the one before is one of two things. The counter went over its last state, which it does within few
counts of it: then the difference modulo its range was counted. Or it was reset, or preset: what was counted between is
not known, nothing is invented, and that reading of the total is Uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.point import GOOD, UNCERTAIN

USUAL: Final = (2**16, 2**32)
"""States of counters of which nothing is known: a word and a double word."""
WINDOW: Final = 16
"""Without a known rate a step over the end of at most 1/16 of the range is a rollover, everything else a reset."""
_INT64_MAX: Final = 2**63 - 1


def within(count: int) -> int:
    """A count that 64 bits hold, which no real one leaves."""
    return max(-_INT64_MAX, min(count, _INT64_MAX))


@dataclass(slots=True)
class Total:
    """What has been counted so far.

    Attributes:
        moduli: numbers of states that the device's counter may have, smallest first.
        raw: its last reading; None before the first.
        total: what has been counted; begins with the first reading, so that both agree until the first rollover.
    """

    moduli: tuple[int, ...] = USUAL
    raw: int | None = None
    total: int = 0

    def take(self, raw: int, most: float | None) -> tuple[int, str]:
        """The next reading.

        Args:
            raw: the device's counter.
            most: most counts since the last reading; None = not known.

        Returns:
            StatusCode of the total after it, and what was found: `reset`, `implausible` or nothing. An implausible
            step is counted as it is.
        """
        before, self.raw = self.raw, raw
        if before is None:
            self.total = raw if raw <= _INT64_MAX else 0
            return GOOD, ""
        step = raw - before
        if step < 0:
            step = self.over_the_end(before, raw, most)
        if step < 0:
            self.total = within(self.total + raw) if most is not None and raw <= most else self.total
            return UNCERTAIN, "reset"
        self.total = within(self.total + step)
        return (UNCERTAIN, "implausible") if most is not None and step > most else (GOOD, "")

    def over_the_end(self, before: int, raw: int, most: float | None) -> int:
        """Counts from `before` over the last state to `raw`; below 0 when that cannot be."""
        for modulus in self.moduli:
            step = raw - before + modulus
            if before < modulus and step <= min(modulus / WINDOW if most is None else most, modulus / 2):
                return step
        return raw - before
