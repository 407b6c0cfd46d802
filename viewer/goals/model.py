"""A goal as the book keeps it: where its baseline is from, who made each version, and who approved it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.calendar import Span
from viewer.figure_text import period as period_text
from viewer.kpi.production import Produced
from viewer.kpi.result import LEAST_COVER
from viewer.kpi.words import INDICATIVE, Text
from viewer.query.unit import Unit
from viewer.reports.goals_file import GoalSettings
from viewer.site_info import SiteInfo
from viewer.words import local

CAPS: Final = (None, 100.0, 120.0)
"""No achievement counts for more than this, percent; None = no limit."""


@dataclass(frozen=True, slots=True)
class Whose:
    """A company's site, a line or a machine of it; empty = not one of these."""

    company: str
    site: str
    line: str = ""
    machine: str = ""

    @classmethod
    def of(cls, site: SiteInfo, unit: Unit) -> Whose:
        """Whose the figures of a unit are."""
        return cls(site.company, site.name, unit.line, unit.machine)

    def __str__(self) -> str:
        return "/".join(one or "-" for one in (self.company, self.site, self.line, self.machine))


@dataclass(frozen=True, slots=True)
class Measured:
    """Of which stored data a baseline was computed.

    Attributes:
        period: from when to before when, ns since 1970 UTC.
        samples: of which it was made.
        cover: collection rate, percent; None = not known, as of entries by hand.
        query: how the same is asked for again.
        digest: SHA-256 of what the site's series held in the period, hexadecimal.
    """

    period: Span
    samples: int
    cover: float | None
    query: str
    digest: str

    @property
    def indicative(self) -> bool:
        """Whether too little was collected for it to be more than a hint (참고치)."""
        return self.cover is not None and self.cover < LEAST_COVER


@dataclass(frozen=True, slots=True)
class Baseline:
    """기존.

    Attributes:
        value: in the unit of the figure.
        note: where somebody has it from who entered it (수기); empty of one that was measured.
        measured: of what it was computed; None = somebody entered it.
        before: of P-QTY, whose value is 0 %, what was made in the time of the baseline.
    """

    value: float
    note: str = ""
    measured: Measured | None = None
    before: Produced | None = None

    @property
    def origin(self) -> Text:
        """Where it is from."""
        found, of = self._origin(), self.before
        if of is None:
            return found
        made = f"{of.pieces:,.0f} EA / {of.hours:,.1f} h"
        return Text(f"{made}, {found.ko}", f"{made}, {found.en}")

    def _origin(self) -> Text:
        one = self.measured
        if one is None:
            return Text(f"수기: {self.note}", f"by hand: {self.note}")
        rate = "" if one.cover is None else f"{one.cover:.1f} %"
        ko = f"측정 {period_text(one.period)}, 표본 {one.samples:,}, 수집률 {rate or '알 수 없음'}"
        en = f"measured {period_text(one.period)}, {one.samples:,} samples, collection rate {rate or 'not known'}"
        return Text(f"{ko} ({INDICATIVE.ko})", f"{en} ({INDICATIVE.en})") if one.indicative else Text(ko, en)

    @property
    def in_file(self) -> str:
        """The same without words of one language."""
        one = self.measured
        if one is None:
            return self.note
        return f"{period_text(one.period)} · n={one.samples:,} · {'?' if one.cover is None else f'{one.cover:.1f} %'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What somebody wants of a figure.

    Attributes:
        code: of the figure in `viewer.kpi.catalog.CATALOG`.
        baseline: 기존; None = not known yet.
        target: 목표.
        weight: 가중치, above 0.
        dropped: the figure is no goal any more.
        reason: why it is changed.
    """

    code: str
    baseline: Baseline | None
    target: float
    weight: float = 1.0
    dropped: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a goal.

    Attributes:
        id: number in the book.
        whose: company, site, line and machine.
        promise: what it says.
        version: counts the changes of the goal, from 1 on.
        made_ns: when it was proposed, ns since 1970 UTC.
        made_by: who did; empty = nobody known.
        approved_ns: from then on it is locked, ns since 1970 UTC; None = a draft.
        approved_by: who approved it.
    """

    id: int
    whose: Whose
    promise: Promise
    version: int
    made_ns: int
    made_by: str
    approved_ns: int | None = None
    approved_by: str = ""

    @property
    def official(self) -> bool:
        """Whether it is locked."""
        return self.approved_ns is not None

    def settings(self) -> GoalSettings:
        """As a file of goals has it."""
        one = self.promise
        before = one.baseline.before if one.baseline else None
        return GoalSettings(
            code=one.code,
            baseline=one.baseline.value if one.baseline else None,
            baseline_from=one.baseline.in_file if one.baseline else "",
            baseline_pieces=before.pieces if before else None,
            baseline_hours=before.hours if before else None,
            target=one.target,
            weight=one.weight,
            version=self.version,
            approved_on=None if self.approved_ns is None else local(self.approved_ns).date(),
            approved_by=self.approved_by,
            dropped=one.dropped,
            detail=one.reason,
        )
