"""위험도: whom to call first, a sum whose parts are shown, and which companies need somebody to act. Pure.

위험도 = 신선도 (정상 0, 지연 10, 단절 30, 미수집 40) + 경보 (10 x urgent + 5 x unacknowledged, 30 at most)
+ 기한 (20 once the collecting ended, 15 within 7 days, 10 within 30 days) + KPI (10 where a figure got worse than its
baseline, 5 where a goal is not met). It orders a list and judges nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from viewer.advice import LEAST_STOPPED_NS, WITHOUT_REASON
from viewer.book.facts import Facts
from viewer.fleet.promised import Promised
from viewer.fleet.summary import Detail, Summary
from viewer.kpi.freshness import Freshness

FRESHNESS: Final = {Freshness.OK: 0, Freshness.DELAYED: 10, Freshness.LOST: 30, Freshness.NONE: 40}
URGENT: Final = 10
WAITING: Final = 5
MOST_ALARMS: Final = 30
DEADLINES: Final = ((0, 20), (8, 15), (31, 10))
"""Days that are left, and what is added below each."""
WORSE: Final = 10
MISSED: Final = 5
_ORDER: Final = (("urgent", "standing"), ("never", "silent", "lost"))
"""Reasons that come before all others, the most severe first."""


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
    """Why somebody has to act: `fleet_act_<word>` of `viewer/i18n`, and the figure in it; the most severe first."""
    more = one.detail or Detail(0)
    found = []
    if more.urgent_waiting:
        found.append(("urgent", str(more.urgent_waiting)))
    if acknowledged := more.urgent - more.urgent_waiting:
        found.append(("standing", str(acknowledged)))
    if one.silent_days is None:
        found.append(("never", ""))
    elif one.silent_days:
        found.append(("silent", str(one.silent_days)))
    elif one.freshness in {Freshness.LOST, Freshness.NONE}:
        found.append(("lost", ""))
    without = more.without_reason
    if without is not None and without >= WITHOUT_REASON and more.asked_ns >= LEAST_STOPPED_NS:
        found.append(("reason", f"{without:.1f}"))
    if one.promised is not None and one.promised.worse:
        found.append(("worse", str(one.promised.worse)))
    if facts.last_day is not None and (facts.last_day - today).days < 0:
        found.append(("ended", facts.until))
    return found


def severity(found: Sequence[tuple[str, str]]) -> int:
    """Where a company comes among those that need somebody: 0 = for urgent alarms, 1 = no data comes, 2 = else."""
    words = {word for word, _ in found}
    return next((n for n, own in enumerate(_ORDER) if words.intersection(own)), len(_ORDER))
