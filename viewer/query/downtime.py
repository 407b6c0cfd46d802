"""비가동: how long a machine stood in working time, by state and reason, and how much of that has no reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipelines.calendar import Span
from pipelines.derive.signals import DOWN, IDLE, MINOR, OFF, PACKML_STATES, SETUP
from viewer.catalog import MachineInfo
from viewer.kpi.spans import Spans, Times, times
from viewer.query.entered import stops_of, with_reasons
from viewer.query.states import StateRun, state_runs
from viewer.site_info import SiteInfo
from viewer.stores.base import Store

STOPS: Final = (DOWN, SETUP, IDLE, OFF, MINOR)
"""States that are losses of working time. Planned stops and maintenance are none, and unknown time is told apart."""
SOURCE_WORDS: Final = frozenset(
    {"", "red", "amber", "green", "dark", "power", "count", "no_count", "Maintenance"}
) | frozenset(name for names in PACKML_STATES.values() for name in names)
"""What a source says of how a machine is; it does not say why."""

Reasons = Callable[[StateRun], str]
"""Reason that people entered for a stretch; empty = none."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Standing in one state for one reason.

    Attributes:
        code: canonical state.
        reason: why; empty = nobody said so.
        length_ns: how long, in working time.
        count: in how many stretches that touch working time.
    """

    code: int
    reason: str
    length_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Standing in one state for one reason without a break.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: its end.
        code: canonical state.
        reason: why; empty = nobody said so.
        length_ns: how much of it is working time.
    """

    start_ns: int
    end_ns: int
    code: int
    reason: str
    length_ns: int


@dataclass(frozen=True, slots=True)
class Downtime:
    """How a machine stood.

    Attributes:
        times: time in each state, in working time.
        stops: the longest first; their lengths add up to `stopped_ns`.
        stretches: what they were counted from, oldest first.
        runs: the states as they were told, oldest first.
    """

    times: Times
    stops: tuple[Stop, ...]
    stretches: tuple[Stretch, ...] = ()
    runs: tuple[StateRun, ...] = ()

    @property
    def stopped_ns(self) -> int:
        """Time of all stops."""
        return sum(one.length_ns for one in self.stops)

    @property
    def without_reason(self) -> float | None:
        """Part of the stopped time for which nobody gave a reason, percent; None where nothing stood."""
        if not self.stopped_ns:
            return None
        return sum(one.length_ns for one in self.stops if not one.reason) / self.stopped_ns * 100


def downtime(
    store: Store, site: SiteInfo, machine: MachineInfo, period: Span, entered: Reasons | None = None
) -> Downtime:
    """How one machine stood in a period, with the reasons that people entered for it.

    Args:
        store: holds its states.
        site: says when it works.
        machine: which.
        period: start and end, ns since 1970 UTC; the end is not in the future.
        entered: further reasons by people, which go before all others; None = there are none.

    Raises:
        DependencyError: the store cannot be reached.
    """
    found = state_runs(store, machine, period)
    working = site.calendar.working(*period)
    reasons = stood(with_reasons(found, stops_of(store, site, machine, period), site), working, entered)
    whole = stood(found, working).times  # a reason cuts no stretch of a state in two
    return replace(reasons, times=whole, runs=tuple(found))


def stood(found: Sequence[StateRun], working: Sequence[Span], entered: Reasons | None = None) -> Downtime:
    """How a machine stood, by its states; pure. See `downtime`."""
    stretches = _stretches(found, working, entered)
    by_kind: dict[tuple[int, str], list[Stretch]] = {}
    for one in stretches:
        by_kind.setdefault((one.code, one.reason), []).append(one)
    stops = (Stop(*key, sum(one.length_ns for one in of), len(of)) for key, of in by_kind.items())
    spans = Spans.of((one.start_ns, one.end_ns, one.code) for one in found)
    ordered = sorted(stops, key=lambda one: (-one.length_ns, one.code, one.reason))
    return Downtime(times(spans, working), tuple(ordered), tuple(stretches), tuple(found))


def _stretches(found: Sequence[StateRun], working: Sequence[Span], entered: Reasons | None) -> list[Stretch]:
    stretches: list[Stretch] = []
    for run in found:
        length_ns = sum(max(0, min(run.end_ns, high) - max(run.start_ns, low)) for low, high in working)
        if run.code not in STOPS or not length_ns:
            continue
        one = Stretch(
            run.start_ns, run.end_ns, run.code, (entered(run) if entered else "") or said(run.reason), length_ns
        )
        before = stretches[-1] if stretches else None
        if before and (before.end_ns, before.code, before.reason) == (one.start_ns, one.code, one.reason):
            one = replace(one, start_ns=before.start_ns, length_ns=before.length_ns + length_ns)
            stretches.pop()
        stretches.append(one)
    return stretches


def said(word: str) -> str:
    """A machine's own word, where it says why: a number, or how a source says that it stands, does not."""
    return "" if word in SOURCE_WORDS or word.lstrip("-").isdecimal() else word
