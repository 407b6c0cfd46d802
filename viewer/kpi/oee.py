"""Overall equipment effectiveness in two profiles that split it differently and agree on the whole.

| | ISO 22400-2:2014 | Korean TPM |
|---|---|---|
| first | availability = APT / PBT | 시간가동률 = (부하 − 정지) / 부하 |
| second | effectiveness = PRI × PQ / APT | 성능가동률 = 이론CT × 생산수량 / 가동시간 |
| third | quality ratio = GQ / PQ | 양품률 = 양품 / 생산 |

A minor stop lowers the first of ISO and the second of TPM; PBT is 부하시간. The product is PRI × GQ / PBT in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.counted import Made
from viewer.kpi.result import Evidence, Result, missing, ratio
from viewer.kpi.spans import Times
from viewer.kpi.words import Amount, Text

Profile = Literal["iso22400", "tpm_kr"]
MINUTE_NS: Final = 60 * 10**9
_TOO_GOOD: Final = 105.0
"""Above this performance, percent, the ideal cycle time is doubted; nothing is clamped."""
_CODES: Final = {"iso22400": ("P-OEE.A", "P-OEE.E"), "tpm_kr": ("P-OEE.TA", "P-OEE.TP")}


@dataclass(frozen=True, slots=True)
class Oee:
    """The whole and its three factors."""

    whole: Result
    availability: Result
    performance: Result
    quality: Result

    def __iter__(self) -> Iterator[Result]:
        return iter((self.whole, self.availability, self.performance, self.quality))


def time_evidence(times: Times, period: Span) -> Evidence:
    """What a figure made of states stands on: unknown and planned time are left out, and say how long they were."""
    left_out = (
        minutes("미수집시간", "unknown time", times.unknown_ns),
        minutes("계획정지·보전", "planned stops and maintenance", times.planned_ns),
    )
    return Evidence(period=period, samples=times.samples, cover=times.cover, left_out=left_out, seen_ns=times.seen_ns)


def minutes(ko: str, en: str, length_ns: int) -> Amount:
    """A length of time as a part of a figure."""
    return Amount(Text(ko, en), length_ns / MINUTE_NS, words.MINUTES)


def utilisation(times: Times, period: Span) -> Result:
    """P-UTIL, 설비가동률: time running / planned busy time that is known."""
    return _of_times("P-UTIL", times, times.run_ns, minutes("부하시간", "busy", times.busy_ns), period)


def oee(times: Times, made: Made, standard_s: float | None, period: Span, profile: Profile) -> Oee:
    """Overall equipment effectiveness.

    A machine that did not run for a moment of its planned busy time has 0 %, whether or not something counts; one that
    ran and was not counted has none.

    Args:
        times: time in each state within the working time of the period.
        made: pieces within the same time.
        standard_s: time that the pieces should have taken, of `viewer.kpi.counted.standard_s`; None = not known.
        period: start and end, ns since 1970 UTC.
        profile: `iso22400` or `tpm_kr`.
    """
    first, second = _CODES[profile]
    operating_ns = times.run_ns if profile == "iso22400" else times.operating_ns
    operating = minutes("가동시간", "operating time", operating_ns)
    busy = minutes("부하시간", "planned busy time", times.busy_ns)
    base = time_evidence(times, period)
    unplaced = Amount(words.UNPLACED, made.unplaced, words.PIECES)
    counted = replace(
        base,
        samples=made.samples,
        left_out=(*base.left_out, unplaced) if made.unplaced else base.left_out,
        seen_ns=made.seen_ns,
    )
    availability = _of_times(first, times, operating_ns, busy, period)
    standard = None if standard_s is None else standard_s / 60
    ideal = Amount(Text("이론CT × 생산수량", "ideal time × pieces"), standard, words.MINUTES)
    performance = ratio(second, ideal, operating, counted, 100, nothing=_no_time(times))
    if performance.value is not None and performance.value > _TOO_GOOD:
        performance = replace(performance, notes=(words.CHECK_IDEAL,))
    quality = ratio("P-OEE.Q", _good(made), _total(made), counted, 100, nothing=words.NO_PIECES)
    whole = _whole(times, operating, busy, standard, quality, counted)
    whole = replace(whole, notes=(*availability.notes, *performance.notes))
    return Oee(whole, availability, performance, quality)


def _whole(
    times: Times, operating: Amount, busy: Amount, standard: float | None, quality: Result, counted: Evidence
) -> Result:
    """P-OEE = PRI × PQ / PBT × GQ / PQ, which has a value also where one of the factors has none."""
    if not times.window_ns:
        return missing("P-OEE", counted, words.NO_WORK, parts=(operating, busy))
    if times.busy_ns and not operating.value:
        return Result("P-OEE", 0.0, replace(counted, samples=times.samples), (operating, busy))
    good = quality.parts[0].value
    of_good = None if standard is None or good is None else standard * (quality.value or 0.0) / 100
    effective = Amount(Text("이론CT × 양품수량", "ideal time × good pieces"), of_good, words.MINUTES)
    return ratio("P-OEE", effective, busy, counted, 100, nothing=_no_time(times))


def _no_time(times: Times) -> Text:
    """Why there is no time to divide by."""
    return words.NO_WORK if times.samples else words.NO_SAMPLES


def _of_times(code: str, times: Times, above_ns: int, busy: Amount, period: Span) -> Result:
    evidence = time_evidence(times, period)
    notes = (words.MUCH_UNKNOWN,) if times.much_unknown else ()
    above = minutes("가동시간", "operating time", above_ns)
    if not times.window_ns:
        return missing(code, evidence, words.NO_WORK, parts=(above, busy))
    return ratio(code, above, busy, evidence, 100, nothing=words.NO_WORK, notes=notes)


def _good(made: Made) -> Amount:
    return Amount(Text("양품수량", "good pieces"), made.good, words.PIECES)


def _total(made: Made) -> Amount:
    return Amount(Text("생산수량", "pieces"), made.total, words.PIECES)
