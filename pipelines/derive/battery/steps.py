"""Steps of a test from the curve of one channel: charge and energy by integration, and the pulse.

A sample is what is in force at one moment. Between two samples of a step power and current are linear (trapezoidal
rule); up to the first sample of the next step those of the last one hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

_HOUR_NS: Final = 3600 * 10**9
SAMPLED_NS: Final = 30 * 10**9
"""Longest time between two samples that is integrated, or in which a pulse is read."""
_SHORT_NS: Final = 10**9
"""A pulse whose last sample is this much early will do: the sample at its very end may belong to the next step."""
KINDS: Final = ("CHG", "REST", "DCH", "PULSE")


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment of a channel.

    Attributes:
        time_ns: ns since 1970 UTC.
        volt: voltage, V.
        ampere: current, A, of either sign.
        celsius: the hottest of its temperatures; None = not measured.
    """

    time_ns: int
    volt: float
    ampere: float
    celsius: float | None

    def moved(self, by_ns: int) -> Sample:
        """The same at another time, ns later."""
        return replace(self, time_ns=self.time_ns + by_ns)


@dataclass(slots=True)
class Step:
    """One step.

    Attributes:
        kind: one of `KINDS`.
        number: the cycler's own number of it.
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: end of what is in it.
        ah: charge, Ah, positive either way.
        wh: energy, Wh, positive either way.
        unknown_ns: time in it without samples.
        volt_start: its first voltage, V; None before that.
        volt_end: its last voltage, V.
        celsius_start: temperature at its beginning, ℃.
        celsius_max: highest temperature in it, ℃.
        before: of a pulse, voltage and current before it.
        at_pulse: of a pulse, voltage and current at `pulse_s`; None before that.
        cut: whether its beginning was not seen.
        last: its last sample; None where the one behind is not known, and at its end.
    """

    kind: str
    number: int
    start_ns: int
    end_ns: int
    ah: float = 0.0
    wh: float = 0.0
    unknown_ns: int = 0
    volt_start: float | None = None
    volt_end: float | None = None
    celsius_start: float | None = None
    celsius_max: float | None = None
    before: tuple[float, float] | None = None
    at_pulse: tuple[float, float] | None = None
    cut: bool = False
    last: Sample | None = None

    def take(self, sample: Sample, pulse_s: float) -> None:
        """A sample of this step."""
        last = self.last
        if last is None:
            self.unknown_ns += sample.time_ns - self.end_ns
        else:
            self._integrate(last, sample)
            due_ns = self.start_ns + round(pulse_s * 1e9)
            gap_ns = sample.time_ns - last.time_ns
            due = self.kind == "PULSE" and self.at_pulse is None and last.time_ns < due_ns <= sample.time_ns
            if due and gap_ns <= SAMPLED_NS:  # nobody knows what the voltage was in a longer one
                part = (due_ns - last.time_ns) / gap_ns
                volt = last.volt + part * (sample.volt - last.volt)
                self.at_pulse = volt, last.ampere + part * (sample.ampere - last.ampere)
        if self.volt_start is None:
            self.volt_start, self.celsius_start = sample.volt, sample.celsius
        self.last, self.end_ns, self.volt_end = sample, sample.time_ns, sample.volt
        if sample.celsius is not None:
            self.celsius_max = sample.celsius if self.celsius_max is None else max(sample.celsius, self.celsius_max)

    def moved(self, by_ns: int) -> None:
        """The clock was set."""
        self.start_ns += by_ns
        self.end_ns += by_ns
        self.last = self.last and self.last.moved(by_ns)

    def lose(self) -> None:
        """Voltage or current are not known behind the last sample."""
        self.last = None

    def end(self, time_ns: int, pulse_s: float) -> None:
        """The next step begins."""
        if self.last is None:
            self.unknown_ns += time_ns - self.end_ns
        else:
            self._integrate(self.last, replace(self.last, time_ns=time_ns))
            enough_ns = self.start_ns + round(pulse_s * 1e9) - _SHORT_NS
            if self.kind == "PULSE" and self.at_pulse is None and self.last.time_ns >= enough_ns:
                self.at_pulse = self.last.volt, self.last.ampere
        self.end_ns = time_ns

    def _integrate(self, one: Sample, other: Sample) -> None:
        gap_ns = other.time_ns - one.time_ns
        if gap_ns > SAMPLED_NS:
            self.unknown_ns += gap_ns
            return
        self.ah += abs(one.ampere + other.ampere) / 2 * gap_ns / _HOUR_NS
        self.wh += abs(one.volt * one.ampere + other.volt * other.ampere) / 2 * gap_ns / _HOUR_NS


def restored(state: dict[str, Any]) -> Step:
    """A step from its fields as JSON keeps them."""
    pairs = {key: (state[key][0], state[key][1]) if state[key] else None for key in ("before", "at_pulse")}
    return Step(**{**state, **pairs, "last": Sample(**state["last"]) if state["last"] else None})
