"""위험도: whom to call first, a sum whose parts are shown, and which companies need somebody to act. Pure.

위험도 = 신선도 (정상 0, 지연 10, 단절 30, 미수집 40) + 경보 (10 x urgent that stand + 5 x unacknowledged, 30 at most)
+ 기한 (20 once the collecting ended, 15 within 7 days, 10 within 30 days) + KPI (10 where a figure got worse than its
baseline, 5 where 종합달성도 is below 100 %). It orders a list and judges nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from viewer.book.facts import Facts
from viewer.fleet.promised import Promised
from viewer.fleet.summary import Summary
from viewer.kpi.freshness import Freshness

FRESHNESS: Final = {Freshness.OK: 0, Freshness.DELAYED: 10, Freshness.LOST: 30, Freshness.NONE: 40}
URGENT: Final = 10
WAITING: Final = 5
MOST_ALARMS: Final = 30
DEADLINES: Final = ((0, 20), (8, 15), (31, 10))
"""Days that are left, and what is added below each."""
WORSE: Final = 10
MISSED: Final = 5
SILENT_DAYS: Final = 3
WITHOUT_REASON: Final = 50.0
"""Per cent of the downtime."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Points of a company."""

    freshness: int
    alarms: int
    deadline: int
    goals: int = 0

    @property
    def total(self) -> int:
        """Their sum, 0 to 100."""
        return self.freshness + self.alarms + self.deadline + self.goals


def risk(one: Summary, facts: Facts, today: date) -> Risk:
    """위험도 of a company; alarms and goals that were not asked for yet add nothing."""
    alarms = 0 if one.detail is None else URGENT * one.detail.urgent + WAITING * one.detail.waiting
    left = None if facts.last_day is None else (facts.last_day - today).days
    deadline = 0 if left is None else next((points for days, points in DEADLINES if left < days), 0)
    return Risk(FRESHNESS[one.freshness], min(MOST_ALARMS, alarms), deadline, _goals(one.promised))


def _goals(kept: Promised | None) -> int:
    if kept is None or kept.overall is None or (kept.reached and not kept.worse):
        return 0
    return WORSE if kept.worse else MISSED


def reasons(one: Summary, facts: Facts, today: date) -> list[tuple[str, str]]:
    """Why somebody has to act: `fleet_act_<word>` of `viewer/i18n`, and the figure in it."""
    found = []
    if one.silent_days is None:
        found.append(("never", ""))
    elif one.silent_days >= SILENT_DAYS:
        found.append(("silent", str(one.silent_days)))
    if one.detail is not None and one.detail.urgent:
        found.append(("urgent", str(one.detail.urgent)))
    without = None if one.detail is None else one.detail.without_reason
    if without is not None and without >= WITHOUT_REASON:
        found.append(("reason", f"{without:.1f}"))
    if one.promised is not None and one.promised.worse:
        found.append(("worse", str(one.promised.worse)))
    if facts.last_day is not None and (facts.last_day - today).days < 0:
        found.append(("ended", facts.until))
    return found
