"""One minute of one tag: least, mean, greatest and last value, how many readings, how good, how much of it is known.

A polled tag is sampled: its mean is that of the readings, and what it covers is how many came of those expected. A tag
reported by exception says nothing while nothing changes: a value holds until the next reading, its mean is weighted by
time (OPC 10000-13, aggregate TimeAverage, stepped), and what it covers is the time in which a usable value was in
force. There is no value without a usable reading in the minute itself.

Readings of a tag come in the order of their times; an earlier minute is not opened again. That the link is gone is the
agent's own word: it opens no minute, since what the device has kept for the time before may still come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pipelines.derive.usable import usable
from pipelines.point import BAD_NO_COMMUNICATION, SEVERITY_MASK

MINUTE_NS: Final = 60 * 10**9
_AS_LAST: Final = [0]
"""In a state, for a value in force that is the last one too."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of one minute.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC, a multiple of a minute.
        low: least usable value; None without one, and of text.
        mean: mean value, weighted by time where the tag is reported by exception; None as `low`.
        high: greatest usable value; None as `low`.
        last: last usable value; None without one.
        count: usable readings, 0 or more.
        quality: the worst StatusCode among its readings.
        cover: how much of the minute is known, percent, 0 to 100.
    """

    start_ns: int
    low: float | None
    mean: float | None
    high: float | None
    last: float | str | None
    count: int
    quality: int
    cover: float


@dataclass(slots=True)
class Minute:
    """The minute in which a tag is now.

    Attributes:
        period_s: how often the tag is polled, seconds; None = reported by exception.
        start_ns: beginning of the minute; -1 before the first reading.
        count: usable readings in it.
        total: their sum, or where reported by exception the integral of the value over `known_ns`, value · ns.
        known_ns: time with a usable value in force, up to the last reading.
        low: least of them.
        high: greatest of them.
        last: the last one.
        quality: worst StatusCode.
        held: the value in force since `held_ns`; None after a bad reading.
        held_ns: time of the last reading.
        lost_ns: when the link went; the value is not known to hold behind that; 0 = it is there.
        fresh: whether there is something that was not told.
    """

    period_s: float | None
    start_ns: int = -1
    count: int = 0
    total: float = 0.0
    known_ns: int = 0
    low: float | None = None
    high: float | None = None
    last: float | str | None = None
    quality: int = 0
    held: float | str | None = None
    held_ns: int = 0
    lost_ns: int = 0
    fresh: bool = False

    def take(self, time_ns: int, value: Any, status: int) -> Figures | None:
        """One reading; the minute before, where it ends that one and was not told whole.

        Args:
            time_ns: its time, ns since 1970 UTC.
            value: number, bool or text; meaningless where bad.
            status: its StatusCode.
        """
        start_ns = time_ns - time_ns % MINUTE_NS
        if status == BAD_NO_COMMUNICATION:
            self.lost_ns = self.lost_ns or time_ns
            if start_ns == self.start_ns:
                self.quality, self.fresh = worse(self.quality, status), True
            return None
        if start_ns < self.start_ns:
            return None
        ended = None
        if start_ns > self.start_ns:
            ended = self._figures() if self.fresh else None
            self._begin(start_ns)
        self._hold_until(time_ns)
        self.fresh = True
        self.quality = worse(self.quality, status)
        self.held_ns = max(time_ns, self.held_ns)
        if time_ns >= self.lost_ns:
            self.lost_ns = 0
        self.held = usable(value, status)
        if self.held is None:
            return ended
        self.count += 1
        self.last = self.held
        if not isinstance(self.last, str):
            self.low = self.last if self.low is None else min(self.low, self.last)
            self.high = self.last if self.high is None else max(self.high, self.last)
            if self.period_s is not None:
                self.total += self.last
        return ended

    def over(self, now_ns: int) -> Figures | None:
        """The minute, once it is over by `now_ns` and holds what was not told; later readings of it tell it again."""
        if not self.fresh or now_ns < self.start_ns + MINUTE_NS:
            return None
        self.fresh = False
        return self._figures()

    def moved(self, by_ns: int) -> Figures | None:
        """The clock was set; the minute, where it went back before its beginning and holds what was not told."""
        self.held_ns += by_ns if self.held_ns else 0
        self.lost_ns += by_ns if self.lost_ns else 0
        if self.held_ns >= self.start_ns:
            return None
        ended = self._figures() if self.fresh else None
        self.start_ns, self.fresh = -1, False
        return ended

    def forget(self) -> None:
        """Nobody listened since the last reading: its value is not known to hold."""
        self.lost_ns = self.lost_ns or self.held_ns

    def _begin(self, start_ns: int) -> None:
        self.start_ns, self.count, self.total, self.known_ns, self.quality = start_ns, 0, 0.0, 0, 0
        self.low = self.high = self.last = None

    def _hold_until(self, time_ns: int) -> None:
        """The value in force counts up to here, within this minute."""
        since_ns = max(self.held_ns, self.start_ns)
        time_ns = min(time_ns, self.lost_ns or time_ns)
        if self.period_s is None and self.held is not None and time_ns > since_ns:
            self.known_ns += time_ns - since_ns
            if not isinstance(self.held, str):
                self.total += self.held * (time_ns - since_ns)
                self.low = self.held if self.low is None else min(self.low, self.held)
                self.high = self.held if self.high is None else max(self.high, self.held)

    def _figures(self) -> Figures:
        total, known_ns = self.total, self.known_ns
        if self.period_s is not None:
            cover = min(1.0, self.count * self.period_s * 1e9 / MINUTE_NS)
            weight: float = self.count
        else:
            if self.held is not None:
                end_ns = self.start_ns + MINUTE_NS
                rest_ns = max(0, min(end_ns, self.lost_ns or end_ns) - max(self.held_ns, self.start_ns))
                known_ns += rest_ns
                total += 0.0 if isinstance(self.held, str) else self.held * rest_ns
            cover = known_ns / MINUTE_NS
            weight = known_ns
        percent = round(100 * cover, 3)
        if not self.count:
            return Figures(self.start_ns, None, None, None, None, 0, self.quality, percent)
        mean = None
        if self.low is not None and self.high is not None:
            mean = total / weight if weight else float(self.last or 0.0)  # it was in force for no time at all
            mean = min(max(mean, self.low), self.high)  # the last digit of a sum may fall outside
        return Figures(self.start_ns, self.low, mean, self.high, self.last, self.count, self.quality, percent)

    def state(self) -> list[Any]:
        """Everything but the period, for JSON; short, since it goes with each record: times are from the minute on."""
        start_ns = self.start_ns
        held_ns, lost_ns = self.held_ns - start_ns, self.lost_ns - start_ns if self.lost_ns else None
        told = [self.count, self.total, self.known_ns, self.low, self.high, self.last, self.quality]
        held = _AS_LAST if self.held == self.last else self.held
        return [start_ns // MINUTE_NS, *told, held, held_ns, lost_ns, int(self.fresh)]

    @classmethod
    def restored(cls, period_s: float | None, state: list[Any]) -> Minute:
        """The inverse of `state`."""
        minute, count, total, known_ns, low, high, last, quality, held, held_ns, lost_ns, fresh = state
        start_ns = minute * MINUTE_NS
        held = last if held == _AS_LAST else held
        lost_ns = 0 if lost_ns is None else start_ns + lost_ns
        figures = (count, total, known_ns, low, high, last, quality)
        return cls(period_s, start_ns, *figures, held, start_ns + held_ns, lost_ns, bool(fresh))


def worse(one: int, other: int) -> int:
    """The worse of two StatusCodes by severity; the first where they are equally bad."""
    return other if other & SEVERITY_MASK > one & SEVERITY_MASK else one
