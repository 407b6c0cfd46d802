"""Reasons that people give, laid over measured states, which stay what they are: a reason cuts them, no more. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pipelines.derive.signals import DOWN, IDLE, MINOR, OFF, SETUP
from viewer.entries.written import Written

STOPS: Final = frozenset({DOWN, SETUP, IDLE, OFF, MINOR})
"""States of which a reason may be given; running, a plan, maintenance and what is unknown need none."""
Run = tuple[int, int, int]
"""Start and end, ns since 1970 UTC, and canonical state; disjoint, oldest first."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one state for one reason.

    Attributes:
        start_ns: ns since 1970 UTC.
        end_ns: does not belong to it.
        code: canonical state, as it was measured.
        entry: what was said of it; None = nothing.
    """

    start_ns: int
    end_ns: int
    code: int
    entry: Written | None = None

    @property
    def reason(self) -> str:
        """Why; empty = nobody said so."""
        return self.entry.entry.reason if self.entry else ""


def explained(runs: Iterable[Run], entries: Iterable[Written]) -> list[Piece]:
    """States with what was said of them, oldest first; together they are the same states.

    Args:
        runs: of one machine.
        entries: that count, of kind `stop`, about this machine. One without an end holds until the machine runs again,
            or is told nothing of. Of several about the same time the one entered last holds.
    """
    states = sorted(one for one in runs if one[0] < one[1])
    said = [(start, end, one) for one in sorted(entries, key=_entered) for start, end in _spans(one, states)]
    found: list[Piece] = []
    for start_ns, end_ns, code in states:
        here = [one for one in said if code in STOPS and one[0] < end_ns and one[1] > start_ns]
        cuts = sorted({start_ns, end_ns, *(at for one in here for at in one[:2] if start_ns < at < end_ns)})
        for low, high in pairwise(cuts):
            by = next((one for begin, until, one in reversed(here) if begin <= low < until), None)
            if found and found[-1].end_ns == low and (found[-1].code, found[-1].entry) == (code, by):
                found[-1] = Piece(found[-1].start_ns, high, code, by)
            else:
                found.append(Piece(low, high, code, by))
    return found


def unexplained(pieces: Sequence[Piece], least_s: float) -> list[Piece]:
    """Stops that nobody gave a reason for, those that follow each other as one, newest first.

    Args:
        pieces: of one machine, oldest first.
        least_s: shorter ones are left out, seconds.
    """
    bare = ((one.start_ns, one.end_ns, one.code) for one in pieces if one.entry is None)
    return [Piece(*one) for one in reversed(asked_about(bare, least_s))]


def asked_about(runs: Iterable[Run], least_s: float) -> list[Run]:
    """Stops that people are asked about, oldest first: those that follow each other are one, of the state it was most.

    Args:
        runs: of one machine that have no reason, oldest first; other states than `STOPS` are left out.
        least_s: shorter ones are left out, seconds.
    """
    found: list[Run] = []
    longest: list[int] = []
    for start_ns, end_ns, code in runs:
        if code not in STOPS:
            continue
        if found and found[-1][1] == start_ns:
            longer = end_ns - start_ns > longest[-1]
            longest[-1] = max(longest[-1], end_ns - start_ns)
            found[-1] = (found[-1][0], end_ns, code if longer else found[-1][2])
        else:
            found.append((start_ns, end_ns, code))
            longest.append(end_ns - start_ns)
    return [one for one in found if one[1] - one[0] >= least_s * 1e9]


def within(runs: Iterable[Run], windows: Sequence[tuple[int, int]]) -> list[Run]:
    """What of states lies in disjoint windows."""
    clipped = (
        (max(start_ns, low), min(end_ns, high), code) for start_ns, end_ns, code in runs for low, high in windows
    )
    return [one for one in clipped if one[0] < one[1]]


def _spans(written: Written, states: Sequence[Run]) -> list[tuple[int, int]]:
    start_ns, end_ns = written.entry.start, written.entry.end
    if start_ns is None:
        return []
    if end_ns is not None:
        return [(start_ns, end_ns)]
    until_ns = start_ns
    at = bisect_right(states, start_ns, key=lambda one: one[0]) - 1
    for begin, end, code in states[max(at, 0) :]:
        if code not in STOPS or begin > max(until_ns, start_ns):
            break
        until_ns = end
    return [(start_ns, until_ns)] if until_ns > start_ns else []


def _entered(written: Written) -> tuple[int, str]:
    return written.time_ns, written.id
