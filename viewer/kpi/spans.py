"""How long a machine was in each state. What was not told is unknown: a time of its own, never downtime.

All times are whole nanoseconds, so that a period that is split anywhere adds up exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from pipelines.derive.signals import DOWN, MAINT, MINOR, PLANNED, RUN, UNKNOWN

_STATES: Final = 9
_MUCH_UNKNOWN: Final = 0.05


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of one state, disjoint, oldest first. Between them the state is unknown.

    Attributes:
        start_ns: int64, shape (n,), ns since 1970 UTC.
        end_ns: int64, shape (n,); the end does not belong to it.
        code: canonical states 0-8, int64, shape (n,).

    Raises:
        ValueError: they overlap, end before they begin, or have another code.
    """

    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    code: NDArray[np.int64]

    def __post_init__(self) -> None:
        if np.any(self.end_ns < self.start_ns) or np.any(self.start_ns[1:] < self.end_ns[:-1]):
            msg = "stretches of states must be disjoint and in order"
            raise ValueError(msg)
        if np.any((self.code < UNKNOWN) | (self.code >= _STATES)):
            msg = f"states are 0 to {_STATES - 1}, not {sorted(set(self.code.tolist()))}"
            raise ValueError(msg)

    @classmethod
    def of(cls, runs: Iterable[tuple[int, int, int]]) -> Spans:
        """From (start, end, state), as `viewer.states.runs` gives them."""
        rows = np.array(sorted(one for one in runs if one[0] < one[1]), dtype=np.int64).reshape(-1, 3)
        return cls(rows[:, 0], rows[:, 1], rows[:, 2])

    def known(self) -> Spans:
        """Those of a known state."""
        keep = self.code != UNKNOWN
        return Spans(self.start_ns[keep], self.end_ns[keep], self.code[keep])

    def known_ns(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Time with a known state before each of these moments, int64 of the same shape."""
        known = self.known()
        before = np.concatenate(([0], np.cumsum(known.end_ns - known.start_ns)))
        index = np.searchsorted(known.start_ns, time_ns, side="right")
        beyond = known.end_ns[np.maximum(index - 1, 0)] - time_ns if len(known.code) else np.zeros_like(time_ns)
        return np.where(index > 0, before[index] - np.maximum(beyond, 0), 0)


@dataclass(frozen=True, slots=True)
class Times:
    """Time in each state within windows, and the elements of time that it makes.

    ISO 22400-2:2014 (elements as in OPC 40001-1, Annex C): PBT planned busy time, APT actual production time. TPM: PBT
    is 부하시간 (loading time). Planned stops (계획정지) and maintenance (보전) are no planned busy time; being off or
    idle within working time is. Unknown time is neither above nor below a line.

    Attributes:
        by_state: ns in each state 0-8; 0 is what is unknown.
        samples: stretches of a known state that they are made of.
        seen_ns: end of the last of them, ns since 1970 UTC; None = there is none.
    """

    by_state: tuple[int, ...]
    samples: int
    seen_ns: int | None = None

    def __add__(self, other: Times) -> Times:
        """Of two machines, or of disjoint windows of one."""
        both = tuple(one + more for one, more in zip(self.by_state, other.by_state, strict=True))
        return Times(both, self.samples + other.samples, max(self.seen_ns or 0, other.seen_ns or 0) or None)

    @property
    def window_ns(self) -> int:
        """All of it."""
        return sum(self.by_state)

    @property
    def unknown_ns(self) -> int:
        """미수집시간."""
        return self.by_state[UNKNOWN]

    @property
    def planned_ns(self) -> int:
        """Planned stops and maintenance (계획휴지): not planned to be busy."""
        return self.by_state[PLANNED] + self.by_state[MAINT]

    @property
    def busy_ns(self) -> int:
        """PBT, 부하시간: planned to be busy, as far as it is known."""
        return self.window_ns - self.unknown_ns - self.planned_ns

    @property
    def run_ns(self) -> int:
        """APT, actual production time."""
        return self.by_state[RUN]

    @property
    def down_ns(self) -> int:
        """Failures (고장)."""
        return self.by_state[DOWN]

    @property
    def stop_ns(self) -> int:
        """정지시간 of TPM: failures, setup, idle and off; a minor stop is a loss of performance there."""
        return self.busy_ns - self.operating_ns

    @property
    def operating_ns(self) -> int:
        """가동시간 of TPM: running and minor stops."""
        return self.by_state[RUN] + self.by_state[MINOR]

    @property
    def cover(self) -> float:
        """How much of the windows is known, percent; 0 of no window."""
        return (1 - self.unknown_ns / self.window_ns) * 100 if self.window_ns else 0.0

    @property
    def much_unknown(self) -> bool:
        """Whether more than 5 % of what may have been planned busy time is unknown."""
        return self.unknown_ns > _MUCH_UNKNOWN * (self.busy_ns + self.unknown_ns)


def times(spans: Spans, windows: Sequence[Span]) -> Times:
    """Time in each state within disjoint windows, such as the working time of a period.

    Args:
        spans: of one machine.
        windows: start and end, ns since 1970 UTC.
    """
    total = np.zeros(_STATES, dtype=np.int64)
    samples, seen_ns = 0, None
    for start_ns, end_ns in windows:
        low = int(np.searchsorted(spans.end_ns, start_ns, side="right"))
        high = int(np.searchsorted(spans.start_ns, end_ns, side="left"))
        inside = slice(low, max(low, high))
        lengths = np.minimum(spans.end_ns[inside], end_ns) - np.maximum(spans.start_ns[inside], start_ns)
        np.add.at(total, spans.code[inside], lengths)
        total[UNKNOWN] += end_ns - start_ns - int(lengths.sum())
        known = np.flatnonzero(spans.code[inside] != UNKNOWN)
        if len(known):
            samples += len(known)
            seen_ns = max(seen_ns or 0, min(end_ns, int(spans.end_ns[inside][known[-1]])))
    return Times(tuple(total.tolist()), samples, seen_ns)


def failures(spans: Spans, period: Span, windows: Sequence[Span]) -> int:
    """Failures of a period, each counted when it first stands in planned busy time; one that never does is none.

    A failure that is only interrupted by unknown time, or by a planned stop such as lunch, is one. One that stood in
    working time before the period is not of it, so that a period that is split anywhere adds up.

    Args:
        spans: of one machine, from before any failure that stands at the beginning of the period.
        period: start and end, ns since 1970 UTC.
        windows: disjoint working time of the period, and of the time before it as far back as such a failure began.
    """
    passing = np.isin(spans.code, (UNKNOWN, PLANNED))
    start_ns, end_ns, code = spans.start_ns[~passing], spans.end_ns[~passing], spans.code[~passing]
    down = code == DOWN
    number = np.cumsum(down & (np.concatenate(([UNKNOWN], code[:-1])) != DOWN))[down]
    edges = np.array(sorted(windows), dtype=np.int64).reshape(-1, 2)
    if not len(edges) or not len(number):
        return 0
    at = np.searchsorted(edges[:, 1], start_ns[down], side="right")
    first_ns = np.maximum(start_ns[down], edges[np.minimum(at, len(edges) - 1), 0])
    stands = (at < len(edges)) & (first_ns < end_ns[down])
    _, begins = np.unique(number[stands], return_index=True)
    met_ns = first_ns[stands][begins]
    return int(np.count_nonzero((met_ns >= period[0]) & (met_ns < period[1])))


def standing_since(spans: Spans, at_ns: int) -> int:
    """When the failure began that stands at a moment, ns since 1970 UTC; the moment itself where none does."""
    passing = np.isin(spans.code, (UNKNOWN, PLANNED))
    before = ~passing & (spans.start_ns < at_ns)
    start_ns, code = spans.start_ns[before], spans.code[before]
    others = np.flatnonzero(code != DOWN)
    first = int(others[-1]) + 1 if len(others) else 0
    return int(start_ns[first]) if first < len(code) else at_ns
