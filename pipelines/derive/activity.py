"""Whether a machine that says it runs also counts. Pure; measured by the agent's clock alone."""

from __future__ import annotations

from typing import Final

from pipelines.derive.rule import Ref, Value
from pipelines.derive.signals import DOWN, MINOR, Verdict

_MINOR_IDEALS: Final = 3
_STOP_S: Final = 300
_STOP_MINORS: Final = 2
NO_COUNT: Final = "no_count"
_STAGES: Final = (Verdict(MINOR, NO_COUNT, stopped=True), Verdict(DOWN, NO_COUNT, stopped=True))


class Activity:
    """Time without a count, as far as it was watched.

    Three times the ideal time is a minor stop; five minutes, or twice what a minor stop takes, a stop.

    Args:
        tag: the counter.
        ideal_s: ideal time of one count, seconds.
    """

    def __init__(self, tag: Ref, ideal_s: float) -> None:
        self.tag = tag
        minor_s = _MINOR_IDEALS * ideal_s
        self._limits_ns = [int(minor_s * 1e9), int(max(_STOP_S, _STOP_MINORS * minor_s) * 1e9)]
        self._last: Value | None = None
        self._quiet_ns = 0
        self._watched = True
        self._ticked_ns: int | None = None

    def take(self, value: Value | None) -> None:
        """The counter says `value`; None = it is bad, and nobody watches."""
        self._watched = value is not None
        if value is None:
            return
        if self._last is not None and value != self._last:
            self.begin()
        self._last = value

    def begin(self) -> None:
        """It counts, or nobody expects it to."""
        self._quiet_ns = 0

    def tick(self, now_ns: int) -> None:
        """The agent's time, ns since 1970 UTC."""
        if self._watched and self._ticked_ns is not None:
            self._quiet_ns += max(0, now_ns - self._ticked_ns)
        self._ticked_ns = now_ns

    def moved(self, by_ns: int) -> None:
        """The agent's clock was set."""
        if self._ticked_ns is not None:
            self._ticked_ns += by_ns

    @property
    def stage(self) -> int:
        """0 it counts, 1 minor stop, 2 stop: what of it is kept over a restart."""
        return sum(self._quiet_ns >= limit_ns for limit_ns in self._limits_ns)

    def restore(self, stage: int) -> None:
        """Go on from a stage; time that nobody watched does not count."""
        self._quiet_ns = self._limits_ns[min(stage, len(self._limits_ns)) - 1] if stage > 0 else 0

    def over(self, verdict: Verdict) -> Verdict:
        """What is to be said of a machine of which `verdict` says that it runs."""
        return _STAGES[self.stage - 1] if self.stage else verdict
