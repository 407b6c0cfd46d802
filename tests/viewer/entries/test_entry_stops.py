"""Reasons laid over measured states."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pipelines.derive.signals import DOWN, IDLE, RUN, UNKNOWN
from tests.viewer.entries.said import STOP, entry, written
from viewer.entries.stops import STOPS, Piece, Run, explained, unexplained
from viewer.entries.written import Written

STOPPED = entry(STOP)


def said(start: int, end: int | None, at: int = 0, reason: str = "die") -> Written:
    return written(STOPPED.model_copy(update={"start": start, "end": end, "reason": reason}), at)


@st.composite
def states(draw: st.DrawFn) -> list[Run]:
    found, at = [], 0
    for _ in range(draw(st.integers(0, 8))):
        at += draw(st.integers(0, 3))
        length = draw(st.integers(1, 10))
        found.append((at, at + length, draw(st.integers(0, 8))))
        at += length
    return found


reasons = st.lists(
    st.builds(
        said,
        st.integers(0, 60),
        st.none() | st.integers(61, 90),
        st.integers(0, 9),
        st.sampled_from(["die", "material"]),
    ),
    max_size=5,
)


@given(states(), reasons)
def test_states_stay_what_they_are(runs: list[Run], entries: list[Written]) -> None:
    pieces = explained(runs, entries)
    assert told((one.start_ns, one.end_ns, one.code) for one in pieces) == told(runs)
    assert sum(one.end_ns - one.start_ns for one in pieces) == sum(end - start for start, end, _ in runs)
    assert all(one.entry is None for one in pieces if one.code not in STOPS)


def told(runs: Iterable[Run]) -> dict[int, int]:
    """State at each moment."""
    return {at: code for start, end, code in runs for at in range(start, end)}


@given(states(), reasons)
def test_of_several_reasons_the_one_entered_last_holds(runs: list[Run], entries: list[Written]) -> None:
    for one in explained(runs, entries):
        ended = [each for each in entries if each.entry.end is not None and each.entry.start is not None]
        over = [each for each in ended if each.entry.start <= one.start_ns and one.end_ns <= each.entry.end]  # type: ignore[operator]
        if over and one.code in STOPS:
            assert one.entry is not None
            assert one.entry.time_ns >= max(each.time_ns for each in over)


def test_a_reason_without_end_holds_until_the_machine_runs_or_is_not_heard() -> None:
    runs = [(0, 10, RUN), (10, 20, DOWN), (20, 30, IDLE), (30, 40, RUN), (40, 50, DOWN)]
    pieces = explained(runs, [said(12, None)])
    assert [(one.start_ns, one.end_ns, one.code, one.reason) for one in pieces] == [
        (0, 10, RUN, ""),
        (10, 12, DOWN, ""),
        (12, 20, DOWN, "die"),
        (20, 30, IDLE, "die"),
        (30, 40, RUN, ""),
        (40, 50, DOWN, ""),
    ]
    gap = [(10, 20, DOWN), (25, 30, DOWN), (30, 35, UNKNOWN)]
    assert [one.reason for one in explained(gap, [said(10, None)])] == ["die", "", ""]
    assert explained(runs, [said(5, None)]) == [Piece(*run) for run in runs], "it ran then"


def test_stops_without_reason_are_put_together_and_short_ones_left_out() -> None:
    runs = [(0, 2, DOWN), (2, 9, IDLE), (9, 10, RUN), (10, 11, DOWN), (20, 30, DOWN)]
    pieces = explained(runs, [said(22, 30)])
    assert unexplained(pieces, 0) == [Piece(20, 22, DOWN), Piece(10, 11, DOWN), Piece(0, 9, IDLE)]
    assert unexplained(pieces, 2e-9) == [Piece(20, 22, DOWN), Piece(0, 9, IDLE)]
