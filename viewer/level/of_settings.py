"""Evidence of figures, tags and lots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.result import Result
from viewer.kpi.words import Amount, Text
from viewer.level.finding import Finding, listed, percent
from viewer.level.kinds import FIGURES, MACHINES, RECORDS, TAGS

_LACKING: Final = Text("자료 없음", "without data")
NO_KPIS: Final = Text("설정에 KPI(kpis)가 없음", "no key figure (kpis) is configured")
NO_TAGS: Final = Text("설정에 태그가 없음", "no tag is configured")
NO_LOTS: Final = Text(
    "설정에 로트(energy의 lot)가 없고 수기 입력도 없음",
    "no lot (lot of energy) is configured, and none was entered by hand",
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure of the site comes from.

    Attributes:
        code: of the figure.
        by_hand: whether it needs entries by hand.
        why: what is missing of its measured inputs; None = nothing is.
    """

    code: str
    by_hand: bool
    why: Text | None


def automatic(figures: Sequence[Source], samples: int, period: Span) -> Finding:
    """자동수집률: figures of the site all of whose inputs are measured and stored.

    Args:
        figures: all that the site names.
        samples: stored points of the inputs of those that are made of measured data alone.
        period: start and end, ns since 1970 UTC.
    """
    hand = [one for one in figures if one.by_hand]
    measured = [one for one in figures if not one.by_hand and one.why is None]
    lacking = [(one.code, one.why) for one in figures if not one.by_hand and one.why is not None]
    return percent(
        "automatic",
        Amount(Text("측정값만으로 산출", "of measured data alone"), len(measured), FIGURES),
        Amount(Text("설정된 KPI", "configured"), len(figures), FIGURES),
        samples,
        period,
        why=None if figures else NO_KPIS,
        further=(
            Amount(Text("수기 입력이 필요", "with entries by hand"), len(hand), FIGURES),
            Amount(_LACKING, len(lacking), FIGURES),
        ),
        notes=listed(_LACKING, [Text(*(f"{code} ({said})" for said in why)) for code, why in lacking]),
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
