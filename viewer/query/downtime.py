"""비가동: how long a machine stood in working time, by state and reason, and how much of that has no reason."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Final

from pipelines.calendar import Span
from pipelines.derive.signals import DOWN, IDLE, MINOR, OFF, PACKML_STATES, SETUP
from viewer.catalog import MachineInfo
from viewer.entries.settings import EntrySettings
from viewer.entries.stops import Run, asked_about, within
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
        open_ns: how much of it waits for a reason: people are not asked about a short stop.
    """

    code: int
    reason: str
    length_ns: int
    count: int
    open_ns: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Standing in one state for one reason without a break.

    Attributes:
        start_ns: its beginning, ns since 1970 UTC.
        end_ns: its end.
        code: canonical state.
        reason: why; empty = nobody said so.
        length_ns: how much of it is working time.
        open_ns: how much of that waits for a reason.
    """

    start_ns: int
    end_ns: int
    code: int
    reason: str
    length_ns: int
    open_ns: int = 0


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
        """See `without_reason`."""
        return without_reason(self.stops)


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
    told = with_reasons(found, stops_of(store, site, machine, period), site)
    reasons = stood(told, working, entered, least_s=least_stop_s(site))
    whole = stood(found, working).times  # a reason cuts no stretch of a state in two
    return replace(reasons, times=whole, runs=tuple(found))


def stood(
    found: Sequence[StateRun],
    working: Sequence[Span],
    entered: Reasons | None = None,
    least_s: float = EntrySettings().least_stop_s,
) -> Downtime:
    """How a machine stood, by its states; pure. See `downtime`.

    Args:
        found: its states with the reasons that are known, oldest first.
        working: when it was to work, disjoint.
        entered: further reasons.
        least_s: of a shorter stop nobody is asked for a reason, seconds.
    """
    stretches = _stretches(found, working, entered, least_s)
    by_kind: dict[tuple[int, str], list[Stretch]] = {}
    for one in stretches:
        by_kind.setdefault((one.code, one.reason), []).append(one)
    stops = (
        Stop(*key, sum(one.length_ns for one in of), len(of), sum(one.open_ns for one in of))
        for key, of in by_kind.items()
    )
    spans = Spans.of((one.start_ns, one.end_ns, one.code) for one in found)
    ordered = sorted(stops, key=lambda one: (-one.length_ns, one.code, one.reason))
    return Downtime(times(spans, working), tuple(ordered), tuple(stretches), tuple(found))


def asked_ns(stops: Iterable[Stop]) -> int:
    """Stopped time that has a reason or waits for one, ns: the whole that `without_reason` is a part of."""
    return sum(one.length_ns if one.reason else one.open_ns for one in stops)


def without_reason(stops: Sequence[Stop]) -> float | None:
    """Part of the time in `asked_ns` that waits for a reason, percent; None where there is no such time."""
    whole = asked_ns(stops)
    return sum(one.open_ns for one in stops) / whole * 100 if whole else None


def least_stop_s(site: SiteInfo) -> float:
    """The shortest stop that people of a site are asked about, seconds."""
    return (site.entry or EntrySettings()).least_stop_s


def _stretches(
    found: Sequence[StateRun], working: Sequence[Span], entered: Reasons | None, least_s: float
) -> list[Stretch]:
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
    bare = ((one.start_ns, one.end_ns, one.code) for one in stretches if not one.reason)
    waits = asked_about(within(bare, working), least_s)
    return [one if one.reason else replace(one, open_ns=_together_ns(one, waits)) for one in stretches]


def _together_ns(one: Stretch, spans: Sequence[Run]) -> int:
    """How much of a stretch lies in disjoint spans, oldest first."""
    at = bisect_right(spans, one.start_ns, key=lambda span: span[1])
    inside = takewhile(lambda span: span[0] < one.end_ns, islice(spans, at, None))
    return sum(min(one.end_ns, high) - max(one.start_ns, low) for low, high, _ in inside)


def said(word: str) -> str:
    """A machine's own word, where it says why: a number, or how a source says that it stands, does not."""
    return "" if word in SOURCE_WORDS or word.lstrip("-").isdecimal() else word
