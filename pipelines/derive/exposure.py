"""Exposure to a gas: means of 8 hours (TWA) and of 15 minutes (STEL); points of measurement `exposure`.

TWA = Σ(C·T)/8, C in the unit of the limit, T in hours; STEL = the mean of 15 minutes (고용노동부고시 「화학물질 및
물리적 인자의 노출기준」). A reading holds until the next one. Time in which the value is unknown counts for neither:
`…_coverage` is the known part of the window, the mean is over that part, and below `LEAST_COVERAGE` there is none.
`twa_at_least` takes the unknown time for clean air: the exposure is not below it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import orjson

from pipelines.derive.condition import is_known
from pipelines.derive.exposure_limits import ExposureSettings, limits_table
from pipelines.derive.rule import Derived, Ref, Value

LEAST_COVERAGE: Final = 0.75
"""A window known for less has no mean: partial-period samples stand for 70-80 % of a shift at least (NIOSH 77-173)."""
_MINUTE_NS: Final = 60 * 10**9
_STEL_MINUTES: Final = 15
_TWA_QUARTERS: Final = 32
_QUARTER_MINUTES: Final = 15
_FORGOTTEN_NS: Final = 8 * 3600 * 10**9
_HOLE_NS: Final = 60 * 10**9
"""Without a reading or tick for so long the agent did not run."""
Part = tuple[float, float]
"""Sum of concentration times seconds, and the seconds that are known."""


class ExposureRule:
    """Means of one gas.

    The 15-minute mean comes each minute, the 8-hour mean each quarter of an hour, of windows that end there. A restart
    costs what is known of the minute in which it happens.

    Args:
        settings: of the gas.
    """

    def __init__(self, settings: ExposureSettings) -> None:
        self._settings = settings
        table = limits_table()[settings.substance]
        self._twa_limit, self._stel_limit = settings.twa or table.twa, settings.stel or table.stel
        self.name = f"exposure/{settings.machine}/{settings.tag}"
        self.reads = frozenset({Ref(settings.machine, settings.tag)})
        self._at_ns = 0
        self._value: float | None = None
        self._minute: list[float] = [0.0, 0.0]
        self._minutes: deque[Part] = deque(maxlen=_STEL_MINUTES)
        self._quarter: list[Part] = []
        self._quarters: deque[Part] = deque(maxlen=_TWA_QUARTERS)
        self._closed_ns = 0
        self._points: list[Derived] = []

    def take(self, ref: Ref, time_ns: int, value: Value, status: int) -> None:
        """A reading of the concentration."""
        del ref
        self._go_to(time_ns)
        known = not isinstance(value, str) and is_known(value, status)
        self._value = float(value) if known else None
        if known and not self._at_ns:
            self._at_ns = time_ns

    def tick(self, now_ns: int) -> None:
        """The value holds until now."""
        self._go_to(now_ns)

    def lines(self) -> list[Derived]:
        """The means since the last call."""
        found, self._points = self._points, []
        return found

    def state(self) -> bytes:
        """Everything up to the last whole minute: JSON."""
        kept = [self._closed_ns, list(self._minutes), self._quarter, list(self._quarters)]
        return orjson.dumps(kept) if self._closed_ns else b""

    def restore(self, state: bytes) -> None:
        """Go on behind the last whole minute.

        Raises:
            ValueError: it is not of this rule.
        """
        try:
            closed_ns, minutes, quarter, quarters = orjson.loads(state)
            self._closed_ns = self._at_ns = int(closed_ns)
            self._minutes.extend((float(total), float(known)) for total, known in minutes)
            self._quarter = [(float(total), float(known)) for total, known in quarter]
            self._quarters.extend((float(total), float(known)) for total, known in quarters)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {error}") from error

    def _go_to(self, time_ns: int) -> None:
        """Let the value hold until then, minute by minute."""
        if not self._at_ns or time_ns <= self._at_ns:
            return
        if time_ns - self._at_ns > _HOLE_NS:
            self._value = None
        if time_ns - self._at_ns > _FORGOTTEN_NS:
            self._minutes.clear()
            self._quarters.clear()
            self._quarter, self._minute, self._at_ns = [], [0.0, 0.0], time_ns
        while (end_ns := (self._at_ns // _MINUTE_NS + 1) * _MINUTE_NS) <= time_ns:
            self._hold(end_ns)
            self._close(end_ns)
        self._hold(time_ns)

    def _hold(self, until_ns: int) -> None:
        if self._value is not None:
            seconds = (until_ns - self._at_ns) / 1e9
            self._minute[0] += self._value * seconds
            self._minute[1] += seconds
        self._at_ns = until_ns

    def _close(self, end_ns: int) -> None:
        """A minute is over."""
        minute, self._minute, self._closed_ns = (self._minute[0], self._minute[1]), [0.0, 0.0], end_ns
        self._minutes.append(minute)
        self._quarter.append(minute)
        fields = _mean("stel", self._minutes, _STEL_MINUTES * 60, self._stel_limit)
        if end_ns % (_QUARTER_MINUTES * _MINUTE_NS) == 0:
            self._quarters.append(_sum(self._quarter))
            self._quarter = []
            window_s = _TWA_QUARTERS * _QUARTER_MINUTES * 60
            fields |= _mean("twa", self._quarters, window_s, self._twa_limit)
            if fields["twa_coverage"]:
                fields["twa_at_least"] = _sum(self._quarters)[0] / window_s
        tags = (("tag", self._settings.tag), ("substance", self._settings.substance))
        self._points.append(Derived("exposure", self._settings.machine, end_ns, fields, tags))


def exposure_rules(settings: tuple[ExposureSettings, ...]) -> list[ExposureRule]:
    """The rules of a site's gases."""
    return [ExposureRule(one) for one in settings]


def _sum(parts: deque[Part] | list[Part]) -> Part:
    return sum(total for total, _ in parts), sum(known for _, known in parts)


def _mean(name: str, parts: deque[Part], window_s: float, limit: float | None) -> dict[str, Value]:
    """Mean over what is known of a window, its coverage 0-1, and the mean as a part of its limit."""
    total, known_s = _sum(parts)
    coverage = min(1.0, known_s / window_s)
    fields: dict[str, Value] = {f"{name}_coverage": coverage}
    if coverage >= LEAST_COVERAGE:
        fields[name] = total / known_s
        if limit is not None:
            fields[f"{name}_of_limit"] = total / known_s / limit
    return fields
