"""Figures of entries by hand: Q-FDR, Q-CLM, C-INV, S-INJ. An entry of 0 is a sample; no entry is 미수집."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.result import Evidence, Result, missing, ratio
from viewer.kpi.words import Amount, Text


@dataclass(frozen=True, slots=True)
class Entry:
    """Two numbers of one report.

    Attributes:
        time_ns: what it is about, ns since 1970 UTC.
        part: above the line: defects, claims, people injured, items that agree, value of the stock.
        whole: below it: inspected, delivered, people employed, items counted; 0 where there is no line.
    """

    time_ns: int
    part: float
    whole: float = 0.0


def final_defect_rate(inspections: Sequence[Entry], period: Span) -> Result:
    """Q-FDR, 완제품 불량률: Σ defects / Σ inspected."""
    texts = Text("최종검사 불량수", "defects"), Text("검사수", "inspected")
    return _of_sums("Q-FDR", inspections, period, texts, words.PIECES)


def claim_rate(reports: Sequence[Entry], period: Span) -> Result:
    """Q-CLM, 반품·클레임률: Σ returns and claims / Σ deliveries."""
    texts = Text("반품·클레임", "returns and claims"), Text("납품건수", "deliveries")
    return _of_sums("Q-CLM", reports, period, texts, words.CASES)


def stock_accuracy(takes: Sequence[Entry], period: Span) -> Result:
    """C-INV.accuracy, 재고정확도: Σ items that agree with the book / Σ items counted."""
    texts = Text("일치 품목수", "items that agree"), Text("실사 품목수", "items counted")
    return _of_sums("C-INV.accuracy", takes, period, texts, words.CASES)


def stock_value(takes: Sequence[Entry], period: Span) -> Result:
    """C-INV, 재고(재공)비용: mean value of the stock takes, KRW."""
    found, evidence = _within(takes, period)
    if not found:
        return missing("C-INV", evidence)
    total = sum(one.part for one in found)
    parts = (
        Amount(Text("금액 합계", "sum of the values"), total, words.WON),
        Amount(Text("재고조사", "stock takes"), len(found), words.CASES),
    )
    return Result("C-INV", total / len(found), evidence, parts)


def accident_rate(reports: Sequence[Entry], period: Span) -> Result:
    """S-INJ, 재해율: Σ people injured / mean of the people employed."""
    found, evidence = _within(reports, period)
    employed = sum(one.whole for one in found) / len(found) if found else None
    injured = sum(one.part for one in found) if found else None
    return ratio(
        "S-INJ",
        Amount(Text("재해자수", "people injured"), injured, words.PEOPLE),
        Amount(Text("근로자수(평균)", "people employed (mean)"), employed, words.PEOPLE),
        evidence,
        100,
    )


def near_misses(reports: Sequence[Entry], period: Span) -> Result:
    """S-INJ.near, 아차사고: Σ near misses reported."""
    found, evidence = _within(reports, period)
    if not found:
        return missing("S-INJ.near", evidence)
    return Result("S-INJ.near", sum(one.part for one in found), evidence)


def _of_sums(code: str, entries: Sequence[Entry], period: Span, texts: tuple[Text, Text], unit: Text) -> Result:
    found, evidence = _within(entries, period)
    top, bottom = sum(one.part for one in found), sum(one.whole for one in found)
    return ratio(code, Amount(texts[0], top, unit), Amount(texts[1], bottom, unit), evidence, 100)


def _within(entries: Sequence[Entry], period: Span) -> tuple[list[Entry], Evidence]:
    found = [one for one in entries if period[0] <= one.time_ns < period[1]]
    newest = max((one.time_ns for one in found), default=None)
    return found, Evidence(period=period, samples=len(found), seen_ns=newest, manual=True)
