"""Evidence of figures, tags and lots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.result import Result
from viewer.kpi.words import NO_ENTRIES, Amount, Text
from viewer.level.finding import Finding, listed, percent
from viewer.level.kinds import FIGURES, MACHINES, RECORDS, TAGS

_NOTHING_TO_TELL: Final = frozenset({words.NO_FAILURE, words.NO_PIECES, words.NO_WORK, words.NO_SPREAD})
"""Reasons of figures without a value that were measured all the same: what they are about did not happen."""
NO_KPIS: Final = Text("설정에 KPI(kpis)가 없음", "no key figure (kpis) is configured")
NO_TAGS: Final = Text("설정에 태그가 없음", "no tag is configured")
NO_LOTS: Final = Text(
    "설정에 로트(energy의 lot)가 없고 수기 입력도 없음",
    "no lot (lot of energy) is configured, and none was entered by hand",
)


def automatic(figures: Sequence[Result], by_hand: frozenset[str], period: Span) -> Finding:
    """자동수집률: figures of the site that were made of measured data alone.

    Args:
        figures: all that the site names, as they are on the pages of the same period.
        by_hand: codes of those that need entries by hand.
        period: start and end, ns since 1970 UTC.
    """
    known = [one for one in figures if one.evidence.samples and (one.value is not None or one.why in _NOTHING_TO_TELL)]
    hand = [one for one in figures if one.code in by_hand or one.evidence.manual]
    measured = [one for one in known if one not in hand]
    lacking = [one for one in figures if one not in hand and one not in measured]
    return percent(
        "automatic",
        Amount(Text("측정값만으로 산출", "of measured data alone"), len(measured), FIGURES),
        Amount(Text("설정된 KPI", "configured"), len(figures), FIGURES),
        sum(one.evidence.samples for one in known),
        period,
        why=None if figures else NO_KPIS,
        further=(
            Amount(Text("수기 입력이 필요", "with entries by hand"), len(hand), FIGURES),
            Amount(Text("산출되지 않음", "without a value"), len(lacking), FIGURES),
        ),
        notes=listed(
            Text("산출되지 않음", "without a value"),
            [Text(*(f"{one.code} ({why})" for why in one.why or NO_ENTRIES)) for one in lacking],
        ),
    )


def rate(result: Result, *, since_ns: int | None) -> Finding:
    """수집률: the figure DQ-RATE itself.

    Args:
        result: of the site and the period.
        since_ns: the first day with a heartbeat; a period that begins earlier says so. None = there is none.
    """
    evidence = result.evidence
    early = since_ns is not None and evidence.period[0] < since_ns
    note = Text("수집을 시작하기 전의 시간이 기간에 있음", "the period begins before anything was collected")
    notes = (*result.notes, note) if early and result.value is not None else result.notes
    return Finding("rate", result.value, evidence.samples, evidence.period, result.parts, result.why, notes)


@dataclass(frozen=True, slots=True)
class Described:
    """How a tag of the site files is described.

    Attributes:
        label: whether it has a Korean label.
        unit: whether it has an engineering unit.
        source: whether it says where it comes from.
    """

    label: bool
    unit: bool
    source: bool

    @property
    def whole(self) -> bool:
        """Whether it has all of them."""
        return self.label and self.unit and self.source


def standard(tags: Sequence[Described], now_ns: int) -> Finding:
    """표준화: tags that are fully described, now.

    Args:
        tags: all of the site files.
        now_ns: ns since 1970 UTC.
    """
    note = Text(
        "상태·문자 태그처럼 단위가 없는 태그도 단위 없음으로 셈",
        "tags that can have no unit, such as texts, count as without one",
    )
    return percent(
        "standard",
        Amount(Text("셋 다 있음", "all three"), sum(one.whole for one in tags), TAGS),
        Amount(Text("설정 파일", "in the site files"), len(tags), TAGS),
        len(tags),
        (now_ns, now_ns),
        why=NO_TAGS,
        further=(
            Amount(Text("한글명", "Korean label"), sum(one.label for one in tags), TAGS),
            Amount(Text("단위", "unit"), sum(one.unit for one in tags), TAGS),
            Amount(Text("출처", "source"), sum(one.source for one in tags), TAGS),
        ),
        notes=(note,) if any(not one.unit for one in tags) else (),
    )


def lots(recorded: Sequence[tuple[str, str]], entered: Sequence[str], period: Span, *, configured: bool) -> Finding:
    """로트 추적; a lot that is recorded and entered is one.

    Args:
        recorded: machine and lot of each record that agents made in the period.
        entered: lots that people entered and that concern the period.
        period: start and end, ns since 1970 UTC.
        configured: whether any machine says which lot it makes.
    """
    different = {*entered, *(lot for _, lot in recorded)}
    parts = (
        Amount(Text("자동 기록", "recorded"), len(recorded) if configured else None, RECORDS),
        Amount(Text("수기 입력", "entered by hand"), len(entered), RECORDS),
        Amount(Text("자동 기록한 설비", "recorded on"), len({machine for machine, _ in recorded}), MACHINES),
    )
    samples = len(recorded) + len(entered)
    if not samples:
        return Finding("lots", None, 0, period, parts, words.NO_SAMPLES if configured else NO_LOTS)
    return Finding("lots", len(different), samples, period, parts, notes=(words.MANUAL,) if entered else ())
