"""Figures of pieces and cycles: P-UPH, P-CT, P-QTY, Q-PDR, C-MH."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.counted import Made
from viewer.kpi.oee import minutes, time_evidence
from viewer.kpi.result import Evidence, Result, missing, ratio, share
from viewer.kpi.spans import Times
from viewer.kpi.words import Amount, Text

_HOUR_NS: Final = 3600 * 10**9


def per_hour(times: Times | None, made: Made, working: Sequence[Span], period: Span, *, states: bool = True) -> Result:
    """P-UPH, 시간당 생산량: pieces / planned busy time that is known.

    Of a machine without states: pieces / working time in which its counters were collected.

    Args:
        times: time in each state within the working time, or when counters were collected; None = not known, and all
            working time counts.
        made: pieces within the working time.
        working: working time of the period.
        period: start and end, ns since 1970 UTC.
        states: whether `times` are those of states.
    """
    evidence = Evidence(period=period, samples=made.samples) if times is None else time_evidence(times, period)
    left_out = evidence.left_out if states else evidence.left_out[:1]
    if made.unplaced:
        left_out = (*left_out, Amount(words.UNPLACED, made.unplaced, words.PIECES))
    evidence = replace(evidence, samples=made.samples, seen_ns=made.seen_ns, left_out=left_out)
    if times is None:
        worked = minutes("조업시간", "working time", sum(high - low for low, high in working))
    elif not states:
        worked = minutes("수집된 조업시간", "working time collected", times.busy_ns)
    else:
        worked = minutes("부하시간", "planned busy time", times.busy_ns)
    if not worked.value and (times is None or not times.window_ns):
        return missing("P-UPH", evidence, words.NO_WORK, parts=(_pieces(made.total), worked))
    return ratio("P-UPH", _pieces(made.total), worked, evidence, 60, nothing=words.NO_WORK)


def cycle_time(
    time_ns: NDArray[np.int64],
    duration_s: NDArray[np.float64],
    counts: NDArray[np.int64],
    period: Span,
    cover: float | None = None,
) -> Result:
    """P-CT, 사이클타임: mean of the cycles that ended in the period, with their median as a part.

    Args:
        time_ns: ends of the records, int64, shape (n,), ns since 1970 UTC.
        duration_s: mean time of one cycle of each record, float64, shape (n,); NaN = not known, which is left out.
        counts: cycles that each record is about, int64, shape (n,).
        period: start and end, ns since 1970 UTC.
        cover: collection rate of the machines, percent; None = not known.
    """
    inside = (time_ns >= period[0]) & (time_ns < period[1])
    known = inside & np.isfinite(duration_s) & (counts > 0)
    without = int(counts[inside & ~known].sum())
    left_out = (
        (Amount(Text("시간을 모르는 사이클", "cycles of unknown length"), without, words.CASES),) if without else ()
    )
    cycles = int(counts[known].sum())
    newest = int(time_ns[known].max()) if cycles else None
    evidence = Evidence(period=period, samples=int(known.sum()), cover=cover, left_out=left_out, seen_ns=newest)
    if not cycles:
        return missing("P-CT", evidence)
    durations, weights = duration_s[known], counts[known]
    order = np.argsort(durations, kind="stable")
    middle = durations[order][np.searchsorted(np.cumsum(weights[order]), cycles / 2)]
    parts = (
        Amount(Text("사이클 수", "cycles"), cycles, words.CASES),
        Amount(Text("중앙값", "median"), float(middle), words.SECONDS),
    )
    return Result("P-CT", float(durations @ weights) / cycles, evidence, parts)


@dataclass(frozen=True, slots=True)
class Produced:
    """What was made in some time, such as that of a baseline.

    Attributes:
        pieces: how many.
        worked_ns: working time in which they were made, ns; above 0.
    """

    pieces: float
    worked_ns: int

    @property
    def hours(self) -> float:
        """Working time, h."""
        return self.worked_ns / _HOUR_NS

    @classmethod
    def in_hours(cls, pieces: float, hours: float) -> Produced:
        """The same with its working time in hours."""
        return cls(pieces, round(hours * _HOUR_NS))


def growth(actual: float | None, before: Produced | None, worked_ns: int, evidence: Evidence) -> Result:
    """P-QTY, 생산량 증가율: (actual − baseline) / baseline, the baseline's pieces taken for the same working time.

    Args:
        actual: pieces of the period; None = not counted.
        before: what was made in the time of the baseline; None = nobody measured or entered it.
        worked_ns: working time of the period, ns.
        evidence: of the pieces.
    """
    if actual is not None and evidence.samples and before is None:
        return missing("P-QTY", evidence, words.NO_BASELINE)
    baseline = None if before is None else before.pieces * worked_ns / before.worked_ns
    more = None if actual is None or baseline is None else actual - baseline
    return ratio(
        "P-QTY",
        Amount(Text("실적 − 기존", "actual − baseline"), more, words.PIECES),
        Amount(Text("기존 (같은 조업시간)", "baseline (same working time)"), baseline, words.PIECES),
        evidence,
        100,
        nothing=words.NOTHING_BELOW if worked_ns else words.NO_WORK,
        notes=() if before is None else (_before(before),),
    )


def _before(one: Produced) -> Text:
    return Text(
        f"기존: 조업 {one.hours:,.1f} h에 {one.pieces:,.0f} EA",
        f"baseline: {one.pieces:,.0f} EA in {one.hours:,.1f} h of working time",
    )


def defect_rate(made: Made, evidence: Evidence) -> tuple[Result, Result]:
    """Q-PDR, 공정불량률: bad pieces / pieces, in percent and in ppm."""
    top, bottom = Amount(Text("불량수량", "defects"), made.bad, words.PIECES), _pieces(made.total)
    nothing = words.NO_PIECES
    return (
        ratio("Q-PDR", top, bottom, evidence, 100, nothing=nothing),
        ratio("Q-PDR.ppm", top, bottom, evidence, 1e6, nothing=nothing),
    )


@dataclass(frozen=True, slots=True)
class Crew:
    """People at work, entered by hand.

    Attributes:
        start_ns: from when on, ns since 1970 UTC.
        end_ns: until before when.
        heads: how many.
    """

    start_ns: int
    end_ns: int
    heads: float


def man_hours(crews: Sequence[Crew], windows: Sequence[Span]) -> float | None:
    """총투입공수, MH: Σ people x working time; None without an entry for the windows, which are disjoint."""
    times_ns = [
        (one.heads, min(one.end_ns, end_ns) - max(one.start_ns, start_ns))
        for one in crews
        for start_ns, end_ns in windows
        if one.start_ns < end_ns and one.end_ns > start_ns
    ]
    return sum(heads * length_ns for heads, length_ns in times_ns) / _HOUR_NS if times_ns else None


def man_hours_per_piece(
    crews: Sequence[Crew], made: Made, windows: Sequence[Span], period: Span, cover: float | None = None
) -> Result:
    """C-MH, 작업공수: Σ people x working time / pieces.

    Working time of which nobody entered who worked has no man-hours, but may have pieces: the collection rate says so.

    Args:
        crews: entries.
        made: pieces in the windows.
        windows: working time of the period, disjoint.
        period: start and end, ns since 1970 UTC.
        cover: collection rate of the pieces, percent; None = not known.
    """
    spent = Amount(Text("총투입공수", "man-hours"), man_hours(crews, windows), words.MAN_HOURS)
    working_ns = sum(end_ns - start_ns for start_ns, end_ns in windows)
    entered_ns = sum(_entered_ns(crews, one) for one in windows)
    without_ns = working_ns - entered_ns
    entered = share(entered_ns, working_ns)
    left_out = (minutes("투입인원 입력이 없는 조업시간", "working time without a head count", without_ns),)
    evidence = Evidence(
        period=period,
        samples=made.samples,
        cover=min((one for one in (entered, cover) if one is not None), default=None),
        left_out=left_out if without_ns else (),
        seen_ns=made.seen_ns,
        manual=True,
    )
    return ratio("C-MH", spent, _pieces(made.total), evidence, nothing=words.NO_PIECES)


def _entered_ns(crews: Sequence[Crew], window: Span) -> int:
    """Time of a window for which anybody entered who worked; crews at the same time count once."""
    known_ns, until_ns = 0, window[0]
    for one in sorted(crews, key=lambda crew: crew.start_ns):
        end_ns = min(one.end_ns, window[1])
        known_ns += max(0, end_ns - max(one.start_ns, until_ns))
        until_ns = max(until_ns, end_ns)
    return known_ns


def _pieces(count: int | None) -> Amount:
    return Amount(Text("생산수량", "pieces"), count, words.PIECES)
