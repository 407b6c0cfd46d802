"""One figure with everything that an honest reader asks of it. Without samples it has no value: 미수집, never 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.kpi import words
from viewer.kpi.catalog import CATALOG, Definition
from viewer.kpi.freshness import Freshness, freshness_of
from viewer.kpi.words import NO_PART, NO_SAMPLES, NOTHING_BELOW, Amount, Text

LEAST_COVER: Final = 95.0
"""Below this collection rate, percent, a figure is indicative (참고치) only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Of what a figure is made.

    Attributes:
        period: from when to before when, ns since 1970 UTC.
        samples: readings, stretches, records or entries that it is made of.
        cover: collection rate (수집률) of what it is made of, percent, 0 to 100; None = not known, as of entries by
            hand.
        left_out: what lies in the period and is not in the figure, unknown time first.
        seen_ns: time of the newest sample, ns since 1970 UTC; None = not known.
        manual: whether a person entered any of it (수기).
        at_least: whether `samples` was rounded down, for a reader who is not to know how many.
    """

    period: Span
    samples: int
    cover: float | None = None
    left_out: tuple[Amount, ...] = ()
    seen_ns: int | None = None
    manual: bool = False
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A figure.

    Attributes:
        code: of its definition in `CATALOG`.
        value: in the definition's unit; None = 미수집.
        evidence: of what it is made.
        parts: numbers that the formula was given.
        why: why there is no value; None where there is one.
        notes: remarks that belong beside the value.
        partial: whether a part of what it is about is not in it, as `evidence.left_out` says (일부 제외).

    Raises:
        ValueError: a value without samples, or one that is no number; no value and no reason for it.
    """

    code: str
    value: float | None
    evidence: Evidence
    parts: tuple[Amount, ...] = ()
    why: Text | None = None
    notes: tuple[Text, ...] = ()
    partial: bool = False

    def __post_init__(self) -> None:
        if self.value is None and self.why is None:
            msg = f"{self.code} has no value and does not say why"
            raise ValueError(msg)
        if self.value is not None and (self.evidence.samples <= 0 or not math.isfinite(self.value)):
            msg = f"{self.code} is {self.value} of {self.evidence.samples} samples"
            raise ValueError(msg)

    @property
    def definition(self) -> Definition:
        """Name, unit and formula."""
        return CATALOG[self.code]

    @property
    def unit(self) -> Text:
        """Unit of the value."""
        return self.definition.unit

    @property
    def formula(self) -> Text:
        """How it is computed."""
        return self.definition.formula

    @property
    def indicative(self) -> bool:
        """Whether too little was collected for it to be more than a hint (참고치)."""
        return self.value is not None and self.evidence.cover is not None and self.evidence.cover < LEAST_COVER

    @property
    def badges(self) -> tuple[Text, ...]:
        """What a reader has to know at a glance: 참고치, 일부 제외, 수기; nothing where there is no value."""
        marks = (
            (self.indicative, words.INDICATIVE),
            (self.partial, words.PARTIAL),
            (self.evidence.manual, words.MANUAL),
        )
        return () if self.value is None else tuple(text for holds, text in marks if holds)

    def freshness(self, now_ns: int) -> Freshness:
        """How long ago its newest sample was."""
        return freshness_of(self.evidence.seen_ns, now_ns)


def missing(code: str, evidence: Evidence, why: Text = NO_SAMPLES, *, parts: tuple[Amount, ...] = ()) -> Result:
    """A figure that there is not."""
    return Result(code, None, evidence, parts, why)


def ratio(
    code: str,
    top: Amount,
    bottom: Amount,
    evidence: Evidence,
    scale: float = 1.0,
    *,
    nothing: Text = NOTHING_BELOW,
    notes: tuple[Text, ...] = (),
) -> Result:
    """`top / bottom x scale`; no value without samples, without one of the two, or with 0 below.

    Args:
        code: of the definition.
        top: above the line.
        bottom: below it.
        evidence: of both.
        scale: 100 for percent.
        nothing: what it means that 0 is below.
        notes: remarks.
    """
    parts = (top, bottom)
    if not evidence.samples:
        return missing(code, evidence, parts=parts)
    if top.value is None or bottom.value is None:
        lacking = [one.what for one in parts if one.value is None]
        named = zip(NO_PART, zip(*lacking, strict=True), strict=True)
        return missing(code, evidence, Text(*(said.format(", ".join(own)) for said, own in named)), parts=parts)
    if not bottom.value:
        return missing(code, evidence, nothing, parts=parts)
    return Result(code, top.value / bottom.value * scale, evidence, parts, notes=notes)


def share(part: float, whole: float) -> float | None:
    """Percent, for collection rates: at most 100; None of nothing."""
    return min(100.0, part / whole * 100) if whole else None
