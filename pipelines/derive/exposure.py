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
_QUARTER_NS: Final = 15 * _MINUTE_NS
_STEL_NS: Final = 15 * _MINUTE_NS
_TWA_NS: Final = 8 * 60 * _MINUTE_NS
_FORGOTTEN_NS: Final = 8 * 3600 * 10**9
_HOLE_NS: Final = 60 * 10**9
"""Without a reading or tick for so long the agent did not run."""
Part = tuple[float, float, int]
"""Sum of concentration times seconds, the seconds that are known, and how long it is, ns."""


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
        self._minute: Part = (0.0, 0.0, 0)
        self._minutes: deque[Part] = deque()
        self._quarter: list[Part] = []
        self._quarters: deque[Part] = deque()
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

    def moved(self, by_ns: int) -> None:
        """The clock was set: the minute in progress is over when the clock says so, as long as it took."""
        self._at_ns += by_ns if self._at_ns else 0
        self._closed_ns += by_ns if self._closed_ns else 0

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
            self._minutes.extend((float(total), float(known), int(length)) for total, known, length in minutes)
            self._quarter = [(float(total), float(known), int(length)) for total, known, length in quarter]
            self._quarters.extend((float(total), float(known), int(length)) for total, known, length in quarters)
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
            self._quarter, self._minute, self._at_ns = [], (0.0, 0.0, 0), time_ns
        while (end_ns := (self._at_ns // _MINUTE_NS + 1) * _MINUTE_NS) <= time_ns:
            self._hold(end_ns)
            self._close(end_ns)
        self._hold(time_ns)

    def _hold(self, until_ns: int) -> None:
        total, known_s, length_ns = self._minute
        passed_ns = until_ns - self._at_ns
        if self._value is not None:
            total, known_s = total + self._value * passed_ns / 1e9, known_s + passed_ns / 1e9
        self._minute, self._at_ns = (total, known_s, length_ns + passed_ns), until_ns

    def _close(self, end_ns: int) -> None:
        """A minute is over."""
        minute, self._minute, self._closed_ns = self._minute, (0.0, 0.0, 0), end_ns
        _put(self._minutes, minute, _STEL_NS)
        self._quarter.append(minute)
        fields = _mean("stel", self._minutes, _STEL_NS, self._stel_limit)
        if end_ns % _QUARTER_NS == 0:
            _put(self._quarters, _sum(self._quarter), _TWA_NS)
            self._quarter = []
            fields |= _mean("twa", self._quarters, _TWA_NS, self._twa_limit)
            if fields["twa_coverage"]:
                fields["twa_at_least"] = _sum(self._quarters)[0] * 1e9 / _TWA_NS
        tags = (("tag", self._settings.tag), ("substance", self._settings.substance))
        self._points.append(Derived("exposure", self._settings.machine, end_ns, fields, tags))


def exposure_rules(settings: tuple[ExposureSettings, ...]) -> list[ExposureRule]:
    """The rules of a site's gases."""
    return [ExposureRule(one) for one in settings]


def _put(parts: deque[Part], part: Part, window_ns: int) -> None:
    """The newest part of a window, which is never longer than it should be."""
    parts.append(part)
    while len(parts) > 1 and sum(length for *_, length in parts) > window_ns:
        parts.popleft()


def _sum(parts: deque[Part] | list[Part]) -> Part:
    return sum(one[0] for one in parts), sum(one[1] for one in parts), sum(one[2] for one in parts)


def _mean(name: str, parts: deque[Part], window_ns: int, limit: float | None) -> dict[str, Value]:
    """Mean over what is known of a window, its coverage 0-1, and the mean as a part of its limit."""
    total, known_s, _ = _sum(parts)
    coverage = min(1.0, known_s * 1e9 / window_ns)
    fields: dict[str, Value] = {f"{name}_coverage": coverage}
    if coverage >= LEAST_COVERAGE:
        fields[name] = total / known_s
        if limit is not None:
            fields[f"{name}_of_limit"] = total / known_s / limit
    return fields
